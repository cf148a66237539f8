// SPDX-License-Identifier: Apache-2.0
/*
 * Text into a buffer of a fixed size: numbers, hexadecimal, JSON. What does not fit is cut, and remembered.
 */
#ifndef NET_HTTP_TEXT_H
#define NET_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *p;
	size_t n, size;
	bool cut;
	bool comma; /* of JSON: before the next member */
};

void text_add(struct text *t, const char *s);
void text_char(struct text *t, char c);
void text_uint(struct text *t, uint64_t v);
/* v thousandths, as a decimal number. */
void text_milli(struct text *t, uint64_t v);
void text_hex(struct text *t, const uint8_t *bytes, size_t n);
/* Up to n bytes of s or to its NUL, as JSON and Prometheus' labels want it: between quotes, " and \ escaped, and for
 * whatever is not printable ASCII a question mark. */
void text_quoted(struct text *t, const char *s, size_t n);

/* JSON: name NULL in arrays. */
void json_open(struct text *t, const char *name, char bracket);
void json_close(struct text *t, char bracket);
void json_text(struct text *t, const char *name, const char *s); /* NULL: null */
void json_chars(struct text *t, const char *name, const char *s, size_t n);
void json_uint(struct text *t, const char *name, uint64_t v);
void json_maybe(struct text *t, const char *name, uint64_t v, bool known); /* else null */
void json_bool(struct text *t, const char *name, bool v);
void json_hex(struct text *t, const char *name, const uint8_t *bytes, size_t n); /* none: null */
void json_address(struct text *t, const char *name, uint64_t v);

/* Ticks in milliseconds, without overflow; hz > 0. */
static inline uint64_t text_ms(uint64_t ticks, uint64_t hz)
{
	uint64_t rest = ticks % hz;

	return ticks / hz * 1000 + (hz > UINT64_MAX / 1000 ? rest / (hz / 1000) : rest * 1000 / hz);
}

#endif
