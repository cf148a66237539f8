// SPDX-License-Identifier: Apache-2.0
/* Types of a BTF object by name: libbpf's own search walks all of a kernel's 100,000 types for each question. */
#ifndef NEWLEAF_AUTHOR_TYPENAMES_H
#define NEWLEAF_AUTHOR_TYPENAMES_H

#include "author.h"

struct btf;

/* The index is made once for each object, at the first question. Ids of the types of that kind (BTF_KIND_*) and name,
 * ascending; *n = how many. A name may have several: types and static functions of different sources. */
const uint32_t *typenames_find(const struct btf *btf, uint32_t kind, const char *name, size_t *n);
/* For whoever frees objects behind our back: the fuzzers. */
void typenames_forget(void);

#endif
