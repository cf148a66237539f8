// SPDX-License-Identifier: Apache-2.0
/* `conf FILE`: what the loader makes of a newleaf.conf, line by line, and what is wrong with it. The parser is the
 * loader's own (efi/conf.c), which has no room for the words. */
#include "../../efi/conf.h"
#include "author.h"
#include "commands.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *takes;
} keys[] = {
        {"next", "a path from the root of the partition, like \\EFI\\debian\\grubx64.efi, of at most 255 characters"},
        {"options", "a text of at most 2047 characters"},
        {"on-error", "boot or halt"},
        {"launch", "yes or no"},
        {"guest-may", "none, apply, revert or apply,revert"},
        {"console", "none, com1, com2, com3 or com4"},
        {"deadline-ms", "a number of milliseconds from 1 to 10000"},
        {"boot-tries", "a number from 0 to 100"},
        {"net-nic", "a card's PCI address like 00:05.0, or its MAC address like 52:54:00:12:34:56"},
        {"net-ip", "dhcp, or ADDRESS/PREFIX[,GATEWAY], of at most 95 characters"},
        {"net-ip6", "auto, or ADDRESS/PREFIX[,GATEWAY], of at most 95 characters"},
        {"net-port", "a number from 1 to 65535"},
        {"net-may", "none, or of metrics,read,orders some, in this order"},
};

/* Its place in the table; how many there are: none of them. */
static size_t key_at(const char *line, size_t n)
{
	size_t i = 0;

	while (i < NL_ARRAY_SIZE(keys) && (strlen(keys[i].name) != n || memcmp(keys[i].name, line, n)))
		i++;
	return i;
}

/* Where the line holds what is not printable ASCII; its length: nowhere. */
static size_t strange_at(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && (line[i] == '\t' || (line[i] >= ' ' && line[i] <= '~')))
		i++;
	return i;
}

static const char *wrong(const char *line, size_t n, size_t key, unsigned number)
{
	size_t strange = strange_at(line, n);

	if (strange < n && number == 1 && n >= 3 && !memcmp(line, "\xef\xbb\xbf", 3))
		return "a byte order mark stands before the line: save the file without it";
	if (strange < n && memchr(line, 0, n))
		return "holds a zero byte: save the file as ASCII text, not as UTF-16";
	if (strange < n)
		return xformat("column %zu is not printable ASCII", strange + 1);
	if (key == NL_ARRAY_SIZE(keys))
		return "not understood";
	return xformat("%s takes %s", keys[key].name, keys[key].takes);
}

/* What the stack will make of it: the loader hands it on as it is. */
static bool is_address(const char *text, int family, unsigned longest)
{
	char address[NL_NET_TEXT] = {0}, *prefix, *gateway, *end;
	uint8_t binary[16];

	strncpy(address, text, sizeof(address) - 1);
	if (!strcmp(address, family == AF_INET ? "dhcp" : "auto"))
		return true;
	gateway = strchr(address, ',');
	if (gateway)
		*gateway++ = '\0';
	prefix = strchr(address, '/');
	if (!prefix || prefix[1] < '0' || prefix[1] > '9')
		return false;
	*prefix++ = '\0';
	return strtoul(prefix, &end, 10) <= longest && !*end && inet_pton(family, address, binary) == 1 &&
	       (!gateway || inet_pton(family, gateway, binary) == 1);
}

static const char *doubtful(const struct nl_conf *conf)
{
	const struct nl_net_conf *net = &conf->net;
	bool four = *net->ip && !is_address(net->ip, AF_INET, 32);

	if (!four && (!*net->ip6 || is_address(net->ip6, AF_INET6, 128)))
		return NULL;
	return xformat("warning: net-ip%s takes %s", four ? "" : "6",
	               keys[key_at(four ? "net-ip" : "net-ip6", four ? 6 : 7)].takes);
}

/* One line, without its end and the blanks around it. Returns whether the loader refuses it. */
static bool explain(const char *path, const char *line, size_t n, unsigned number, unsigned *seen)
{
	struct nl_conf conf = NL_CONF_DEFAULTS;
	size_t length = 0, key;
	char *copy = xalloc(n + 1);
	const char *what = NULL;

	memcpy(copy, line, n);
	nl_conf_parse(&conf, copy, n);
	while (length < n && line[length] != ' ' && line[length] != '\t')
		length++;
	key = key_at(line, length);
	if (conf.wrong)
		what = wrong(line, n, key, number);
	else if (conf.unknown)
		what = xformat("warning: %.*s is no key: ignored", (int)length, line);
	else if (key < NL_ARRAY_SIZE(keys) && seen[key])
		what = xformat("warning: %s stands in line %u already: the last one counts", keys[key].name, seen[key]);
	else
		what = doubtful(&conf);
	if (key < NL_ARRAY_SIZE(keys))
		seen[key] = number;
	if (what)
		printf("%s:%u: %s\n", path, number, what);
	return conf.wrong;
}

int command_conf(int argc, char **argv)
{
	unsigned seen[NL_ARRAY_SIZE(keys)] = {0}, refused = 0;
	struct buf file;
	size_t at = 0;

	if (argc != 2 || argv[1][0] == '-')
		usage_error("conf", "give one file");
	file = file_read(argv[1], NL_CONF_MAX_SIZE);
	for (unsigned number = 1; at < file.n; number++) {
		const char *line = (const char *)file.p + at, *end = memchr(line, '\n', file.n - at);
		size_t n = end ? (size_t)(end - line) : file.n - at;

		at += n + 1;
		while (n && strchr(" \t\r", line[n - 1]) && line[n - 1])
			n--;
		for (; n && (*line == ' ' || *line == '\t'); n--)
			line++;
		refused += explain(argv[1], line, n, number, seen);
	}
	if (refused)
		refuse(NL_ECONF, "the loader does not understand %u line%s of %s", refused, refused > 1 ? "s" : "",
		       argv[1]);
	printf("%s: understood\n", argv[1]);
	return NL_EXIT_OK;
}
