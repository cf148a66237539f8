// SPDX-License-Identifier: Apache-2.0
/*
 * Parser of newleaf.conf: lines of `key value`, `#` starts a comment line, CRLF or LF. docs/reference/conf.md is its
 * manual. It says which line is wrong; why, says `newleaf-author conf`, which asks this parser.
 */
#include "conf.h"

/* What has a parser of its own; or a text of less than `room` bytes; or one of some words, which stands for its place
 * among them; or a number. */
struct key {
	const char *name;
	size_t at; /* in struct nl_conf */
	size_t room;
	bool path; /* from the root of the partition */
	bool (*parse)(const char *value, void *field);
	const char *words[9]; /* NULL behind the last */
	uint32_t min, max;
};

static const struct key keys[] = {
#define AT(field) offsetof(struct nl_conf, field)
        {"next", AT(next), .room = sizeof(((struct nl_conf *)0)->next), .path = true},
        {"options", AT(options), .room = sizeof(((struct nl_conf *)0)->options)},
        {"on-error", AT(halt_on_error), .words = {"boot", "halt"}},
        {"launch", AT(no_launch), .words = {"yes", "no"}},
        {"guest-may", AT(guest_may), .words = {"none", "apply", "revert", "apply,revert"}}, /* enum nl_guest_may */
        {"console", AT(console), .words = {"none", "com1", "com2", "com3", "com4"}},
        {"deadline-ms", AT(deadline_ms), .min = 1, .max = 10000},
        {"boot-tries", AT(boot_tries), .max = 100},
        NL_NET_CONF_KEYS,
        {0},
};

static bool same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return *a == *b;
}

/* Of a malformed value nothing stays. */
static bool set(const struct key *k, void *field, char *value)
{
	uint32_t v = 0;
	size_t n = 0;

	if (k->parse)
		return k->parse(value, field);
	if (k->room) {
		for (; value[n]; n++)
			if (k->path && value[n] == '/')
				value[n] = '\\';
		if (n >= k->room || (k->path && (value[0] != '\\' || n < 2)))
			return false;
		__builtin_memcpy(field, value, n + 1);
		return true;
	}
	if (k->words[0])
		while (k->words[v] && !same(k->words[v], value))
			v++;
	else
		for (; *value >= '0' && *value <= '9' && v <= k->max; value++)
			v = v * 10 + (uint32_t)(*value - '0');
	if (k->words[0] ? !k->words[v] : *value || v < k->min || v > k->max)
		return false;
	*(uint32_t *)field = v;
	return true;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void read_line(struct nl_conf *conf, char *line, bool plain, uint32_t n)
{
	const struct key *k = keys;
	char *value = line;

	while (*value && !is_blank(*value))
		value++;
	while (is_blank(*value))
		*value++ = '\0';
	while (k->name && !same(k->name, line))
		k++;
	if (!plain || (k->name && (!*value || !set(k, (char *)conf + k->at, value))))
		conf->wrong = n;
	else if (!k->name)
		conf->unknown = n;
}

void nl_conf_parse(struct nl_conf *conf, char *text, size_t size)
{
	const char *end = text + size;
	uint32_t n = 1, next;

	for (; text < end; text++, n = next) {
		bool plain = true; /* printable ASCII: it is a text for people */
		char *line, *last;

		while (is_blank(*text))
			text++;
		for (line = last = text; text < end && *text != '\n' && *text != '\r'; text++) {
			plain = plain && (is_blank(*text) || (*text > ' ' && *text <= '~'));
			last = is_blank(*text) ? last : text + 1;
		}
		next = n + (*text == '\n');
		*last = '\0';
		if (last != line && *line != '#')
			read_line(conf, line, plain, n);
	}
}
