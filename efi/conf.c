// SPDX-License-Identifier: Apache-2.0
/*
 * Parser of newleaf.conf: lines of `key value`, `#` starts a comment line, CRLF or LF. docs/reference/conf.md is its
 * manual.
 */
#include <newleaf/bootblock.h>

#include "conf.h"

struct line {
	const char *key, *value;
	size_t key_len, value_len;
};

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static bool equals(const char *s, size_t len, const char *word)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] != word[i] || word[i] == '\0')
			return false;
	return word[len] == '\0';
}

/* The file is text for people: anything but printable ASCII and tabs in a value is a mistake that we would rather name
 * than pass on. */
static bool printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((s[i] < 0x20 || s[i] > 0x7e) && s[i] != '\t')
			return false;
	return true;
}

static bool copy(char *to, size_t size, const struct line *l)
{
	if (l->value_len == 0 || l->value_len >= size || !printable(l->value, l->value_len))
		return false;
	for (size_t i = 0; i < l->value_len; i++)
		to[i] = l->value[i];
	to[l->value_len] = '\0';
	return true;
}

static bool number(const char *s, size_t len, unsigned base, uint32_t min, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++) {
		uint32_t d;

		if (s[i] >= '0' && s[i] <= '9')
			d = (uint32_t)(s[i] - '0');
		else if (base == 16 && (s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f')
			d = (uint32_t)((s[i] | 0x20) - 'a' + 10);
		else
			return false;
		if (v > (max - d) / base)
			return false;
		v = v * base + d;
	}
	if (len == 0 || v < min)
		return false;
	*out = v;
	return true;
}

struct word {
	const char *text;
	uint32_t value;
};

struct key {
	const char *name;
	/* Returns what is wrong, or NULL. Not there: in a later version. */
	const char *(*set)(const struct key *k, struct nl_conf *conf, const struct line *l);
	const struct word *words; /* of set_value: one of these, whose last has no text, */
	uint32_t min, max;        /* or a number */
	size_t value;             /* where in struct nl_conf it goes */
	const char *wrong;
};

static const char *set_next(const struct key *k, struct nl_conf *conf, const struct line *l)
{
	char path[sizeof(conf->next)];
	size_t n;

	(void)k;
	if (!copy(path, sizeof(path), l))
		return "not a path of at most 255 printable characters";
	for (n = 0; path[n]; n++)
		if (path[n] == '/')
			path[n] = '\\';
	if (path[0] != '\\' || n < 2)
		return "not a path from the root of the partition, like \\EFI\\debian\\grubx64.efi";
	for (size_t i = 0; i <= n; i++)
		conf->next[i] = path[i];
	return NULL;
}

static const char *set_options(const struct key *k, struct nl_conf *conf, const struct line *l)
{
	(void)k;
	return copy(conf->options, sizeof(conf->options), l) ? NULL : "not a text of at most 2047 printable characters";
}

/* One of a list, whose last word has no text. */
static bool one_of(const struct line *l, const struct word *w, uint32_t *out)
{
	while (w->text && !equals(l->value, l->value_len, w->text))
		w++;
	if (w->text)
		*out = w->value;
	return w->text != NULL;
}

static const char *set_value(const struct key *k, struct nl_conf *conf, const struct line *l)
{
	uint32_t *value = (uint32_t *)((char *)conf + k->value);

	return (k->words ? one_of(l, k->words, value) : number(l->value, l->value_len, 10, k->min, k->max, value))
	               ? NULL
	               : k->wrong;
}

static const char *set_console(const struct key *k, struct nl_conf *conf, const struct line *l)
{
	if (one_of(l, k->words, &conf->console_port))
		return NULL;
	if (l->value_len < 3 || l->value[0] != '0' || (l->value[1] | 0x20) != 'x')
		return k->wrong;
	if (!number(l->value + 2, l->value_len - 2, 16, 1, 0xfff8, &conf->console_port))
		return "not a port from 0x1 to 0xfff8";
	return NULL;
}

static const struct word on_error[] = {{"boot", false}, {"halt", true}, {NULL, 0}};
static const struct word launch[] = {{"yes", false}, {"no", true}, {NULL, 0}};
static const struct word ports[] = {{"none", 0}, {"com1", 0x3f8}, {"com2", 0x2f8}, {NULL, 0}};
static const struct word rights[] = {{"apply,revert", NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT},
                                     {"revert,apply", NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT},
                                     {"apply", NL_GUEST_MAY_APPLY},
                                     {"revert", NL_GUEST_MAY_REVERT},
                                     {"none", NL_GUEST_MAY_NONE},
                                     {NULL, 0}};

#define AT(field) offsetof(struct nl_conf, field)
static const struct key keys[] = {
        {.name = "next", .set = set_next},
        {.name = "options", .set = set_options},
        {"on-error", set_value, on_error, 0, 0, AT(halt_on_error), "neither boot nor halt"},
        {"guest-may", set_value, rights, 0, 0, AT(guest_may), "not one of apply,revert  apply  revert  none"},
        {"console", set_console, ports, 0, 0, 0, "not one of none  com1  com2  0xPORT"},
        {"deadline-ms", set_value, NULL, 1, 10000, AT(deadline_ms), "not a number of milliseconds from 1 to 10000"},
        {"launch", set_value, launch, 0, 0, AT(no_launch), "neither yes nor no"},
        {"boot-tries", set_value, NULL, 0, 100, AT(boot_tries), "not a number from 0 to 100"},
        {.name = "mgmt-nic"},
        {.name = "mgmt-ip"},
};

static void tell(nl_conf_report *report, void *ctx, bool error, unsigned number_of_line, const struct line *l,
                 const char *what)
{
	char name[32];
	size_t n = l->key_len < sizeof(name) - 1 ? l->key_len : sizeof(name) - 1;

	for (size_t i = 0; i < n; i++)
		name[i] = printable(&l->key[i], 1) ? l->key[i] : '?';
	name[n] = '\0';
	report(ctx, error, number_of_line, name, what);
}

/* One line without its newline. Returns true when it was an error. */
static bool one(struct nl_conf *conf, const struct line *l, unsigned n, uint32_t *seen, nl_conf_report *report,
                void *ctx)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(keys); i++) {
		const char *wrong;

		if (!equals(l->key, l->key_len, keys[i].name))
			continue;
		if (!keys[i].set) {
			tell(report, ctx, false, n, l, "known, but not in this version: ignored");
			return false;
		}
		if (*seen & 1u << i)
			tell(report, ctx, false, n, l, "given twice: the last one counts");
		*seen |= 1u << i;
		wrong = keys[i].set(&keys[i], conf, l);
		if (wrong)
			tell(report, ctx, true, n, l, wrong);
		return wrong != NULL;
	}
	tell(report, ctx, false, n, l, "unknown key: ignored");
	return false;
}

void nl_conf_defaults(struct nl_conf *conf) { *conf = (struct nl_conf){.boot_tries = 2, .guest_may = NL_CONF_UNSAID}; }

unsigned nl_conf_parse(struct nl_conf *conf, const char *text, size_t len, nl_conf_report *report, void *ctx)
{
	unsigned errors = 0;
	uint32_t seen = 0;
	size_t at = 0;

	/* Editors on other systems put a byte order mark in front. */
	if (len >= 3 && text[0] == '\xef' && text[1] == '\xbb' && text[2] == '\xbf')
		at = 3;
	for (unsigned n = 1; at < len; n++) {
		struct line l;
		size_t end = at, p = at;

		while (end < len && text[end] != '\n')
			end++;
		at = end + 1;
		while (end > p && is_space(text[end - 1]))
			end--;
		while (p < end && is_space(text[p]))
			p++;
		if (p == end || text[p] == '#')
			continue;
		l.key = text + p;
		while (p < end && !is_space(text[p]))
			p++;
		l.key_len = (size_t)(text + p - l.key);
		while (p < end && is_space(text[p]))
			p++;
		l.value = text + p;
		l.value_len = end - p;
		errors += one(conf, &l, n, &seen, report, ctx);
	}
	return errors;
}
