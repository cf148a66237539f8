// SPDX-License-Identifier: Apache-2.0
/*
 * See text.h. JSON is written here and read nowhere.
 */
#include "text.h"

void text_char(struct text *t, char c)
{
	if (t->n < t->size)
		t->p[t->n++] = c;
	else
		t->cut = true;
}

void text_add(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

void text_uint(struct text *t, uint64_t v)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		text_char(t, digits[--n]);
}

void text_milli(struct text *t, uint64_t v)
{
	text_uint(t, v / 1000);
	text_char(t, '.');
	text_char(t, (char)('0' + v / 100 % 10));
	text_char(t, (char)('0' + v / 10 % 10));
	text_char(t, (char)('0' + v % 10));
}

static char digit_of(unsigned v) { return "0123456789abcdef"[v & 15]; }

void text_hex(struct text *t, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text_char(t, digit_of(bytes[i] >> 4));
		text_char(t, digit_of(bytes[i]));
	}
}

void text_quoted(struct text *t, const char *s, size_t n)
{
	text_char(t, '"');
	for (size_t i = 0; i < n && s[i]; i++) {
		if (s[i] == '"' || s[i] == '\\')
			text_char(t, '\\');
		text_char(t, s[i] >= ' ' && s[i] <= '~' ? s[i] : '?');
	}
	text_char(t, '"');
}

static void begin(struct text *t, const char *name)
{
	if (t->comma)
		text_char(t, ',');
	t->comma = true;
	if (name) {
		text_quoted(t, name, SIZE_MAX);
		text_char(t, ':');
	}
}

void json_open(struct text *t, const char *name, char bracket)
{
	begin(t, name);
	text_char(t, bracket);
	t->comma = false;
}

void json_close(struct text *t, char bracket)
{
	text_char(t, bracket);
	t->comma = true;
}

void json_chars(struct text *t, const char *name, const char *s, size_t n)
{
	begin(t, name);
	text_quoted(t, s, n);
}

void json_text(struct text *t, const char *name, const char *s)
{
	begin(t, name);
	if (s)
		text_quoted(t, s, SIZE_MAX);
	else
		text_add(t, "null");
}

void json_uint(struct text *t, const char *name, uint64_t v) { json_maybe(t, name, v, true); }

void json_maybe(struct text *t, const char *name, uint64_t v, bool known)
{
	begin(t, name);
	if (known)
		text_uint(t, v);
	else
		text_add(t, "null");
}

void json_bool(struct text *t, const char *name, bool v)
{
	begin(t, name);
	text_add(t, v ? "true" : "false");
}

void json_hex(struct text *t, const char *name, const uint8_t *bytes, size_t n)
{
	begin(t, name);
	if (!n) {
		text_add(t, "null");
		return;
	}
	text_char(t, '"');
	text_hex(t, bytes, n);
	text_char(t, '"');
}

void json_address(struct text *t, const char *name, uint64_t v)
{
	unsigned bits = 60;

	begin(t, name);
	text_add(t, "\"0x");
	while (bits && !(v >> bits))
		bits -= 4;
	for (; bits; bits -= 4)
		text_char(t, digit_of((unsigned)(v >> bits)));
	text_char(t, digit_of((unsigned)v));
	text_char(t, '"');
}
