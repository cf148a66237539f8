// SPDX-License-Identifier: Apache-2.0
/* Sources of randomness, one over the other: any of them is enough. Pure C, tested on the host. */
#pragma once

#include <newleaf/types.h>

/* One more source's n words; 0: it gave none. Words that are all the same are no secret: a RDRAND may say one thing for
 * ever and call it valid, as those of AMD before a correction of their microcode. false: `out` is what it was. */
static inline bool nl_random_mix(uint64_t *out, const uint64_t *words, size_t n)
{
	size_t i = 1;

	while (i < n && words[i] == words[0])
		i++;
	if (i >= n)
		return false;
	for (i = 0; i < n; i++)
		out[i] ^= words[i];
	return true;
}
