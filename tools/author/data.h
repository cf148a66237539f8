// SPDX-License-Identifier: Apache-2.0
/* `data` statements: a few bytes of the kernel's read-only data. */
#ifndef NEWLEAF_AUTHOR_DATA_H
#define NEWLEAF_AUTHOR_DATA_H

#include "body.h"

void data_add(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_data *s,
              const struct body *b);

/* Refuses NL_ESITE what is not in data that only the image decides. */
void data_check_writable(const struct kernel *k, uint64_t va, uint32_t size, const char *name, const char *where);

#endif
