// SPDX-License-Identifier: Apache-2.0
/*
 * What the fuzz targets share. Each target is one file fuzz_X.c that defines fuzz_one and fuzz_seeds; it is linked with
 * the product's own files, which its first lines name (rules.mk). fuzz.c gives the rest to libFuzzer.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One input. Memory that is not given back is taken back afterwards: the authoring companion never gives any back. */
void fuzz_one(const uint8_t *bytes, size_t size);

/* Called once to make the first corpus: fuzz_seed for each input worth starting from. */
void fuzz_seeds(void);
void fuzz_seed(const void *bytes, size_t n);

/* The input as numbers; zeroes behind its end. */
struct fuzz {
	const uint8_t *p;
	size_t n;
};
uint64_t fuzz_number(struct fuzz *f, unsigned bytes);
static inline uint8_t fuzz_byte(struct fuzz *f) { return (uint8_t)fuzz_number(f, 1); }
/* Up to n bytes, in memory of exactly that size, for the sanitizer; *got says how many. */
uint8_t *fuzz_bytes(struct fuzz *f, size_t n, size_t *got);

/* What must hold, whatever the input. */
#define FUZZ_CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif
