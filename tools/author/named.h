// SPDX-License-Identifier: Apache-2.0
/* Leaves and keys as lists and orders name them: by a SHA-256, given as such or as a file. */
#ifndef NEWLEAF_AUTHOR_NAMED_H
#define NEWLEAF_AUTHOR_NAMED_H

#include "author.h"

bool named_hex(const char *text, uint8_t *out, size_t n); /* exactly so many bytes */
/* A leaf's file, or its SHA-256. */
void named_leaf(const char *text, uint8_t sha256[32]);
/* A public key's file, or its SHA-256. */
void named_key(const char *text, uint8_t id[32]);
/* From 1 on, decimal; 0: not one, or above max. */
uint64_t named_number(const char *text, uint64_t max);

#endif
