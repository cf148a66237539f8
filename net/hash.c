// SPDX-License-Identifier: Apache-2.0
/* See hash.h. */
#include "hash.h"

#include <string.h>

#include "port/arch/cc.h"

static uint64_t key[2], random_key[2], count;

static uint64_t turn(uint64_t v, unsigned by) { return v << by | v >> (64 - by); }

static void rounds(uint64_t v[4], unsigned n)
{
	while (n--) {
		v[0] += v[1], v[1] = turn(v[1], 13) ^ v[0], v[0] = turn(v[0], 32);
		v[2] += v[3], v[3] = turn(v[3], 16) ^ v[2];
		v[0] += v[3], v[3] = turn(v[3], 21) ^ v[0];
		v[2] += v[1], v[1] = turn(v[1], 17) ^ v[2], v[2] = turn(v[2], 32);
	}
}

static uint64_t siphash(const uint64_t k[2], const uint8_t *p, size_t n)
{
	uint64_t v[4] = {k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261,
	                 k[1] ^ 0x7465646279746573};
	uint64_t last = (uint64_t)n << 56;

	for (; n >= 8; n -= 8, p += 8) {
		uint64_t m;

		memcpy(&m, p, 8);
		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << 8 * i;
	v[3] ^= last;
	rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void hash_seed(const uint64_t seed[4])
{
	memcpy(key, seed, sizeof(key));
	memcpy(random_key, seed + 2, sizeof(random_key));
	count = 0;
}

uint64_t hash(const void *bytes, size_t n) { return siphash(key, bytes, n); }

uint32_t net_random(void)
{
	count++;
	return (uint32_t)siphash(random_key, (const uint8_t *)&count, sizeof(count));
}
