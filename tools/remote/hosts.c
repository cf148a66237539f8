// SPDX-License-Identifier: Apache-2.0
/* Who is asked: names and addresses of machines, and the keys by which they were enrolled. */
#include "named.h"
#include "remote.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)

/* [ADDRESS]:PORT, or NAME:PORT; and more than one colon is an address without a port. */
static char *base_of(const char *text)
{
	const char *end = *text == '[' ? strchr(text, ']') : NULL, *colon = strchr(end ? end : text, ':');
	bool bare = !end && colon && strchr(colon + 1, ':');
	size_t n = bare || !colon ? strlen(text) : (size_t)(colon - text);
	uint64_t port = bare || !colon ? HTTP_PORT : named_number(colon + 1, 65535);
	char *host = xformat("%.*s", (int)n, text), *zone = strchr(host, '%');

	if ((*text == '[' && (!end || (end[1] && end[1] != ':'))) || !n || !port ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%[]") != n)
		refuse(NL_EUSAGE,
		       "\"%s\" is no host: a name, an IPv4 address or [an IPv6 address] is wanted, and perhaps "
		       ":PORT",
		       text);
	if (zone) { /* RFC 6874 */
		*zone = 0;
		host = xformat("%s%%25%s", host, zone + 1);
	}
	return xformat(bare ? "http://[%s]:%u" : "http://%s:%u", host, (unsigned)port);
}

static size_t add(struct host **hosts, size_t n, const char *name)
{
	char *base = base_of(name);

	for (size_t i = 0; i < n; i++)
		if (!strcmp((*hosts)[i].base, base))
			refuse(NL_EUSAGE, "%s is named twice", name);
	if (n == HOSTS_MAX)
		refuse(NL_EUSAGE, "at most %u hosts are asked at once", HOSTS_MAX);
	if (!n)
		*hosts = xalloc(HOSTS_MAX * sizeof(**hosts));
	(*hosts)[n].name = name;
	(*hosts)[n].base = base;
	return n + 1;
}

/* A line's words, up to #; returns how many. */
static size_t words(char *line, char *out[4])
{
	size_t n = 0;

	line[strcspn(line, "#")] = 0;
	for (char *rest, *w = strtok_r(line, " \t\r", &rest); w && n < 4; w = strtok_r(NULL, " \t\r", &rest))
		out[n++] = w;
	return n;
}

static char *read_text(const char *path)
{
	struct buf b = file_read(path, FILE_MAX);

	buf_add(&b, NULL, 1);
	return (char *)b.p;
}

static size_t add_file(struct host **hosts, size_t n, const char *path)
{
	char *w[4], *rest, *text = read_text(path);

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (words(line, w))
			n = add(hosts, n, w[0]);
	return n;
}

size_t hosts_add(struct host **hosts, size_t n, const char *list)
{
	char *rest, *text = xformat("%s", list);

	if (*list == '@') {
		n = add_file(hosts, n, list + 1);
		hosts_keys(*hosts, n, list + 1, true);
		return n;
	}
	for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		n = add(hosts, n, name);
	return n;
}

void hosts_key(struct host *hosts, size_t n, const char *key)
{
	char *text;

	if (n != 1)
		refuse(NL_EUSAGE,
		       "--machine is the key of one host; of several: --machines FILE, with a line HOST KEY for "
		       "each");
	if (!named_hex(key, hosts->wanted.machine_key, 32)) {
		text = read_text(key);
		text[strcspn(text, " \t\r\n")] = 0;
		if (!named_hex(text, hosts->wanted.machine_key, 32))
			refuse(NL_EUSAGE, "%s is no machine's key: 64 digits are wanted", key);
	}
	hosts->has_key = true;
}

void hosts_keys(struct host *hosts, size_t n, const char *path, bool must)
{
	char *w[4], *rest, *text;
	size_t at = 0, n_words;

	if (!must && !file_exists(path))
		return;
	text = read_text(path);
	for (char *line = text; line; line = rest) {
		rest = strchr(line, '\n');
		if (rest)
			*rest++ = 0;
		at++;
		n_words = words(line, w);
		for (size_t i = 0; n_words > 1 && i < n; i++) {
			struct host *h = &hosts[i];
			char *base = strcmp(h->name, w[0]) ? base_of(w[0]) : h->base;

			if (strcmp(base, h->base))
				continue;
			if (!named_hex(w[1], h->wanted.machine_key, 32) ||
			    (n_words > 2 && !(h->wanted.after = (uint32_t)named_number(w[2], UINT32_MAX))) ||
			    n_words > 3)
				refuse(NL_EUSAGE,
				       "%s, line %zu: HOST, the 64 digits of its key, and perhaps the number of a "
				       "boot that it has shown are wanted",
				       path, at);
			h->has_key = true;
		}
	}
}
