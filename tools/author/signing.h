// SPDX-License-Identifier: Apache-2.0
/* Signatures behind a file, as leaves and lists have them: made by a key, or by a token in two steps. */
#ifndef NEWLEAF_AUTHOR_SIGNING_H
#define NEWLEAF_AUTHOR_SIGNING_H

#include "keys.h"

struct signing {
	const char *domain;  /* NL_DOMAIN_* */
	const char *what;    /* "a leaf", for messages */
	const uint8_t *file; /* its signed part, and what stands behind */
	size_t signed_size, size, max;
	const char *key;      /* a private one; or: */
	const char *attached; /* what a token has made, with */
	const char *pub;      /* its public key */
};

/* What a token signs. */
void signing_message(const struct signing *g, const char *output);
/* Writes the file with one signature more, or its signer's one anew; returns how many there are, and who signed.
 * Refuses NL_ESIGNATURE what does not verify, also of those that are there already (but what the signer replaces). */
uint32_t signing_do(const struct signing *g, const char *output, uint8_t key_id[32]);

#endif
