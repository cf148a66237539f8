// SPDX-License-Identifier: Apache-2.0
/*
 * Text of unknown origin (names of files, lines of recipes, what leaves, kernels and key files say) on its way to a
 * terminal or into JSON: the one place that decides what may pass. Characters that a terminal obeys instead of showing
 * never do; nor do those that make text look different from what it says (RFC 3629; Unicode UAX #9, 2).
 */
#include "author.h"

#include <string.h>

/* Length of the character at s, which becomes *code; 0: not UTF-8 (too long a form and halves of pairs are not). */
static unsigned decode(const uint8_t *s, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned n = s[0] < 0x80             ? 1
	             : (s[0] & 0xe0) == 0xc0 ? 2
	             : (s[0] & 0xf0) == 0xe0 ? 3
	             : (s[0] & 0xf8) == 0xf0 ? 4
	                                     : 0;

	*code = n > 1 ? s[0] & (0x7fu >> n) : s[0];
	for (unsigned i = 1; i < n; i++) { /* stops at the NUL */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	return n && *code >= least[n] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? n : 0;
}

static bool shows(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0)) /* C0, DEL, C1 */
		return false;
	return c != 0x61c && (c < 0x200b || c > 0x200f) && (c < 0x2028 || c > 0x202e) && (c < 0x2060 || c > 0x206f) &&
	       c != 0xfeff; /* marks of direction, separators of lines, characters without width */
}

char *escape(const char *text, enum escape_for form)
{
	struct buf out = {0};

	for (const uint8_t *s = (const uint8_t *)text; *s;) {
		uint32_t code;
		unsigned n = decode(s, &code), bytes = n ? n : 1;
		char hex[8];

		if (form == FOR_JSON && (*s == '"' || *s == '\\'))
			buf_add(&out, "\\", 1);
		if (n && shows(code)) {
			buf_add(&out, s, n);
		} else if (form == FOR_JSON) {
			buf_add(&out, hex, (size_t)snprintf(hex, sizeof(hex), "\\u%04x", n ? code : 0xfffd));
		} else {
			for (unsigned i = 0; i < bytes; i++)
				buf_add(&out, hex, (size_t)snprintf(hex, sizeof(hex), "\\x%02x", s[i]));
		}
		s += bytes;
	}
	buf_add(&out, "", 1);
	return (char *)out.p;
}

void escape_lines(FILE *f, const void *bytes, size_t n)
{
	const char *p = bytes, *end = p + n;

	while (p < end) {
		size_t len = 0;

		while (p + len < end && p[len] && p[len] != '\n' && p[len] != '\t')
			len++;
		fputs(escape(xformat("%.*s", (int)len, p), FOR_TERMINAL), f);
		p += len;
		if (p < end)
			fprintf(f, "%s%.1s", *p ? "" : "\\x00", p);
		p++;
	}
}

void json_string(FILE *f, const char *s) { fprintf(f, "\"%s\"", escape(s, FOR_JSON)); }
