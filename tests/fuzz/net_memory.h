// SPDX-License-Identifier: Apache-2.0
/* Where lwIP takes its memory from in the fuzzer (fuzz_net.c); included before everything else. */
#ifndef TESTS_FUZZ_NET_MEMORY_H
#define TESTS_FUZZ_NET_MEMORY_H

#include <stddef.h>

void *fuzz_malloc(size_t n);
void *fuzz_calloc(size_t count, size_t n);
void fuzz_free(void *p);

#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC fuzz_malloc
#define MEM_CUSTOM_CALLOC fuzz_calloc
#define MEM_CUSTOM_FREE fuzz_free

#endif
