// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_object.c tools/author/patch_homes.c tools/author/patch_compare.c
// sources: tools/author/patch_kind.c tools/author/patch_lists.c tools/author/code.c tools/author/author.c
// sources: tests/unit/author_refuse.c
// libs: -lelf -lZydis
// cflags: -Itools/author
/* What a patch changes of lists that the linker gathers, with and without symbols: objects of our own. */
#include "author_refuse.h"
#include "patch_lists.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/newleaf-lists.XXXXXX";

static const struct unit *compiled(const char *name, const char *text)
{
	char *source = xformat("%s/%s.c", directory, name), *object = xformat("%s/%s.o", directory, name);
	const struct unit *u;
	int status;
	pid_t pid;

	file_write(source, text, strlen(text), 0600);
	pid = fork();
	if (!pid) {
		execlp("gcc-12", "gcc-12", "-O2", "-fno-pie", "-mcmodel=kernel", "-fno-asynchronous-unwind-tables",
		       "-ffunction-sections", "-fdata-sections", "-w", "-c", "-o", object, source, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	u = unit_read(object);
	unlink(source);
	unlink(object);
	return u;
}

/* As the kernel's headers make them: EARLY and LATE for initcalls, QUIRK for devices, PARAM, NOPROBE, SET and ID. */
#define HEAD \
	"#define IN(s) __attribute__((used, section(s)))\n" \
	"#define CALL(level, f) asm(\".pushsection .initcall\" #level \".init, \\\"a\\\"\\n__initcall__\" #f \":\\n\"" \
	" \".long \" #f \" - .\\n.popsection\")\n" \
	"#define QUIRK(vendor, f) asm(\".pushsection .pci_fixup_resume, \\\"a\\\"\\n.balign 16\\n.short \" #vendor" \
	" \", 7\\n.long 0, 0\\n.long \" #f \" - .\\n.popsection\")\n" \
	"#define ID(f, line, flags) asm(\".pushsection .BTF_ids, \\\"a\\\"\\n.local __BTF_ID__func__\" #f \"__\" " \
	"#line" \
	" \"\\n.type __BTF_ID__func__\" #f \"__\" #line \", STT_OBJECT\\n.size __BTF_ID__func__\" #f \"__\" #line" \
	" \", 4\\n__BTF_ID__func__\" #f \"__\" #line \": .zero 4\\n.long \" #flags \"\\n.popsection\")\n" \
	"#define NOPROBE(f) static unsigned long IN(\"_kprobe_blacklist\") _kbl_addr_##f = (unsigned long)f\n" \
	"struct param { const char *name; int mode; };\n" \
	"#define PARAM(n, m) static const struct param IN(\"__param\") __param_##n = {#n, m}\n" \
	"#define EVENT(n) static const void *IN(\"_ftrace_events\") __event_##n = &__event_##n\n" \
	"#define BUG(f, n) int f(int a) { if (a) asm volatile(\"1: ud2\\n.pushsection __bug_table, \\\"aw\\\"\\n" \
	".long 1b - .\\n.word \" #n \"\\n.popsection\"); return a; }\n" \
	"int f(int a) { return a; }\nint g(int a) { return a + 1; }\n"
#define BODY(text) "asm(\".pushsection .text\\nby_hand: \" \"" text "\" \"\\n ret\\n.popsection\");\n"

/* Says `text`, alone or as one of several; NULL: nothing changes. */
static void says(const char *before, const char *after, const char *text, bool tracing)
{
	const struct comparison *c = unit_compare(compiled("before", xformat("%s%s", HEAD, before)),
	                                          compiled("after", xformat("%s%s", HEAD, after)));
	struct list_change *change;
	size_t n = lists_changes(c, &change);
	bool said = !text && !n;

	for (size_t i = 0; i < n && text; i++)
		said |= strstr(change[i].what, text) && change[i].tracing == tracing;
	if (!said)
		fail_msg("%s\n-> %s\nwanted: %s; said: %s", before, after, text ? text : "nothing",
		         n ? change[0].what : "nothing");
}

static void test_without_symbols(void **state)
{
	static const char call[] = "the list .initcall6.init, whose entries asm() makes, changes";
	static const char quirk[] = "the list .pci_fixup_resume, whose entries asm() makes, changes";

	(void)state;
	says("CALL(6, f);", "\n\n\nCALL(6, f);", NULL, false);
	says("CALL(6, f);", "CALL(6, f); int h(void) { return 3; }", NULL, false);
	says("", "CALL(6, f);", call, false);
	says("CALL(6, f);", "", call, false);
	says("CALL(6, f);", "CALL(4, f);", call, false);
	says("CALL(6, f);", "CALL(6, g);", call, false);
	says("CALL(6, f);", "CALL(6, f);CALL(6, g);", call, false);
	says("QUIRK(1, f);QUIRK(2, g);", "QUIRK(1, f);QUIRK(2, g);", NULL, false);
	says("QUIRK(1, f);QUIRK(2, g);", "QUIRK(1, f);QUIRK(3, g);", quirk, false);
	says("QUIRK(1, f);QUIRK(2, g);", "QUIRK(1, f);QUIRK(2, f);", quirk, false);
	says("QUIRK(1, f);", "QUIRK(1, f);QUIRK(2, f);", quirk, false);
}

static void test_with_symbols(void **state)
{
	(void)state;
	says("PARAM(time, 0644);", "PARAM(time, 0644);", NULL, false);
	says("PARAM(time, 0644);", "PARAM(time, 0400);", "__param_time, an entry of the list __param, changes", false);
	says("PARAM(time, 0644);", "", "__param_time, an entry of the list __param, goes", false);
	says("", "PARAM(time, 0644);", "__param_time, an entry of the list __param, comes", false);
	says("EVENT(a);", "EVENT(a);EVENT(b);", "an entry of the list _ftrace_events, comes", true);
}

/* What names a function: of no meaning for one that was not there before, or is no longer. */
static void test_named_functions(void **state)
{
	(void)state;
	says("NOPROBE(f);", "NOPROBE(f);", NULL, false);
	says("", "NOPROBE(f);", "_kbl_addr_f, an entry of the list _kprobe_blacklist, comes", false);
	says("NOPROBE(f);", "", "_kbl_addr_f, an entry of the list _kprobe_blacklist, goes", false);
	says("", "int h(int a) { return a * 3; } NOPROBE(h);", NULL, false);
	says("int h(int a) { return a * 3; } NOPROBE(h);", "", NULL, false);
}

/* Numbers that the build fills in by the symbols' names, with flags between them. */
static void test_ids(void **state)
{
	static const char set[] = "the list .BTF_ids, whose entries asm() makes, changes";

	(void)state;
	says("ID(f, 12, 0);ID(g, 13, 3);", "\n\nID(f, 14, 0);ID(g, 15, 3);", NULL, false);
	says("ID(f, 12, 0);ID(g, 13, 3);", "ID(f, 12, 0);ID(g, 13, 7);", set, false);
	says("ID(f, 12, 0);", "ID(f, 12, 0);ID(g, 13, 0);", set, false);
	says("ID(f, 12, 0);ID(g, 13, 0);", "ID(f, 12, 0);", set, false);
	says("ID(f, 12, 0);", "ID(g, 12, 0);", set, false);
}

static void test_asm(void **state)
{
	(void)state;
	says(BODY("nop"), BODY("nop"), NULL, false);
	says(BODY("nop"), BODY("int3"), "by_hand, which asm() defines outside of functions, changes", false);
	says(BODY("call f"), BODY("call g"), "by_hand, which asm() defines outside of functions, changes", false);
	says(BODY("call f"), BODY("call f") "int h(void) { return 1; }", NULL, false);
	says("", BODY("nop"), "by_hand, which asm() defines outside of functions, comes", false);
	says(BODY("nop"), "", "by_hand, which asm() defines outside of functions, goes", false);
}

/* Where a fault of it continues. */
static void test_tables_of_asm(void **state)
{
#define FAULT(to) \
	BODY("1: nop\\n 2: int3\\n 3: nop\\n .pushsection __ex_table, \\\"a\\\"\\n .long 2b - ., " to \
	     " - .\\n.popsection")

	(void)state;
	says(FAULT("1b"), FAULT("1b") "int h(void) { return 1; }", NULL, false);
	says(FAULT("1b"), FAULT("3b"), "by_hand, which asm() defines outside of functions, changes", false);
	says(FAULT("1b"), BODY("1: nop\\n 2: int3\\n 3: nop"), "by_hand, which asm() defines", false);
}

/* An entry that leads to what asm() names. */
static void test_labels(void **state)
{
#define NAMED(text) \
	"asm(\".pushsection .named, \\\"a\\\"\\n.quad name\\n.popsection\\n.pushsection names, \\\"aMS\\\", " \
	"@progbits, 1" \
	"\\nname: .asciz \\\"" text "\\\"\\n.popsection\");\n"
#define BY_HAND "asm(\".pushsection .hands, \\\"a\\\"\\n.quad by_hand\\n.popsection\");\n"

	(void)state;
	says(NAMED("a"), NAMED("a") "const char *h(void) { return \"a\"; }", NULL, false);
	says(NAMED("a"), NAMED("b"), "the list .named, whose", false);
	says(BODY("nop") BY_HAND, BODY("nop") BY_HAND "int h(void) { return 1; }", NULL, false);
}

/* What is made inside of functions changes with them, and is no list. */
static void test_of_code(void **state)
{
	(void)state;
	says("BUG(h, 1)", "BUG(h, 2)BUG(i, 1)", NULL, false);
	says("const char *h(void) { return \"a\"; }", "const char *h(void) { return \"b\"; }", NULL, false);
	says("const int t[2] = {1, 2};", "const int t[2] = {1, 3};", NULL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_without_symbols),
	        cmocka_unit_test(test_with_symbols),
	        cmocka_unit_test(test_named_functions),
	        cmocka_unit_test(test_ids),
	        cmocka_unit_test(test_asm),
	        cmocka_unit_test(test_tables_of_asm),
	        cmocka_unit_test(test_labels),
	        cmocka_unit_test(test_of_code),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests_name("author_lists", tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
