// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf.conf: what is accepted, what is a warning, what is an error; and that no text can do harm.
 */
// sources: efi/conf.c efi/netconf.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <newleaf/bootblock.h>

#include "conf.h"

/* The text goes into memory of exactly its size and the NUL, so that ASan sees one byte too far. */
static struct nl_conf parse_n(const char *text, size_t n)
{
	struct nl_conf conf = NL_CONF_DEFAULTS;
	char *exact = calloc(n + 1, 1);

	memcpy(exact, text, n);
	nl_conf_parse(&conf, exact, n);
	free(exact);
	return conf;
}

static struct nl_conf parse(const char *text) { return parse_n(text, strlen(text)); }

static void test_empty_means_defaults(void **state)
{
	struct nl_conf c = parse("");

	(void)state;
	assert_string_equal(c.next, "");
	assert_string_equal(c.options, "");
	assert_false(c.halt_on_error || c.no_launch || c.deadline_ms || c.console);
	assert_int_equal(c.guest_may, NL_CONF_UNSAID);
	assert_int_equal(c.boot_tries, 2);
	assert_false(c.net.nic.said || *c.net.ip || *c.net.ip6);
	assert_int_equal(c.net.port, 9947);
	assert_int_equal(c.net.may, NL_CONF_UNSAID);
	assert_int_equal(c.wrong + c.unknown, 0);
}

static void test_every_key(void **state)
{
	struct nl_conf c = parse("# comment with umlaut \xc3\xa4\r\n"
	                         "next\t/EFI/debian/grubx64.efi\r\n"
	                         "  options   initrd=\\initrd.img console=ttyS0 \tquiet \t\r\n"
	                         "\r\n"
	                         "on-error halt\n"
	                         "guest-may apply\n"
	                         "console com3\n"
	                         "deadline-ms 250\n"
	                         "boot-tries 0\n"
	                         "net-nic 00:1f.6\n"
	                         "net-ip 192.0.2.7/24,192.0.2.1\n"
	                         "net-ip6 auto\n"
	                         "net-port 443\n"
	                         "net-may metrics,orders\n"
	                         "launch no");

	(void)state;
	assert_string_equal(c.next, "\\EFI\\debian\\grubx64.efi");
	assert_string_equal(c.options, "initrd=\\initrd.img console=ttyS0 \tquiet");
	assert_true(c.halt_on_error);
	assert_true(c.no_launch);
	assert_int_equal(c.guest_may, NL_GUEST_MAY_APPLY);
	assert_int_equal(c.console, 3);
	assert_int_equal(c.deadline_ms, 250);
	assert_int_equal(c.boot_tries, 0);
	assert_true(c.net.nic.said);
	assert_int_equal(c.net.nic.function, 0xfe);
	assert_string_equal(c.net.ip, "192.0.2.7/24,192.0.2.1");
	assert_string_equal(c.net.ip6, "auto");
	assert_int_equal(c.net.port, 443);
	assert_int_equal(c.net.may, NL_NET_MAY_METRICS | NL_NET_MAY_ORDERS);
	assert_int_equal(c.wrong + c.unknown, 0);
}

static void test_values(void **state)
{
	static const struct {
		const char *text;
		uint32_t may;
	} may[] = {
	        {"guest-may none", 0},
	        {"guest-may apply", NL_GUEST_MAY_APPLY},
	        {"guest-may revert", NL_GUEST_MAY_REVERT},
	        {"guest-may apply,revert", NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT},
	};
	static const char *const console[] = {"none", "com1", "com2", "com3", "com4"};
	char text[32];

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(may); i++)
		assert_int_equal(parse(may[i].text).guest_may, may[i].may);
	for (size_t i = 0; i < NL_ARRAY_SIZE(console); i++) {
		snprintf(text, sizeof(text), "console com2\nconsole %s", console[i]);
		assert_int_equal(parse(text).console, i);
		assert_int_equal(parse(text).wrong, 0);
	}
	for (uint32_t bits = 0; bits <= NL_NET_MAY_ALL; bits++) {
		snprintf(text, sizeof(text), "net-may %s%s%s%s%s%s", bits ? "" : "none", bits & 1 ? "metrics" : "",
		         (bits & 1) && (bits & 6) ? "," : "", bits & 2 ? "read" : "", (bits & 6) == 6 ? "," : "",
		         bits & 4 ? "orders" : "");
		assert_int_equal(parse(text).net.may, bits);
		assert_int_equal(parse(text).wrong, 0);
	}
	assert_int_equal(parse("net-port 1").net.port, 1);
	assert_int_equal(parse("net-port 65535").net.port, 65535);
	assert_int_equal(parse("deadline-ms 1").deadline_ms, 1);
	assert_int_equal(parse("deadline-ms 010000").deadline_ms, 10000);
	assert_int_equal(parse("boot-tries 3\nboot-tries 100").boot_tries, 100); /* the last one counts */
	assert_int_equal(parse("boot-tries 3\nboot-tries 0").boot_tries, 0);
}

/* A malformed value is an error, names its line, and leaves the field alone. */
static void test_malformed(void **state)
{
	static const char *const texts[] = {
	        "next",
	        "next EFI\\debian\\grubx64.efi",
	        "next \\",
	        "next \\EFI\\gr\xc3\xbc.efi",
	        "options",
	        "options quiet\tsplash\x1b[2J", /* behind a tab, too */
	        "options \xe2\x80\xae",
	        "next \\EFI\ta.efi\x07",
	        "on-error",
	        "on-error Halt",
	        "on-error halted",
	        "on-error hal",
	        "guest-may",
	        "guest-may all",
	        "guest-may apply,",
	        "guest-may revert,apply",
	        "guest-may apply, revert",
	        "console",
	        "console com",
	        "console com5",
	        "console com11",
	        "console 0x3f8",
	        "console 1",
	        "deadline-ms 0",
	        "deadline-ms 10001",
	        "deadline-ms -1",
	        "deadline-ms 1s",
	        "deadline-ms 4294967297",
	        "deadline-ms 18446744073709551617",
	        "deadline-ms",
	        "boot-tries 101",
	        "boot-tries",
	        "boot-tries two",
	        "launch maybe",
	        "net-nic",
	        "net-nic eth0",
	        "net-nic 0000:00:05.0",
	        "net-nic 00:05",
	        "net-nic 00:05.",
	        "net-nic 00:05.8",
	        "net-nic 00:05.00",
	        "net-nic 00:20.0",
	        "net-nic 00:00.0", /* the host bridge */
	        "net-nic 0:5.0",
	        "net-nic 00:0g.0",
	        "net-nic 00.05.0",
	        "net-nic 52:54:00:12:34",
	        "net-nic 52:54:00:12:34:",
	        "net-nic 52:54:00:12:34:5",
	        "net-nic 52:54:00:12:34:56:78",
	        "net-nic 52:54:00:12:34:56.1",
	        "net-nic 52:54:00:12.34:56",
	        "net-nic 52-54-00-12-34-56",
	        "net-nic 52:54:00:12:34:/6",
	        "net-nic 52:54:00:12:34:6@",
	        "net-nic 52:54:00:12:34:6`",
	        "net-ip",
	        "net-port 0",
	        "net-port 65536",
	        "net-port http",
	        "net-may",
	        "net-may all",
	        "net-may read,metrics",
	        "net-may metrics,",
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(texts); i++) {
		struct nl_conf c, as_if = NL_CONF_DEFAULTS;

		snprintf(text, sizeof(text), "#\r\n\n%s\n#", texts[i]);
		c = parse(text);
		as_if.wrong = 3;
		if (memcmp(&c, &as_if, sizeof(c)) != 0)
			fail_msg("not refused as it should be: %s", texts[i]);
	}
}

static void test_cards(void **state)
{
	struct nl_conf c = parse("net-nic 52:aF:00:12:34:56");

	(void)state;
	assert_true(c.net.nic.said);
	assert_int_equal(c.net.nic.function, 0);
	assert_memory_equal(c.net.nic.mac, "\x52\xaf\x00\x12\x34\x56", 6);
	c = parse("net-nic fE:1F.7\n");
	assert_int_equal(c.net.nic.function, 0xfeff);
	c = parse("net-nic 00:00.1\n");
	assert_int_equal(c.net.nic.function, 1);
	c = parse("net-nic 00:05.0\nnet-nic 00:05.9\n"); /* of what is wrong nothing stays */
	assert_int_equal(c.net.nic.function, 0x28);
	assert_int_equal(c.wrong, 2);
}

static void test_unknown(void **state)
{
	static const char *const texts[] = {"mgmt-ip 10.0.0.1", "Next \\x", "nextt \\x", "nex \\x", "x"};
	struct nl_conf c;
	char text[64];

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(texts); i++) {
		struct nl_conf as_if = NL_CONF_DEFAULTS;

		snprintf(text, sizeof(text), "#\r\n\n%s\n#", texts[i]);
		c = parse(text);
		as_if.unknown = 3;
		if (memcmp(&c, &as_if, sizeof(c)) != 0)
			fail_msg("not ignored as it should be: %s", texts[i]);
	}
	/* What is no text is an error, whatever it might mean: a byte order mark, UTF-16, a control character. */
	assert_int_equal(parse("\xef\xbb\xbfnext \\x").wrong, 1);
	assert_int_equal(parse_n("n\0e\0x\0t\0", 8).wrong, 1);
	assert_int_equal(parse_n("\0launch no", 10).wrong, 1);
	assert_int_equal(parse("\n\x1b[2Jnext x").wrong, 2);
	/* Each of them is told, the last of its kind. */
	c = parse("a\non-error x\nb\nboot-tries x\nlaunch no\n");
	assert_int_equal(c.unknown, 3);
	assert_int_equal(c.wrong, 4);
	assert_int_equal(c.no_launch, 1);
}

static void test_limits(void **state)
{
	static char text[4096];
	struct nl_conf c;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "options ", 8);
	c = parse_n(text, 8 + 2047);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(strlen(c.options), 2047);
	assert_int_equal(parse_n(text, 8 + 2048).wrong, 1);
	memcpy(text, "next \\", 6);
	c = parse_n(text, 5 + 255);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(strlen(c.next), 255);
	assert_int_equal(parse_n(text, 5 + 256).wrong, 1);
	assert_int_equal(parse_n("next \\a\0b", 9).wrong, 1);
	memcpy(text, "net-ip6 ", 8);
	c = parse_n(text, 8 + 95);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(strlen(c.net.ip6), 95);
	assert_int_equal(parse_n(text, 8 + 96).wrong, 1);
}

/* Every prefix of a good file, and the file with every byte replaced by some nasty ones: nothing is read or written out
 * of bounds. */
static void test_any_text(void **state)
{
	static const char good[] =
	        "next \\EFI\\x.efi\r\noptions a b\non-error halt\nguest-may apply\nconsole com4\ndeadline-ms 9\n"
	        "net-nic 00:05.0\nnet-nic 52:54:00:12:34:56\n# x\n";
	static const char nasty[] = {0, '\n', '\r', ' ', '#', '\\', 0x7f, (char)0x80, (char)0xff, '9'};
	char text[sizeof(good)];

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++)
		parse_n(good, n);
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (size_t k = 0; k < sizeof(nasty); k++) {
			struct nl_conf c;

			memcpy(text, good, sizeof(good));
			text[i] = nasty[k];
			c = parse_n(text, sizeof(good) - 1);
			assert_non_null(memchr(c.next, 0, sizeof(c.next)));
			assert_non_null(memchr(c.options, 0, sizeof(c.options)));
			assert_true(c.deadline_ms <= 10000);
			assert_true(c.console <= 4);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_empty_means_defaults),
	        cmocka_unit_test(test_every_key),
	        cmocka_unit_test(test_values),
	        cmocka_unit_test(test_malformed),
	        cmocka_unit_test(test_cards),
	        cmocka_unit_test(test_unknown),
	        cmocka_unit_test(test_limits),
	        cmocka_unit_test(test_any_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
