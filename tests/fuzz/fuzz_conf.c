// SPDX-License-Identifier: Apache-2.0
// sources: efi/conf.c
// length: 1024
// quick: 20000
/* Any text as newleaf.conf: what the loader takes from it is text that can be shown, and numbers in their limits. */
#include "fuzz.h"

#include "conf.h"
#include <newleaf/bootblock.h>

static void told(void *ctx, bool error, unsigned line, const char *key, const char *what)
{
	*(unsigned *)ctx += error;
	FUZZ_CHECK(line >= 1 && *what);
	for (; *key; key++)
		FUZZ_CHECK(*key == '\t' || (*key >= 0x20 && *key <= 0x7e));
}

static void shows(const char *s, size_t size)
{
	FUZZ_CHECK(memchr(s, 0, size));
	for (; *s; s++)
		FUZZ_CHECK(*s == '\t' || (*s >= 0x20 && *s <= 0x7e));
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct nl_conf c;
	unsigned errors = 0;

	nl_conf_defaults(&c);
	FUZZ_CHECK(nl_conf_parse(&c, (const char *)bytes, size, told, &errors) == errors);
	shows(c.next, sizeof(c.next));
	shows(c.options, sizeof(c.options));
	FUZZ_CHECK(!*c.next || *c.next == '\\');
	FUZZ_CHECK(c.deadline_ms <= 10000);
	FUZZ_CHECK(c.boot_tries <= 100);
}

void fuzz_seeds(void)
{
	static const char all[] = "\xef\xbb\xbf# text\r\nnext \\EFI\\debian\\grubx64.efi\noptions a\tb\non-error halt\n"
	                          "guest-may apply,revert\nconsole 0x2f8\ndeadline-ms 250\nboot-tries 3\nlaunch no\n"
	                          "mgmt-nic x\nunknown y\n";

	fuzz_seed(all, sizeof(all) - 1);
}
