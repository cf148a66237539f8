// SPDX-License-Identifier: Apache-2.0
/* See named.h. */
#include "named.h"
#include "keys.h"
#include "leaf/signature.h"
#include "leaffile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool named_hex(const char *text, uint8_t *out, size_t n)
{
	if (strlen(text) != 2 * n || strspn(text, "0123456789abcdefABCDEF") != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char two[3] = {text[2 * i], text[2 * i + 1], 0};

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return true;
}

void named_leaf(const char *text, uint8_t sha256[32])
{
	if (!named_hex(text, sha256, 32)) {
		struct leaffile l = leaffile_read(text);

		memcpy(sha256, l.digest, 32);
	}
}

void named_key(const char *text, uint8_t id[32])
{
	uint8_t public[32];

	if (!named_hex(text, id, 32)) {
		key_read_public(text, public);
		nl_key_id(public, id);
	}
}

uint64_t named_number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno || v > max ? 0 : v;
}
