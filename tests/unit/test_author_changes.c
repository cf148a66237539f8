// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_object.c tools/author/patch_homes.c tools/author/patch_compare.c
// sources: tools/author/patch_layout.c tools/author/kallsyms.c tools/author/code.c
// sources: tools/author/patch_kind.c tools/author/patch_stores.c
// sources: tools/author/author.c tools/author/typenames.c tests/unit/author_refuse.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* What differs between two compilations of a unit: objects of our own, compiled when run. */
#include "author_refuse.h"
#include "patch_compare.h"
#include "patch_homes.h"
#include "patch_kind.h"
#include "patch_layout.h"
#include "patch_stores.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/newleaf-changes.XXXXXX";

static char *compiled(const char *name, const char *text)
{
	char *source = xformat("%s/%s.c", directory, name), *object = xformat("%s/%s.o", directory, name);
	int status;
	pid_t pid;

	file_write(source, text, strlen(text), 0600);
	pid = fork();
	if (!pid) {
		execlp("gcc-12", "gcc-12", "-O2", "-g0", "-gbtf", "-fno-pie", "-mcmodel=kernel",
		       "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections", "-w",
		       xformat("-fdump-ipa-cgraph=%s.homes", object), "-c", "-o", object, source, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return object;
}

static struct comparison *compared(const char *before, const char *after)
{
	return unit_compare(unit_read(compiled("before", before)), unit_read(compiled("after", after)));
}

static enum fate fate_of(const struct comparison *c, const char *name)
{
	const struct unit_symbol *s = unit_find(c->after, name);

	return s ? c->fate[s - c->after->symbol] : FATE_NONE;
}

#define SAY "int printf(const char *, ...);\n"

static void test_functions(void **state)
{
	struct comparison *c =
	        compared(SAY "int same(int a) { return a * 3; }\nint other(int a) { return a + 1; }\n"
	                     "int text(void) { return printf(\"old\"); }\nint kept(void) { return printf(\"kept\"); }\n"
	                     "int gone(void) { return 7; }\nint calls(int a) { return same(a) + printf(\"x\"); }\n",
	                 SAY "int fresh(void) { return printf(\"kept\"); }\nint same(int a) { return a * 3; }\n"
	                     "int other(int a) { return a + 2; }\nint text(void) { return printf(\"new\"); }\n"
	                     "int kept(void) { return printf(\"kept\"); }\n"
	                     "int calls(int a) { return same(a) + printf(\"x\"); }\n");

	(void)state;
	assert_int_equal(fate_of(c, "same"), FATE_SAME);
	assert_int_equal(fate_of(c, "other"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "text"), FATE_CHANGED); /* equal bytes, another string */
	assert_int_equal(fate_of(c, "kept"), FATE_SAME);
	assert_int_equal(fate_of(c, "calls"), FATE_SAME);
	assert_int_equal(fate_of(c, "fresh"), FATE_NEW);
	assert_int_equal(c->outcome[unit_find(c->before, "gone") - c->before->symbol], 0);
}

/* An inlined function has no symbol that changes: its callers do. */
static void test_inlined(void **state)
{
	struct comparison *c =
	        compared("static inline int in(int a) { return a & 7; }\nint f(int a) { return in(a); }\n"
	                 "int g(int a) { return a; }\n",
	                 "static inline int in(int a) { return a & 3; }\nint f(int a) { return in(a); }\n"
	                 "int g(int a) { return a; }\n");

	(void)state;
	assert_int_equal(fate_of(c, "f"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "g"), FATE_SAME);
}

/* Places without a name that lead to each other: nobody knows whether they are the same, and the question ends. */
static void test_circle_without_names(void **state)
{
	static const char text[] = "asm(\".pushsection .rodata.ring, \\\"a\\\"\\n.La: .quad .Lb\\n.Lb: .quad .La\\n"
	                           ".popsection\");\n"
	                           "long f(void) { long p; asm(\"mov $.La, %0\" : \"=r\"(p)); return p; }\n";
	struct comparison *c = compared(text, text);

	(void)state;
	assert_int_equal(fate_of(c, "f"), FATE_CHANGED);
}

#define SCHED "__attribute__((section(\".sched.text\"))) "
#define NEAR "__attribute__((noinline, noclone)) " SCHED

/* Within one section calls of static functions have no relocation: whom they mean, not how far it is. */
static void test_within_a_section(void **state)
{
	static const char text[] = "int x;\n%s" NEAR "static void a(void) { x += %s; }\n" NEAR
	                           "static void b(void) { x += 2; }\n" SCHED "void f(void) { %s(); x = 3; }\n" SCHED
	                           "void g(void) { b(); x = 5; %s(); x = 6; }\nvoid *p[] = {a, b};\n";
	struct comparison *c;

	(void)state;
	c = compared(xformat(text, "", "1", "a", "a"), xformat(text, "", "0x12345", "a", "a"));
	assert_int_equal(fate_of(c, "a"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "b"), FATE_SAME);
	assert_int_equal(fate_of(c, "f"), FATE_SAME);
	assert_int_equal(fate_of(c, "g"), FATE_SAME);
	assert_true(unit_refers(c->before, unit_find(c->before, "f"), unit_find(c->before, "a")));
	assert_false(unit_refers(c->before, unit_find(c->before, "f"), unit_find(c->before, "b")));
	/* a new one in between, and as far away as the old one: equal bytes */
	c = compared(xformat(text, "", "1", "a", "a"),
	             xformat(text, NEAR "static void z(void) { x += 1; }\n", "1", "a", "a"));
	assert_int_equal(fate_of(c, "g"), FATE_SAME);
	c = compared("int x;\n" NEAR "static void a(void) { x += 1; }\n" NEAR "static void b(void) { x += 2; }\n" SCHED
	             "void f(void) { a(); x = 3; b(); x = 4; }\n",
	             "int x;\n" NEAR "static void b(void) { x += 1; }\n" NEAR "static void a(void) { x += 2; }\n" SCHED
	             "void f(void) { b(); x = 3; a(); x = 4; }\n");
	assert_int_equal(fate_of(c, "f"), FATE_CHANGED);
}

/* The compiler numbers static variables of functions anew when one comes before them: they are still the same ones. */
static void test_static_locals(void **state)
{
	static const char f[] = "int f(void) { static int count; return ++count; }\n";
	static const char g[] = "int g(void) { static int count; return count += 2; }\n";
	struct comparison *c =
	        compared(xformat("%s%s", f, g), xformat("int h(void) { static int n; return ++n; }\n%s%s", f, g));
	size_t found = 0;

	(void)state;
	assert_int_equal(fate_of(c, "f"), FATE_SAME);
	assert_int_equal(fate_of(c, "g"), FATE_SAME);
	for (uint32_t i = 1; i < c->after->n_symbols; i++) {
		const struct unit_symbol *s = &c->after->symbol[i], *was = &c->before->symbol[c->origin[i]];

		if (strncmp(s->name, "count.", 6))
			continue;
		found++;
		assert_int_not_equal(c->origin[i], 0);
		/* used by the function of the same name */
		assert_int_equal(unit_refers(c->after, unit_find(c->after, "f"), s),
		                 unit_refers(c->before, unit_find(c->before, "f"), was));
	}
	assert_int_equal(found, 2);
	assert_true(strcmp(c->before->symbol[c->origin[unit_find(c->after, "f") - c->after->symbol]].name, "f") == 0);
}

/* One of two equal static variables goes: nobody can tell which one is left in a function that changed. */
static void test_unsure(void **state)
{
	struct comparison *c =
	        compared("int f(int a) { if (a) { static int n; return ++n; } { static int n; return n += 2; } }\n",
	                 "int f(int a) { if (a) { static int n; return n += 3; } return a; }\n");
	bool unsure = false;

	(void)state;
	for (uint32_t i = 1; i < c->after->n_symbols; i++)
		unsure |= c->unsure[i] && !strncmp(c->after->symbol[i].name, "n.", 2);
	assert_true(unsure);
}

/* One goes, one of its name comes in another function: that is not the same one. */
static void test_another_function(void **state)
{
	struct comparison *c = compared("int g(void) { return 7; }\nint f(void) { static int n; return ++n; }\n",
	                                "int g(void) { static int n; return n += 3; }\nint f(void) { return 7; }\n");
	bool unsure = false;

	(void)state;
	for (uint32_t i = 1; i < c->after->n_symbols; i++) {
		if (strncmp(c->after->symbol[i].name, "n.", 2))
			continue;
		assert_int_equal(c->origin[i], 0);
		unsure |= c->unsure[i];
	}
	assert_true(unsure);
}

/* The first variable with such a name that a function refers to: 0 = none. */
static uint32_t first_of(const struct unit *u, const char *function, const char *prefix)
{
	const struct unit_symbol *f = unit_find(u, function);
	const struct unit_section *s = f ? &u->section[f->section] : NULL;

	for (size_t r = 0; s && r < s->n_relocs; r++) {
		const struct unit_symbol *to = unit_target(u, s, &s->reloc[r]).symbol;

		if (to && !strncmp(to->name, prefix, strlen(prefix)))
			return (uint32_t)(to - u->symbol);
	}
	return 0;
}

#define INLINE "static inline __attribute__((always_inline)) "
#define APART "__attribute__((noinline)) "
#define TAKE "void take(int *);\n"
#define LOST "void lost(void) { static int lock; take(&lock); rate(); }\n"
#define RATE "void rate(void) { static int lock; static long last; take(&lock); last++; }\n"
#define MORE "void more(void) { static int lock; take(&lock); take(0); }\n"

/* A function that was inlined stands alone: its variable is known by the source, whatever the order and the number. */
static void test_no_longer_inlined(void **state)
{
	static const char *const after[] = {
	        TAKE APART RATE LOST,
	        TAKE "void rate(void);\n" LOST APART RATE,
	        TAKE APART RATE MORE LOST,
	        TAKE MORE "void rate(void);\n" LOST APART RATE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(after) / sizeof(*after); i++) {
		struct comparison *c = compared(TAKE INLINE RATE LOST, after[i]);
		uint32_t lost = first_of(c->after, "lost", "lock."), rate = first_of(c->after, "rate", "lock.");
		uint32_t was = first_of(c->before, "lost", "lock."), more = first_of(c->after, "more", "lock.");

		assert_true(lost && rate && was && lost != rate);
		assert_int_equal(c->origin[lost], was);
		assert_int_not_equal(c->origin[rate], 0);
		assert_int_not_equal(c->origin[rate], was);
		if (more)
			assert_int_equal(c->fate[more], FATE_NEW); /* since all others are known */
	}
}

/* Of three, all alike, the one goes whose function goes; and one that comes in its place is not it. */
static void test_one_goes(void **state)
{
	struct comparison *c = compared(TAKE MORE INLINE RATE LOST, TAKE APART RATE LOST);
	uint32_t more = first_of(c->before, "more", "lock."), came;

	(void)state;
	assert_true(more && !c->outcome[more]);
	assert_int_equal(c->origin[first_of(c->after, "lost", "lock.")], first_of(c->before, "lost", "lock."));
	assert_int_not_equal(c->origin[first_of(c->after, "rate", "lock.")], 0);
	c = compared(TAKE MORE INLINE RATE LOST,
	             TAKE "void other(void) { static int lock; take(&lock); take(0); take(0); }\n" APART RATE LOST);
	came = first_of(c->after, "other", "lock.");
	assert_true(came && c->unsure[came] && !c->origin[came]);
	assert_true(!c->outcome[first_of(c->before, "more", "lock.")]);
}

/* Two functions, one inlined and one not, change places: by the code each uses the other's variable. */
static void test_inlined_the_other_way(void **state)
{
#define TWO(f, g) \
	TAKE "int h(int);\n" f "int f(int a) { static int n; take(&n); return n += a; }\n" g \
	     "int g(int a) { static int n; take(&n); return n += a; }\n"
	struct comparison *c = compared(TWO(INLINE, APART) "int h(int a) { return f(a) * 2; }\n",
	                                TWO(APART, INLINE) "int h(int a) { return g(a) * 3; }\n");
	uint32_t f = first_of(c->after, "f", "n."), h = first_of(c->after, "h", "n.");

	(void)state;
	assert_true(f && h && f != h);
	assert_int_not_equal(c->origin[h], first_of(c->before, "h", "n."));
	assert_int_not_equal(c->origin[f], first_of(c->before, "g", "n."));
}

/* Another inlined function of the same code, with a variable of its own. */
static void test_another_of_the_same_code(void **state)
{
#define STEP(name) INLINE "int " name "(void) { static int n; return ++n; }\n"
	struct comparison *c = compared(STEP("f") "int h(void) { return f(); }\nint k(void) { return f() + 1; }\n",
	                                STEP("f") STEP("g") "int h(void) { return g(); }\n"
	                                                    "int k(void) { return f() + 1; }\n");
	uint32_t h = first_of(c->after, "h", "n.");

	(void)state;
	assert_int_equal(fate_of(c, "h"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "k"), FATE_SAME);
	assert_true(h && c->fate[h] == FATE_NEW);
}

/* Two of one name in one function, alike: by their function they are one. */
static void test_two_in_one_function(void **state)
{
#define BOTH(first, second) \
	TAKE "void f(int a) { if (a) { static int n; take(&n); " first " } else { static int n; take(&n); " second \
	     " } }\n"
	struct comparison *c = compared(BOTH("take(0);", ""), BOTH("", "take(0);"));
	size_t found = 0;

	(void)state;
	for (uint32_t i = 1; i < c->after->n_symbols; i++)
		if (!strncmp(c->after->symbol[i].name, "n.", 2)) {
			assert_true(c->unsure[i]);
			found++;
		}
	assert_int_equal(found, 2);
}

/* What nothing writes any more is gone from the object, and the source reads it still. */
static void test_reads(void **state)
{
#define COUNT(f, g) \
	"int printf(const char *, ...);\nstatic int limit;\nint f(void) { static int n; " f " return n > 3; }\n" \
	"int g(void) { static int n; " g " return 2; }\nint h(int a) { limit = a; return limit; }\n"
	struct comparison *c = compared(COUNT("n++;", "printf(\"%p\", &n);"), COUNT("", "n = 5;"));
	uint32_t f = first_of(c->before, "f", "n."), g = first_of(c->before, "g", "n.");

	(void)state;
	assert_true(f && g && !first_of(c->after, "f", "n."));
	assert_true(home_reads(c->before, "limit", NULL) && home_reads(c->after, "limit", NULL));
	assert_true(home_reads(c->after, c->before->symbol[f].name, c->before->home[f]));
	assert_true(home_reads(c->before, c->before->symbol[g].name, c->before->home[g]));
	assert_false(home_reads(c->after, c->before->symbol[g].name, c->before->home[g]));
	assert_false(home_reads(c->after, "none", NULL));
}

/* Without what the compiler says about the source, a variable of a function is not taken for another. */
static void test_homes_unknown(void **state)
{
	char *text = xformat("%s%s", TAKE, MORE), *before = compiled("before", text), *after = compiled("after", text);
	struct comparison *c;

	(void)state;
	unlink(xformat("%s.homes", after));
	c = unit_compare(unit_read(before), unit_read(after));
	assert_true(c->unsure[first_of(c->after, "more", "lock.")]);
	assert_int_equal(fate_of(c, "more"), FATE_CHANGED);
}

static void test_data(void **state)
{
	struct comparison *c =
	        compared("int a = 1, b = 2;\nconst int c[2] = {1, 2}, d[2] = {3, 4};\nint f(void), g(void);\n"
	                 "int (*const p)(void) = f;\nint (*const q)(void) = f;\n",
	                 "int a = 1, b = 3, e = 5;\nconst int c[2] = {1, 2}, d[2] = {3, 5};\nint f(void), g(void);\n"
	                 "int (*const p)(void) = g;\nint (*const q)(void) = f;\n");

	(void)state;
	assert_int_equal(fate_of(c, "a"), FATE_SAME);
	assert_int_equal(fate_of(c, "b"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "c"), FATE_SAME);
	assert_int_equal(fate_of(c, "d"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "e"), FATE_NEW);
	assert_int_equal(fate_of(c, "p"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "q"), FATE_SAME);
}

/* What a switch gives the compiler puts into a table: the function is changed, though not a byte of its code is. */
static void test_tables_of_switches(void **state)
{
#define SWITCH(f, three) \
	"int " f "(int a) { switch (a) { case 1: return 17; case 2: return 90; case 3: return " three "; case 4: " \
	"return 5; case 5: return 77; } return -1; }\n"
#define STRINGS(three) \
	"const char *s(int a) { switch (a) { case 1: return \"a\"; case 2: return \"b\"; case 3: return \"" three \
	"\"; case 4: return \"d\"; case 5: return \"e\"; } return 0; }\n"
	struct comparison *c = compared(SWITCH("f", "31") SWITCH("g", "32") STRINGS("c"),
	                                SWITCH("f", "31") SWITCH("g", "33") STRINGS("x"));
	size_t tables = 0;

	(void)state;
	for (uint32_t i = 1; i < c->after->n_symbols; i++)
		tables += !strncmp(c->after->symbol[i].name, "CSWTCH.", 7);
	assert_int_equal(tables, 3);
	assert_int_equal(fate_of(c, "f"), FATE_SAME);
	assert_int_equal(fate_of(c, "g"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "s"), FATE_CHANGED);
	assert_non_null(strstr(c->why[unit_find(c->after, "g") - c->after->symbol], "switch"));
	c = compared(SWITCH("f", "31") SWITCH("g", "32"), SWITCH("h", "1") SWITCH("g", "32") SWITCH("f", "31"));
	assert_int_equal(fate_of(c, "f"), FATE_SAME);
	assert_int_equal(fate_of(c, "g"), FATE_SAME);
	assert_int_equal(fate_of(c, "h"), FATE_NEW);
}

/* What may be done to a datum, and until when a function is there, is not in its bytes. */
static void test_kinds(void **state)
{
#define IN(section) "__attribute__((section(\"" section "\"))) "
#define LATE IN(".data..ro_after_init")
#define OFTEN IN(".data..read_mostly")
	struct comparison *c =
	        compared(LATE "int late = 1, stays = 1;\nint fast = 1, seldom = 1;\nconst int table[2] = {1, 2};\n"
	                      "int f(int a) { return a; }\n" IN(
	                              ".init.text") "int g(int a) { return a + 1; }\n"
	                                            "__attribute__((cold)) int h(int a) { return a + 2; }\n",
	                 "int late = 1;\n" LATE "int stays = 1, seldom = 1;\n" OFTEN
	                 "int fast = 1;\nint table[2] = {1, 2};\n" IN(
	                         ".noinstr.text") "int f(int a) { return a; }\nint g(int a) { return a + 1; }\n"
	                                          "int h(int a) { return a + 2; }\n");

	(void)state;
	assert_int_equal(fate_of(c, "late"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "stays"), FATE_SAME);
	assert_int_equal(fate_of(c, "seldom"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "fast"), FATE_SAME);
	assert_int_equal(fate_of(c, "table"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "f"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "g"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "h"), FATE_SAME);
}

static uint32_t alignment(const struct unit *u, const char *name) { return unit_alignment(u, unit_find(u, name)); }

/* Neither in the bytes nor in the size of a datum. */
static void test_alignment(void **state)
{
	const struct unit *u = unit_read(compiled(
	        "before", "char a[16], b[16] __attribute__((aligned(64)));\n" OFTEN "char c = 1;\n" IN(
	                          ".data..cacheline_aligned") "char d[4] __attribute__((aligned(64))) = {1};\n"
	                                                      "const long e[2] __attribute__((aligned(32))) = {1};\n"
	                                                      "int f(void) { static char g[16] "
	                                                      "__attribute__((aligned(128))); return g[a[0]]++; }\n"));

	(void)state;
	assert_true(alignment(u, "a") < 64);
	assert_int_equal(alignment(u, "b"), 64);
	assert_int_equal(alignment(u, "c"), 0);
	assert_int_equal(alignment(u, "d"), 64);
	assert_int_equal(alignment(u, "e"), 32);
	assert_int_equal(unit_alignment(u, &u->symbol[first_of(u, "f", "g.")]), 128);
}

static bool is_outside(const void *with, const char *name) { return !strcmp(with, name); }

/* What is read-only in the running kernel may not be written by new code, whoever says so. */
static void test_stores(void **state)
{
#define LATE_VARIABLES \
	LATE "static int late = 1;\n" LATE "int list[4] = {1};\nextern int far, near[4];\nint get(int i) " \
	     "{ return late + list[i] + far; }\n" IN(".init.text") "void init(void) { late = 2; }\n"
	static const struct {
		const char *before, *after, *to;
	} cases[] = {
	        {"", "late = 3;", "late"},
	        {"", "if (a > 2) list[a]++;", "list"},
	        {"", "far = a;", "far"},
	        {"", "__atomic_fetch_add(&late, 1, 5);", "late"},
	        {"", "near[a] = 1;", NULL},
	        {"", "asm volatile(\".byte 6\"); late = 3;", "late"}, /* which is no instruction */
	        {"", "if (late) near[0] = far;", NULL},
	        {"if (a == 5) late = 3;", "if (a == 6) late = 4;", NULL},
	        {"far = 5;", "far = 6;", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct comparison *c = compared(xformat("%svoid f(int a) { %s }\n", LATE_VARIABLES, cases[i].before),
		                                xformat("%svoid f(int a) { %s }\n", LATE_VARIABLES, cases[i].after));
		struct store found = {0};

		if (store_find(c, is_outside, "far", &found) != (cases[i].to != NULL) ||
		    (cases[i].to && strcmp(found.to->name, cases[i].to)))
			fail_msg("%s: %s", cases[i].after, found.to ? found.to->name : "none");
	}
}

/* Of characters of two or four bytes the first one has zeroes in it, which are not the end. */
static void test_wide_strings(void **state)
{
#define WIDE(text) \
	"void take(const void *);\nvoid f(void) { take(u\"" text "\"); }\nvoid g(void) { take(U\"" text \
	"\"); }\nvoid h(void) { take(u\"one more\"); }\n"
	struct comparison *c = compared(WIDE("SecureBoot"), WIDE("SecureBoo2"));

	(void)state;
	assert_int_equal(fate_of(c, "f"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "g"), FATE_CHANGED);
	assert_int_equal(fate_of(c, "h"), FATE_SAME);
	c = compared(WIDE("SecureBoot"),
	             "void take(const void *);\nvoid i(void) { take(u\"Sec\"); }\n" WIDE("SecureBoot"));
	assert_int_equal(fate_of(c, "f"), FATE_SAME);
	assert_int_equal(fate_of(c, "g"), FATE_SAME);
}

/* Only the entry in a table of the kernel differs: the code does not, and the function does. */
static void test_tables(void **state)
{
#define BUG(flags) \
	"int f(int a) { if (a) asm volatile(\"1: ud2\\n.pushsection __bug_table,\\\"aw\\\"\\n2: .long 1b - ., 2b - " \
	".\\n" \
	".word 1, " flags "\\n.popsection\"); return a; }\n"
	struct comparison *c = compared(BUG("2"), BUG("3")), *same = compared(BUG("2"), BUG("2"));

	(void)state;
	assert_int_equal(fate_of(c, "f"), FATE_CHANGED);
	assert_int_equal(fate_of(same, "f"), FATE_SAME);
}

/* Where the code does not say which variable boot writes into it, the name of the table does. */
static char *runtime(const char *variable)
{
	return xformat("long f(void) { long v; asm(\"movabs $0x123456789abcdef,%%0\\n1: .pushsection runtime_ptr_%s,"
	               "\\\"a\\\"\\n.long 1b - 8 - .\\n.popsection\" : \"=r\"(v)); return v; }\n",
	               variable);
}

static void test_runtime_constants(void **state)
{
	(void)state;
	assert_int_equal(fate_of(compared(runtime("one"), runtime("one")), "f"), FATE_SAME);
	assert_int_equal(fate_of(compared(runtime("one"), runtime("two")), "f"), FATE_CHANGED);
}

static void test_layout(void **state)
{
#define HEAD(members) "struct in { int a; };\nstruct s { " members " };\nint f(struct s *s) { return s->x; }\n"
	static const struct {
		const char *after, *says;
	} cases[] = {
	        {"int x; struct in i; int *p;", NULL},
	        {"int x; struct in i; char *p;", "p gets another type"}, /* what it points to is another's */
	        {"int x; struct in i; void *p;", NULL},
	        {"int x; struct in i; int *p; int y;", "added"},
	        {"struct in i; int x; int *p;", "where"},
	        {"int x; struct in i;", "gone"},
	        {"long x; struct in i; int *p;", "struct s"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *before = compiled("before", HEAD("int x; struct in i; int *p;"));
		char *after = compiled("after", xformat("struct in { int a; };\nstruct s { %s };\n"
		                                        "int f(struct s *s) { return s->x; }\n",
		                                        cases[i].after));
		struct layout types;
		char *how = layout_change(before, after, &types);

		if (!how != !cases[i].says || (how && !strstr(how, cases[i].says)))
			fail_msg("%s: %s", cases[i].after, how ? how : "no change");
	}
}

static void test_base_names(void **state)
{
	(void)state;
	assert_string_equal(unit_base_name("count.12"), "count");
	assert_string_equal(unit_base_name("__func__.3"), "__func__");
	assert_string_equal(unit_base_name("plain"), "plain");
	assert_string_equal(unit_base_name("f.isra.0"), "f.isra");
	assert_string_equal(unit_base_name("__UNIQUE_ID_x123"), "__UNIQUE_ID_x");
	assert_true(unit_is_clone("f.constprop.0") && unit_is_clone("f.cold") && !unit_is_clone("f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_functions),
	        cmocka_unit_test(test_within_a_section),
	        cmocka_unit_test(test_inlined),
	        cmocka_unit_test(test_circle_without_names),
	        cmocka_unit_test(test_static_locals),
	        cmocka_unit_test(test_unsure),
	        cmocka_unit_test(test_another_function),
	        cmocka_unit_test(test_data),
	        cmocka_unit_test(test_tables),
	        cmocka_unit_test(test_kinds),
	        cmocka_unit_test(test_alignment),
	        cmocka_unit_test(test_wide_strings),
	        cmocka_unit_test(test_stores),
	        cmocka_unit_test(test_tables_of_switches),
	        cmocka_unit_test(test_layout),
	        cmocka_unit_test(test_base_names),
	        cmocka_unit_test(test_runtime_constants),
	        cmocka_unit_test(test_no_longer_inlined),
	        cmocka_unit_test(test_one_goes),
	        cmocka_unit_test(test_inlined_the_other_way),
	        cmocka_unit_test(test_another_of_the_same_code),
	        cmocka_unit_test(test_two_in_one_function),
	        cmocka_unit_test(test_homes_unknown),
	        cmocka_unit_test(test_reads),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests_name("author_changes", tests, NULL, NULL);
	for (size_t i = 0; i < 6; i++) {
		static const char *const ends[] = {"c", "o", "o.homes"};

		unlink(xformat("%s/%s.%s", directory, i & 1 ? "after" : "before", ends[i / 2]));
	}
	rmdir(directory);
	return failed;
}
