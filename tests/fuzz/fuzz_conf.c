// SPDX-License-Identifier: Apache-2.0
// sources: efi/conf.c efi/netconf.c
// length: 1024
// quick: 20000
/* Any text as newleaf.conf: what the loader takes from it is text that can be shown, and numbers in their limits. */
#include "fuzz.h"

#include "conf.h"
#include <newleaf/bootblock.h>

static void shows(const char *s, size_t size)
{
	FUZZ_CHECK(memchr(s, 0, size));
	for (; *s; s++)
		FUZZ_CHECK(*s == '\t' || (*s >= 0x20 && *s <= 0x7e));
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct nl_conf c = NL_CONF_DEFAULTS;
	char *text = calloc(size + 1, 1);

	memcpy(text, bytes, size);
	nl_conf_parse(&c, text, size);
	free(text);
	FUZZ_CHECK(c.wrong <= size && c.unknown <= size);
	shows(c.next, sizeof(c.next));
	shows(c.options, sizeof(c.options));
	FUZZ_CHECK(!*c.next || *c.next == '\\');
	FUZZ_CHECK(c.deadline_ms <= 10000);
	FUZZ_CHECK(c.boot_tries <= 100);
	FUZZ_CHECK(c.console <= 4);
	shows(c.net.ip, sizeof(c.net.ip));
	shows(c.net.ip6, sizeof(c.net.ip6));
	FUZZ_CHECK(c.net.port >= 1 && c.net.port <= 65535);
	FUZZ_CHECK(c.net.may <= NL_NET_MAY_ALL || c.net.may == NL_CONF_UNSAID);
	FUZZ_CHECK(c.net.nic.said || (!c.net.nic.function && !memcmp(c.net.nic.mac, "\0\0\0\0\0", 6)));
	FUZZ_CHECK(c.guest_may <= NL_GUEST_MAY_ALL || c.guest_may == NL_CONF_UNSAID);
}

void fuzz_seeds(void)
{
	static const char all[] =
	        "# text\r\nnext \\EFI\\debian\\grubx64.efi\noptions a\tb\non-error halt\n"
	        "guest-may apply,revert\nconsole com2\ndeadline-ms 250\nboot-tries 3\nlaunch no\n"
	        "net-nic 00:05.0\nnet-nic 52:54:00:12:34:56\nnet-ip dhcp\nnet-ip6 fd00::2/64,fe80::1\n"
	        "net-port 443\nnet-may metrics,read\nmgmt-nic x\nunknown y\n";

	fuzz_seed(all, sizeof(all) - 1);
}
