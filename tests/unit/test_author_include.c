// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_include.c tools/author/patch_sources.c tools/author/patch_kbuild.c
// sources: tools/author/patch_strays.c tools/author/patch_scripts.c tools/author/patch_diff.c tools/author/patch_cves.c
// sources: tools/author/patch_names.c tools/author/patch_glue.c tools/author/author.c tests/unit/author_refuse.c
// cflags: -Itools/author
/* Whom a changed header concerns, in a small tree of sources and headers that a build has made. */
#include "author_refuse.h"
#include "patch_include.h"
#include "patch_scripts.h"
#include "patch_strays.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct tree t;

static void put(const char *root, const char *path, const char *text)
{
	char *place = xformat("%s/%s", root, path);

	for (char *p = place + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(place, 0700);
	}
	file_write(place, text, strlen(text), 0600);
}

static void source(const char *path, const char *text) { put(t.source, path, text); }

static int setup(void **state)
{
	char *work = xformat("/tmp/newleaf-include.XXXXXX");

	(void)state;
	if (!mkdtemp(work))
		return 1;
	t = (struct tree){.source = xformat("%s/src", work), .output = xformat("%s/obj", work), .work = work};
	put(t.output, "include/config/auto.conf", "CONFIG_ON=y\n");
	source("Makefile", "obj-y += fs/ lib/\n");
	source("lib/Makefile", "obj-y += one.o other.o\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return system(xformat("rm -rf %s", t.work));
}

#define AT_MOST (INCLUDE_UNITS_MAX + 8)

/* The units, each before a blank. */
static char *found(const char *path, const char *before, const char *after)
{
	struct include_header h = {xformat("%s", path), before ? xformat("%s", before) : NULL, xformat("%s", after)};
	struct sources *all = sources_read(&t, kbuild_open(&t));
	char **list = xalloc(AT_MOST * sizeof(*list)), *text = xformat("%s", "");
	size_t n = 0, many = include_find(all, &h, 1, list, &n);

	if (many)
		return xformat("%zu", many);
	for (size_t i = 0; i < n; i++)
		text = xformat("%s%s ", text, list[i]);
	return text;
}

#define ONE "static inline int one(void)\n{\n\treturn 1;\n}\n"
#define TWO "static inline int one(void)\n{\n\treturn 2;\n}\n"

static void test_wrappers_of_the_build(void **state)
{
	(void)state;
	put(t.output, "arch/x86/include/generated/asm/odd.h", "#include <asm-generic/odd.h>\n");
	source("include/asm-generic/odd.h", ONE);
	source("lib/one.c", "#include <asm/odd.h>\nint f(void)\n{\n\treturn one();\n}\n");
	source("lib/other.c", "#include <asm/odd.h>\nint g(void)\n{\n\treturn 0;\n}\n");
	assert_string_equal(found("include/asm-generic/odd.h", ONE, TWO), "lib/one.c ");
}

/* A function of a header that another one of the same header uses. */
static void test_within_the_header(void **state)
{
#define BOTH "static inline int both(void)\n{\n\treturn one() + 1;\n}\n"
	(void)state;
	source("include/linux/a.h", ONE BOTH);
	source("lib/one.c", "#include <linux/a.h>\nint f(void)\n{\n\treturn both();\n}\n");
	source("lib/other.c", "#include <linux/a.h>\nint g(void)\n{\n\treturn 0;\n}\n");
	assert_string_equal(found("include/linux/a.h", ONE BOTH, TWO BOTH), "lib/one.c ");
}

/* A new header whose name is included already takes another's place; of one that nobody includes, nothing is meant. */
static void test_new_headers(void **state)
{
	(void)state;
	put(t.output, "arch/x86/include/generated/asm/odd.h", "#include <asm-generic/odd.h>\n");
	source("include/asm-generic/odd.h", ONE);
	source("lib/one.c", "#include <asm/odd.h>\nint f(void)\n{\n\treturn one();\n}\n");
	source("lib/other.c", "int g(void)\n{\n\treturn one();\n}\n");
	assert_true(AUTHOR_REFUSES(NL_EUNSUPPORTED, found("arch/x86/include/asm/odd.h", NULL, TWO)));
	assert_non_null(strstr(author_why, "lib/one.c includes another of this name already"));
	assert_string_equal(found("include/linux/newer.h", NULL, TWO), "");
}

/* Where a patch lets a header include another, whoever reads the one reads the other. */
static void test_what_comes_in(void **state)
{
	struct include_header h[] = {{xformat("include/linux/a.h"), xformat(" "), xformat("#include <linux/b.h>\n")},
	                             {xformat("include/linux/b.h"), NULL, xformat(ONE)}};
	char *list[AT_MOST];
	size_t n = 0;

	(void)state;
	source("include/linux/a.h", " ");
	source("lib/one.c", "#include <linux/a.h>\nint f(void)\n{\n\treturn one();\n}\n");
	source("lib/other.c", "#include <linux/a.h>\n");
	assert_int_equal(include_find(sources_read(&t, kbuild_open(&t)), h, 2, list, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0], "lib/one.c");
}

/* Every source is compiled with these before its first line. */
static void test_what_the_compiler_includes(void **state)
{
	(void)state;
	source("include/linux/compiler_types.h", "#define NL 1\n");
	source("lib/one.c", "int f = NL;\n");
	assert_string_equal(found("include/linux/compiler_types.h", "#define NL 1\n", "#define NL 2\n"), "lib/one.c ");
}

/* A source that others include, of another directory and over several steps: it is they who are compiled. */
static void test_included_sources(void **state)
{
	(void)state;
	source("fs/Makefile", "obj-y += sub/\n");
	source("fs/sub/Makefile", "obj-y += all.o\n");
	source("fs/part.c", "#include <linux/a.h>\nint f(void)\n{\n\treturn one();\n}\n");
	source("fs/sub/some.c", "# include \"../part.c\"\n");
	source("fs/sub/all.c", "# include \"some.c\"\n");
	source("include/linux/a.h", ONE);
	assert_non_null(strstr(found("include/linux/a.h", ONE, TWO), "fs/sub/all.c "));
	assert_string_equal(sources_whole(sources_read(&t, kbuild_open(&t)), "fs/sub/some.c"), "fs/sub/all.c");
	assert_null(sources_whole(sources_read(&t, kbuild_open(&t)), "fs/sub/all.c"));
}

/* What a makefile assigns anew is all that counts, unless a condition stands around it. */
static void test_assigned_anew(void **state)
{
	struct kbuild *k;

	(void)state;
	source("fs/Makefile", "obj-y += p.o q.o\np-y := nommu.o other.o\np-$(CONFIG_ON)\t:= mmu.o\np-y += more.o\n"
	                      "ifdef CONFIG_NO\nq-y := a.o\nelse\nq-y := b.o\nendif\nq-$(CONFIG_NO) := c.o\n");
	k = kbuild_open(&t);
	assert_false(kbuild_may_build(k, "fs/nommu.c") || kbuild_may_build(k, "fs/other.c"));
	assert_true(kbuild_may_build(k, "fs/mmu.c") && kbuild_may_build(k, "fs/more.c"));
	assert_true(kbuild_may_build(k, "fs/a.c") && kbuild_may_build(k, "fs/b.c"));
	assert_false(kbuild_may_build(k, "fs/c.c"));
}

/* An else belongs to the condition whose endif is still to come. */
static void test_assigned_in_the_other_branch(void **state)
{
	struct kbuild *k;

	(void)state;
	source("fs/Makefile", "obj-y += p.o q.o r.o s.o\n"
	                      "ifdef CONFIG_ON\nifdef CONFIG_ON\np-y := a.o\nendif\nelse\np-y := b.o\nendif\n"
	                      "q-y := c.o\nq-y := $(q-y) d.o\n"
	                      "ifdef CONFIG_ON\nr-y := e.o\nelse ifdef CONFIG_NO\nifdef CONFIG_NO\nendif\n"
	                      "r-y := f.o\nendif\n"
	                      "ifdef CONFIG_ON\ns-y := g.o\nelse\nendif\ns-y := h.o\n");
	k = kbuild_open(&t);
	assert_true(kbuild_may_build(k, "fs/a.c") && kbuild_may_build(k, "fs/b.c"));
	assert_true(kbuild_may_build(k, "fs/c.c") && kbuild_may_build(k, "fs/d.c"));
	assert_true(kbuild_may_build(k, "fs/e.c") && kbuild_may_build(k, "fs/f.c"));
	assert_false(kbuild_may_build(k, "fs/g.c"));
	assert_true(kbuild_may_build(k, "fs/h.c"));
}

/* A directory of drivers that only another architecture's makefiles name. */
static void test_of_another_architecture(void **state)
{
	struct kbuild *k;

	(void)state;
	source("drivers/Makefile", "obj-y += one/\n");
	source("arch/s390/Kbuild", "obj-y += kernel/\n");
	source("arch/s390/Makefile",
	       "drivers-y += drivers/s390/ drivers/both/\nlibs-y += $(objtree)/drivers/far/lib.a\n");
	source("arch/x86/Kbuild", "obj-y += kernel/\n");
	source("arch/x86/Makefile", "drivers-$(CONFIG_NO) += drivers/both/\n");
	source("drivers/s390/Makefile", "obj-y += char/\n");
	source("drivers/s390/char/Makefile", "obj-y += sd.o\n");
	source("drivers/s390/char/sd.c", "#include <linux/a.h>\nint f(void)\n{\n\treturn one();\n}\n");
	source("drivers/both/both.c", "#include <linux/a.h>\nint f(void)\n{\n\treturn one();\n}\n");
	source("include/linux/a.h", ONE);
	k = kbuild_open(&t);
	assert_false(kbuild_may_build(k, "drivers/s390/char/sd.c"));
	assert_true(kbuild_may_enter(k, "drivers/one") && kbuild_may_enter(k, "drivers/both"));
	assert_true(kbuild_may_enter(k, "drivers/far") && kbuild_may_enter(k, "drivers/nobody"));
	assert_string_equal(found("include/linux/a.h", ONE, TWO), "drivers/both/both.c ");
}

/* $(BITS) of the kernel's makefiles is 64. */
static void test_of_32_bits(void **state)
{
	struct kbuild *k;

	(void)state;
	source("arch/x86/kernel/Makefile", "obj-y += process_$(BITS).o head$(BITS).o signal_$(BITS).o\n"
	                                   "obj-$(CONFIG_ON) += signal_32.o\nobj-$(CONFIG_NO) += numa_$(BITS).o\n");
	k = kbuild_open(&t);
	assert_false(kbuild_may_build(k, "arch/x86/kernel/process_32.c"));
	assert_false(kbuild_may_build(k, "arch/x86/kernel/head32.c"));
	assert_true(kbuild_may_build(k, "arch/x86/kernel/process_64.c"));
	assert_true(kbuild_may_build(k, "arch/x86/kernel/signal_32.c"));
	assert_false(kbuild_may_build(k, "arch/x86/kernel/numa_64.c") ||
	             kbuild_may_build(k, "arch/x86/kernel/numa_32.c"));
	assert_true(kbuild_may_build(k, "arch/x86/kernel/of_32.c"));
}

#define OPS "#define OPS(u)\t\\\nstatic inline int Page##u(int x)\t\\\n{\t\\\n\treturn x + %d;\t\\\n}\n"
#define CALLS "OPS(Buddy)\nOPS(Guard)\n\nextern int other(void);\n"

/* What macros declare is not followed name by name: whoever reads the header of such a call may use it. */
static void test_what_macros_declare(void **state)
{
	char *before = xformat(OPS "%s", 1, CALLS), *after = xformat(OPS "%s", 2, CALLS);

	(void)state;
	source("include/linux/flags.h", before);
	source("lib/one.c", "#include <linux/flags.h>\nint f(void)\n{\n\treturn PageBuddy(1);\n}\n");
	source("lib/other.c", "int g;\n");
	assert_string_equal(found("include/linux/flags.h", before, after), "lib/one.c ");
	assert_string_equal(found("include/linux/flags.h", before, xformat(OPS "%sOPS(More)\n", 1, CALLS)),
	                    "lib/one.c ");
	assert_string_equal(found("include/linux/flags.h", before, xformat("%s#pragma pack(1)\n", before)),
	                    "lib/one.c ");
	assert_string_equal(found("include/linux/flags.h", before, xformat("%sint more(void);\n", before)), "");
	assert_string_equal(found("include/linux/flags.h", before, xformat("%sDECLARE_PER_CPU(int, more);\n", before)),
	                    "");
	/* in a header on the way */
	source("include/linux/ops.h", xformat(OPS, 1));
	source("include/linux/flags.h", "#include <linux/ops.h>\n" CALLS);
	source("lib/other.c", "#include <linux/ops.h>\nint g;\n");
	assert_string_equal(found("include/linux/ops.h", xformat(OPS, 1), xformat(OPS, 2)), "lib/one.c ");
}

/* Files that lie elsewhere, or are no sources, of which the build makes code. */
static void test_strays(void **state)
{
	struct sources *all;

	(void)state;
	source("lib/Makefile", "obj-y += one.o relo.o other.o\n$(obj)/relo.o: $(srctree)/tools/lib/bpf/relo.c FORCE\n"
	                       "maps = $(src)/map.txt\n");
	source("fs/Makefile", "vpath %.c $(srctree)/fs:$(srctree)/tools/lib/iter\nobj-y += iter.o\n");
	source("tools/lib/bpf/Makefile", "obj-y += own.o\n");
	source("lib/one.c", "#include \"../tools/lib/bpf/relo.h\"\n#include \"../lib/notes.txt\"\n");
	source("fs/iter.c", "#include <linux/list.h>\n");
	all = sources_read(&t, kbuild_open(&t));
	assert_true(AUTHOR_REFUSES(NL_EUNSUPPORTED, stray_check(all, "tools/lib/bpf/relo.c")));
	assert_non_null(strstr(author_why, "the makefile of lib makes code"));
	assert_true(AUTHOR_REFUSES(NL_EUNSUPPORTED, stray_check(all, "tools/lib/iter/iter.c")));
	assert_true(AUTHOR_REFUSES(NL_EUNSUPPORTED, stray_check(all, "lib/map.txt")));
	assert_true(AUTHOR_REFUSES(NL_EUNSUPPORTED, stray_check(all, "tools/lib/bpf/relo.h")));
	assert_non_null(strstr(author_why, "lib/one.c includes it"));
	stray_check(all, "tools/lib/bpf/own.c");
	stray_check(all, "tools/lib/bpf/other.c");
	stray_check(all, "tools/include/linux/list.h");
	stray_check(all, "lib/readme.txt");
	stray_check(all, "fs/map.txt");
}

/* A source that is built a second time, for a blob. */
static void test_copies(void **state)
{
	struct sources *all;

	(void)state;
	source("arch/x86/Kbuild", "obj-$(CONFIG_ON) += purgatory/\nobj-$(CONFIG_NO) += realmode/\n");
	source("arch/x86/purgatory/Makefile", "purgatory-y := sha.o one.o\n$(obj)/sha.o: $(srctree)/lib/sha.c FORCE\n");
	source("arch/x86/realmode/rm/Makefile", "$(obj)/two.o: $(srctree)/lib/two.c FORCE\n");
	source("lib/one.c", "int f;\n");
	all = sources_read(&t, kbuild_open(&t));
	assert_non_null(strstr(stray_copy(all, "lib/sha.c"), "arch/x86/purgatory has a copy of its own"));
	assert_null(stray_copy(all, "lib/one.c"));
	assert_null(stray_copy(all, "lib/two.c"));
}

/* What a script or a program of the build would make of the patched header; lines: "-a\n+b\n". */
static char *made_of(const char *path, const char *lines)
{
	struct buf b = {0};
	unsigned old = 0, new = 0;
	char *text;

	for (const char *p = lines; *p; p += strcspn(p, "\n") + 1) {
		old += *p == '-';
		new += *p == '+';
	}
	text = xformat("--- a/%s\n+++ b/%s\n@@ -1,%u +1,%u @@\n%s", path, path, old, new, lines);
	buf_add(&b, text, strlen(text));
	return scripts_check(sources_read(&t, kbuild_open(&t)), diff_parse("x.patch", &b)->file);
}

static bool makes(const char *path, const char *lines, const char *by)
{
	return AUTHOR_REFUSES(NL_EUNSUPPORTED, made_of(path, lines)) && strstr(author_why, by);
}

static void test_scripts(void **state)
{
	(void)state;
	source("lib/Makefile",
	       "obj-y += one.o\n$(obj)/names.c: $(srctree)/include/linux/oid.h \\\n\t\t$(src)/names.pl\n"
	       "bits = $(src)/../include/asm/cpufeatures.h\n$(obj)/t.log: $(srctree)/include/linux/t.h\n"
	       "x = include/xen/xen*.h\nCFLAGS_one.o := -include $(srctree)/include/linux/always.h\n");
	source("lib/one.c", "int f;\n");
	source("include/linux/oid.h", "enum oid {\n\tOID_a,\n};\n");
	assert_true(makes("include/linux/oid.h", "-\tOID_a,\n+\tOID_b, /* 1.2 */\n", "the makefile of lib makes code"));
	assert_true(makes("include/linux/oid.h", "+\tOID_c,\n", "the makefile of lib"));
	assert_true(makes("include/linux/oid.h", "+#  define X 1\n", "the makefile of lib"));
	assert_true(makes("include/linux/oid.h", "-\t{ \"a\" },\n", "the makefile of lib"));
	assert_true(makes("include/xen/xen-sched.h", "-#define A 1\n+#define A 2\n", "the makefile of lib"));
	assert_null(made_of("include/linux/oid.h", "-extern int look(int a,\n+extern int look_up(int a,\n"));
	assert_null(made_of("include/linux/oid.h", "+\tif (a) {\n+\t\tb();\n+\t}\n"));
	assert_null(made_of("include/linux/other.h", "-#define A 1\n+#define A 2\n"));
	assert_null(made_of("include/linux/t.h", "-#define A 1\n+#define A 2\n"));
	assert_null(made_of("include/linux/always.h", "-#define A 1\n+#define A 2\n"));
	/* comments are what is read there; a feature that is new has no name */
	assert_true(makes("include/asm/cpufeatures.h", "-#define F 1 /* \"\" */\n+#define F 1 /* \"f\" */\n",
	                  "the makefile of lib"));
	assert_non_null(
	        strstr(made_of("include/asm/cpufeatures.h", "-/* free */\n+#define F 1\n"), "stay as they are"));
}

static void test_programs_of_the_build(void **state)
{
	(void)state;
	source("scripts/se/gen.c", "#include <stdio.h>\n#include <linux/types.h>\n#include \"classmap.h\"\n");
	source("scripts/mod/alias.c", "#include \"../../include/linux/devices.h\"\n");
	source("lib/Makefile", "hostprogs := mktable\nobj-y += one.o\n");
	source("lib/one.c", "#include \"one.h\"\n");
	source("lib/mktable.c", "#include \"list.h\"\n");
	source("include/uapi/linux/types.h", "");
	assert_true(makes("security/se/include/classmap.h", "+\t{ \"a\" },\n", "scripts/se/gen.c, which runs in"));
	assert_true(makes("lib/list.h", "+\tA,\n", "lib/mktable.c, which runs in"));
	assert_null(made_of("lib/one.h", "+\tA,\n"));
	assert_null(made_of("include/linux/types.h", "+#define A 1\n"));
	assert_null(made_of("include/uapi/linux/types.h", "+#define A 1\n"));
	assert_null(made_of("include/linux/devices.h", "+#define A 1\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_wrappers_of_the_build, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_within_the_header, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_new_headers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_what_comes_in, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_what_the_compiler_includes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_included_sources, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_assigned_anew, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_assigned_in_the_other_branch, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_of_32_bits, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_of_another_architecture, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_what_macros_declare, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_strays, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_copies, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_scripts, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_programs_of_the_build, setup, teardown),
	};

	return cmocka_run_group_tests_name("author_include", tests, NULL, NULL);
}
