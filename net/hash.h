// SPDX-License-Identifier: Apache-2.0
/* A keyed hash (SipHash-2-4) and random numbers made of it: what a stranger on the wire must not foresee. */
#ifndef NET_HASH_H
#define NET_HASH_H

#include <stddef.h>
#include <stdint.h>

void hash_seed(const uint64_t seed[4]);
uint64_t hash(const void *bytes, size_t n);

#endif
