// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf.conf: what is accepted, what is a warning, what is an error; and that no text can do harm.
 */
// sources: efi/conf.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <newleaf/bootblock.h>

#include "conf.h"

struct said {
	unsigned errors, warnings, line;
	char key[64];
};

static void report(void *ctx, bool error, unsigned line, const char *key, const char *what)
{
	struct said *s = ctx;

	assert_true(strlen(what) > 0);
	assert_true(strlen(key) < sizeof(s->key));
	*(error ? &s->errors : &s->warnings) += 1;
	s->line = line;
	strcpy(s->key, key);
}

/* The text goes into memory of exactly its size, so that ASan sees one byte read too far. */
static struct nl_conf parse_n(const char *text, size_t n, struct said *said)
{
	struct nl_conf conf;
	char *exact = malloc(n ? n : 1);
	unsigned errors;

	memcpy(exact, text, n);
	memset(said, 0, sizeof(*said));
	nl_conf_defaults(&conf);
	errors = nl_conf_parse(&conf, exact, n, report, said);
	free(exact);
	assert_int_equal(errors, said->errors);
	return conf;
}

static struct nl_conf parse(const char *text, struct said *said) { return parse_n(text, strlen(text), said); }

static void test_empty_means_defaults(void **state)
{
	struct said s;
	struct nl_conf c = parse("", &s);

	(void)state;
	assert_string_equal(c.next, "");
	assert_string_equal(c.options, "");
	assert_false(c.halt_on_error || c.no_launch || c.deadline_ms || c.console_port);
	assert_int_equal(c.guest_may, NL_CONF_UNSAID);
	assert_int_equal(c.boot_tries, 2);
	assert_int_equal(s.errors + s.warnings, 0);
}

static void test_every_key(void **state)
{
	struct said s;
	struct nl_conf c = parse("\xef\xbb\xbf# comment with umlaut \xc3\xa4\r\n"
	                         "next\t/EFI/debian/grubx64.efi\r\n"
	                         "  options   initrd=\\initrd.img console=ttyS0 \tquiet \t\r\n"
	                         "\r\n"
	                         "on-error halt\n"
	                         "guest-may apply\n"
	                         "console 0x2e8\n"
	                         "deadline-ms 250\n"
	                         "boot-tries 0\n"
	                         "launch no",
	                         &s);

	(void)state;
	assert_string_equal(c.next, "\\EFI\\debian\\grubx64.efi");
	assert_string_equal(c.options, "initrd=\\initrd.img console=ttyS0 \tquiet");
	assert_true(c.halt_on_error);
	assert_true(c.no_launch);
	assert_int_equal(c.guest_may, NL_GUEST_MAY_APPLY);
	assert_int_equal(c.console_port, 0x2e8);
	assert_int_equal(c.deadline_ms, 250);
	assert_int_equal(c.boot_tries, 0);
	assert_int_equal(s.errors + s.warnings, 0);
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
	        {"guest-may revert,apply", NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT},
	};
	static const struct {
		const char *text;
		unsigned port;
	} console[] = {
	        {"console none", 0},        {"console com1", 0x3f8}, {"console com2", 0x2f8},
	        {"console 0XFFF8", 0xfff8}, {"console 0x1", 1},
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(may); i++)
		assert_int_equal(parse(may[i].text, &s).guest_may, may[i].may);
	for (size_t i = 0; i < NL_ARRAY_SIZE(console); i++)
		assert_int_equal(parse(console[i].text, &s).console_port, console[i].port);
	assert_int_equal(parse("deadline-ms 1", &s).deadline_ms, 1);
	assert_int_equal(parse("deadline-ms 10000", &s).deadline_ms, 10000);
	assert_int_equal(s.errors, 0);
}

/* A malformed value is one error, names its key, and leaves the field alone. */
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
	        "guest-may apply, revert",
	        "console",
	        "console com",
	        "console com3",
	        "console 0x",
	        "console 0x0",
	        "console 0xfff9",
	        "console 0x100000000",
	        "console 1016",
	        "console 0x3g8",
	        "deadline-ms 0",
	        "deadline-ms 10001",
	        "deadline-ms -1",
	        "deadline-ms 1s",
	        "deadline-ms 4294967297",
	        "deadline-ms 18446744073709551617",
	        "deadline-ms",
	        "boot-tries 101",
	        "boot-tries two",
	        "launch maybe",
	};
	struct nl_conf defaults;

	(void)state;
	nl_conf_defaults(&defaults);
	for (size_t i = 0; i < NL_ARRAY_SIZE(texts); i++) {
		struct said s;
		struct nl_conf c = parse(texts[i], &s);

		if (s.errors != 1 || s.warnings != 0 || memcmp(&c, &defaults, sizeof(c)) != 0)
			fail_msg("not refused as it should be: %s", texts[i]);
		assert_int_equal(strncmp(texts[i], s.key, strlen(s.key)), 0);
		assert_int_equal(s.line, 1);
	}
}

static void test_warnings(void **state)
{
	struct said s;
	struct nl_conf c;

	(void)state;
	parse("mgmt-nic 02:00\nmgmt-ip 10.0.0.1", &s);
	assert_int_equal(s.warnings, 2);
	assert_int_equal(s.errors, 0);
	parse("\n\nnextt \\x", &s);
	assert_int_equal(s.warnings, 1);
	assert_int_equal(s.line, 3);
	assert_string_equal(s.key, "nextt");
	parse("Next \\x", &s);
	assert_int_equal(s.warnings, 1);
	c = parse("on-error halt\non-error boot", &s);
	assert_false(c.halt_on_error);
	assert_int_equal(s.warnings, 1);
	/* A key that cannot be shown, and one without end, are shown in part. */
	parse("\x1b[2Jnext x", &s);
	assert_string_equal(s.key, "?[2Jnext");
	parse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &s);
	assert_int_equal(strlen(s.key), 31);
}

static void test_limits(void **state)
{
	static char text[4096];
	struct said s;
	struct nl_conf c;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "options ", 8);
	c = parse_n(text, 8 + 2047, &s);
	assert_int_equal(s.errors, 0);
	assert_int_equal(strlen(c.options), 2047);
	parse_n(text, 8 + 2048, &s);
	assert_int_equal(s.errors, 1);
	memcpy(text, "next \\", 6);
	c = parse_n(text, 5 + 255, &s);
	assert_int_equal(s.errors, 0);
	assert_int_equal(strlen(c.next), 255);
	parse_n(text, 5 + 256, &s);
	assert_int_equal(s.errors, 1);
	parse_n("next \\a\0b", 9, &s);
	assert_int_equal(s.errors, 1);
}

/* Every prefix of a good file, and the file with every byte replaced by some nasty ones: nothing is read or written out
 * of bounds. */
static void test_any_text(void **state)
{
	static const char good[] =
	        "next \\EFI\\x.efi\r\noptions a b\non-error halt\nguest-may apply\nconsole 0x3f8\ndeadline-ms 9\n# x\n";
	static const char nasty[] = {0, '\n', '\r', ' ', '#', '\\', 0x7f, (char)0x80, (char)0xff, '9'};
	char text[sizeof(good)];
	struct said s;

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++)
		parse_n(good, n, &s);
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (size_t k = 0; k < sizeof(nasty); k++) {
			struct nl_conf c;

			memcpy(text, good, sizeof(good));
			text[i] = nasty[k];
			c = parse_n(text, sizeof(good) - 1, &s);
			assert_non_null(memchr(c.next, 0, sizeof(c.next)));
			assert_non_null(memchr(c.options, 0, sizeof(c.options)));
			assert_true(c.deadline_ms <= 10000);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_empty_means_defaults),
	        cmocka_unit_test(test_every_key),
	        cmocka_unit_test(test_values),
	        cmocka_unit_test(test_malformed),
	        cmocka_unit_test(test_warnings),
	        cmocka_unit_test(test_limits),
	        cmocka_unit_test(test_any_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
