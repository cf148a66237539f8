// SPDX-License-Identifier: Apache-2.0
/*
 * Types that keep address spaces apart. Mixing them does not compile.
 * Not here: anything about paging formats (hv/view/npt.h) or registers (arch/).
 */
#ifndef NEWLEAF_TYPES_H
#define NEWLEAF_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint64_t v;
} gpa_t; /* guest-physical */
typedef struct {
	uint64_t v;
} hpa_t; /* host-physical: what the memory controller sees */
typedef struct {
	uint64_t v;
} gva_t; /* guest-virtual */

#define GPA(x) ((gpa_t){(x)})
#define HPA(x) ((hpa_t){(x)})
#define GVA(x) ((gva_t){(x)})

#define NL_PAGE_SHIFT 12
#define NL_PAGE_SIZE 4096ULL
#define NL_PAGE_MASK (NL_PAGE_SIZE - 1)
#define NL_2M 0x200000ULL
#define NL_1G 0x40000000ULL

#define NL_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Each of the first n elements of an array, by a pointer of this name. */
#define NL_EACH(p, array, n) for (__typeof__((array) + 0) p = (array); p < (array) + (n); p++)

#endif
