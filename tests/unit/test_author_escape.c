// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/escape.c tools/author/author.c tests/unit/author_refuse.c
// cflags: -Itools/author
/* What may reach a terminal and a reader of JSON, and in which form the rest does. */
#include "author_refuse.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_terminal(void **state)
{
	static const char *const pairs[][2] = {
	        {"", ""},
	        {"C:\\dir \"x\" ~", "C:\\dir \"x\" ~"},
	        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xbf",
	         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xbf"},
	        {"\x1b[2J\n\r\t\b\x7f", "\\x1b[2J\\x0a\\x0d\\x09\\x08\\x7f"},
	        {"\xc2\x9b"
	         "31m",
	         "\\xc2\\x9b31m"}, /* CSI as one character */
	        {"\x9b"
	         "31m",
	         "\\x9b31m"},
	        {"a\xe2\x80\xae"
	         "b",
	         "a\\xe2\\x80\\xaeb"}, /* right to left from here */
	        {"\xe2\x81\xa6\xef\xbb\xbf\xe2\x80\xa8", "\\xe2\\x81\\xa6\\xef\\xbb\\xbf\\xe2\\x80\\xa8"},
	        {"\xc0\x9b\xe0\x82\x9b\xf0\x80\x82\x9b",
	         "\\xc0\\x9b\\xe0\\x82\\x9b\\xf0\\x80\\x82\\x9b"}, /* too long */
	        {"\xed\xa0\x80\xf4\x90\x80\x80\xff", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xff"},
	        {"\xe2\x82", "\\xe2\\x82"}, /* cut short */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(escape(pairs[i][0], FOR_TERMINAL), pairs[i][1]);
}

/* What another program says keeps its lines, and is as long as it says. */
static void test_lines(void **state)
{
	static const char said[] = "f.c:1:\tno(); /* \x1b]0;owned\a\x1b[31m */\r\n\n\tgr\xc3\xbc\xc3\x9f\0\x9b\n";
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	escape_lines(f, said, sizeof(said) - 1);
	escape_lines(f, "cut\nhere", 5);
	escape_lines(f, NULL, 0);
	fclose(f);
	assert_string_equal(text, "f.c:1:\tno(); /* \\x1b]0;owned\\x07\\x1b[31m */\\x0d\n\n\tgr\xc3\xbc\xc3\x9f"
	                          "\\x00\\x9b\ncut\nh");
	free(text);
}

static void test_json(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	json_string(f, "\"\\/\x01\x1b\n\x7f\xc2\x9b\xe2\x80\xae\xc3\xbc\xff\xe2\x82");
	fclose(f);
	assert_string_equal(text,
	                    "\"\\\"\\\\/\\u0001\\u001b\\u000a\\u007f\\u009b\\u202e\xc3\xbc\\ufffd\\ufffd\\ufffd\"");
	free(text);
}

/* Any bytes: what comes out has no control character, and no byte is read behind the end (ASan). */
static void test_any(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = (size_t)random() % 12;
		char *exact = malloc(n + 1), *out;

		for (size_t i = 0; i < n; i++)
			exact[i] = (char)(random() % 255 + 1);
		exact[n] = 0;
		out = escape(exact, round & 1 ? FOR_JSON : FOR_TERMINAL);
		for (const uint8_t *p = (const uint8_t *)out; *p; p++) {
			assert_true(*p >= 0x20 && *p != 0x7f);
			assert_false(p[0] == 0xc2 && p[1] < 0xa0);
		}
		free(out);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_terminal),
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_json),
	        cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
