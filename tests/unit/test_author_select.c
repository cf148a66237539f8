// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_select.c tools/author/patch_shared.c tools/author/patch_object.c
// sources: tools/author/patch_homes.c tools/author/patch_compare.c tools/author/code.c tools/author/author.c
// sources: tools/author/patch_kind.c tools/author/kallsyms.c tests/unit/author_refuse.c
// libs: -lelf -lZydis
// cflags: -Itools/author
/* What new code leads to where functions or variables share a section: units of our own, compiled when run. */
#include "author_refuse.h"
#include "kernel.h"
#include "patch_modules.h"
#include "patch_select.h"
#include "private.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE 0xffffffff81000000ULL /* where the sections of the shipped unit lie, a page apart */

static char directory[] = "/tmp/newleaf-select.XXXXXX";

/* --- What the rest of the tool would say --- */

bool proof_place(const struct proof *p, const struct unit_symbol *s, uint64_t *va)
{
	(void)p;
	*va = IMAGE + s->section * 0x1000ULL + s->value;
	return true;
}

const struct proof_function *proof_of(const struct proof *p, const char *function)
{
	static struct proof_function f;
	const struct unit_symbol *s = unit_find(p->u, function);

	f = (struct proof_function){.symbol = s};
	proof_place(p, s, &f.va);
	return &f;
}

bool proof_name_place(const struct proof *p, const char *name, uint64_t *va)
{
	(void)p, (void)name, (void)va;
	return false;
}

static bool named; /* whatever place is asked for has the name */

bool proof_is_named(const struct kernel *k, const char *name, uint64_t va)
{
	(void)k, (void)name, (void)va;
	return named;
}

char *unit_kernel_text(const struct kernel *k)
{
	(void)k;
	return xformat("a module");
}

struct place place_at(const struct kernel *k, uint64_t va, const char *where)
{
	(void)k, (void)where;
	return (struct place){NL_SYM_REGION, va - IMAGE};
}

bool private_is_harmless(const char *name) { return !strncmp(name, "__already_done", 14); }

const char *body_table_cause(const char *section)
{
	(void)section;
	return NULL;
}

/* --- Units --- */

static const char *compiled(const char *name, const char *text, const char *option)
{
	char *source = xformat("%s/%s.c", directory, name), *object = xformat("%s/%s.o", directory, name);
	int status;
	pid_t pid;

	file_write(source, text, strlen(text), 0600);
	pid = fork();
	if (!pid) {
		execlp("gcc-12", "gcc-12", "-O2", "-g0", "-fno-pie", "-mcmodel=kernel", "-fno-inline",
		       "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections", "-w", option,
		       xformat("-fdump-ipa-cgraph=%s.homes", object), "-c", "-o", object, source, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return object;
}

/* As patch_changes() would leave it, with the functions that differ. `text` has a %s for the patch. */
static struct patch_unit *unit(const char *text, const char *before, const char *after)
{
	static struct kernel k;
	struct patch_unit *p = xalloc(sizeof(*p));
	struct proof *proof = xalloc(sizeof(*proof));
	char *old = xformat(text, before), *new = xformat(text, after);

	p->path = "unit.c";
	p->k = &k;
	p->shipped = proof->u = unit_read(compiled("shipped", old, "-pg")); /* bodies are compiled without */
	p->proof = proof;
	p->c = unit_compare(unit_read(compiled("before", old, "-pg")), unit_read(compiled("after", new, "-pg")));
	p->body = unit_read(compiled("body", new, "-fno-ipa-ra"));
	p->function = xalloc(8 * sizeof(*p->function));
	p->moved = xalloc((p->c->after->n_symbols + 1) * sizeof(*p->moved));
	for (uint32_t i = 1; i < p->c->after->n_symbols; i++)
		if (p->c->fate[i] == FATE_CHANGED && unit_is_function(p->c->after, &p->c->after->symbol[i]))
			p->function[p->n_functions++].shipped = unit_find(p->shipped, p->c->after->symbol[i].name);
	return p;
}

static const struct unit_symbol *unit_outside(const struct unit *u, const char *name)
{
	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (!u->symbol[i].section && !strcmp(u->symbol[i].name, name))
			return &u->symbol[i];
	fail_msg("%s is not used", name);
	return NULL;
}

/* The image address that the relocations of `from` lead to, by name of the shipped unit; NULL: none is bound. */
static const char *leads_to(const struct patch_unit *p, const char *from, unsigned nth)
{
	const struct unit_symbol *f = unit_find(p->body, from);
	const struct unit_section *s = &p->body->section[f->section];
	const struct unit_reloc *r = &s->reloc[nth];
	const struct unit_symbol *to = &p->body->symbol[r->symbol];
	struct unit_target t = unit_target(p->body, s, r);
	const struct place *place = NULL;
	uint64_t va, own;

	for (size_t i = 0; i < p->n_fixed; i++)
		if (p->fixed[i].section == f->section && p->fixed[i].offset == r->offset)
			place = &p->fixed[i].place;
	if (!place && p->bound[to->section].symbol) {
		va = IMAGE + p->bound[to->section].value + to->value;
	} else if (place) {
		va = IMAGE + place->value;
	} else {
		return NULL;
	}
	va += (t.symbol ? t.symbol->value : 0) + (uint64_t)t.offset - to->value;
	for (uint32_t i = 1; i < p->shipped->n_symbols; i++)
		if ((unit_is_function(p->shipped, &p->shipped->symbol[i]) ||
		     unit_is_datum(p->shipped, &p->shipped->symbol[i])) &&
		    proof_place(p->proof, &p->shipped->symbol[i], &own) && own == va)
			return p->shipped->symbol[i].name;
	return "nothing";
}

#define SCHED "__attribute__((section(\".sched.text\"))) "
#define MOSTLY "__attribute__((section(\".data..read_mostly\"))) "

static void test_functions(void **state)
{
	struct patch_unit *p =
	        unit("extern int x;\n" SCHED "void a(void) { x++; }\n" SCHED "void b(void) { x += 2; }\n" SCHED
	             "void c(void) { x += 3; }\nvoid f(void) { c(); %s; }\n",
	             "x = 7", "x = 8");

	(void)state;
	assert_int_equal(p->n_functions, 1);
	patch_select(p);
	assert_string_equal(leads_to(p, "f", 0), "c");
}

/* The new one is the leaf's own, and calls the others where the image has them. */
static void test_changed_function(void **state)
{
	struct patch_unit *p = unit("extern int x;\n" SCHED "void a(void) { x++; }\n" SCHED
	                            "void b(void) { %s; a(); x = 3; }\n" SCHED "void c(void) { x += 3; }\n"
	                            "void f(void) { b(); x = 5; }\n",
	                            "x = 7", "x = 8; c()");
	uint32_t own = unit_find(p->body, "b")->section;

	(void)state;
	patch_select(p);
	assert_true(p->take[own]);
	for (unsigned i = 0, n = 0; i < p->body->section[own].n_relocs; i++)
		if (p->body->symbol[p->body->section[own].reloc[i].symbol].section)
			assert_string_equal(leads_to(p, "b", i), n++ ? "a" : "c");
}

/* Of static functions in one section the assembler resolves the calls itself: they are the image's all the same. */
static void test_resolved_calls(void **state)
{
	static const char text[] =
	        "extern int x;\n" SCHED "static void a(void) { x++; }\n" SCHED "static void c(void) { x += 3; }\n" SCHED
	        "void b(void) { %s; a(); x = 3; c(); x = 4; }\nvoid *p[] = {a, c};\n";
	struct patch_unit *p = unit(text, "x = 7", "x = 9");
	const struct unit_symbol *b = unit_find(p->body, "b");
	size_t bound = 0;

	(void)state;
	assert_int_equal(p->n_functions, 1);
	patch_select(p);
	for (size_t i = 0; i < p->n_fixed; i++) {
		if (!p->fixed[i].resolved)
			continue;
		assert_int_equal(p->fixed[i].section, b->section);
		assert_int_equal(p->fixed[i].addend, -4);
		assert_int_equal(IMAGE + p->fixed[i].place.value,
		                 IMAGE + unit_find(p->shipped, "a")->section * 0x1000ULL +
		                         unit_find(p->shipped, bound ? "c" : "a")->value);
		bound++;
	}
	assert_int_equal(bound, 2);
	p = unit(text, "x = 7", "x = 9; if (x) { c(); return; }"); /* its last call is a short jump */
	assert_true(AUTHOR_REFUSES(NL_EBODY, patch_select(p)));
	assert_non_null(strstr(author_why, "by a short jump"));
}

/* Of a section that comes as a whole another unit means what the image has, and nothing that is only there. */
static void test_uncarried(void **state)
{
	struct patch_unit units[2] = {
	        *unit("extern int x;\n" SCHED "void a(void) { x++; }\n" SCHED "void b(void) { %s; }\n", "x = 7",
	              "x = 9"),
	        *unit("void a(void), b(void);\nvoid f(int i) { a(); %s; b(); }\n", "", "a()"),
	};
	const struct unit_symbol *its = unit_find(units[0].shipped, "a");
	size_t asked = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		patch_select(&units[i]);
	patch_join(units, 2);
	for (uint32_t i = 1; i < units[1].body->n_symbols; i++) {
		if (units[1].body->symbol[i].section || strcmp(units[1].body->symbol[i].name, "a"))
			continue;
		assert_int_equal(units[1].outside[i].value, its->section * 0x1000ULL + its->value);
		asked++;
	}
	assert_int_equal(asked, 1);
}

static void test_variables(void **state)
{
	static const char text[] = MOSTLY "int a = 1;\n%s" MOSTLY "int b = 2;\nint f(void) { return a + b; }\n";
	struct patch_unit *p;

	(void)state;
	p = unit(MOSTLY "int a = 1;\n" MOSTLY "int b = 2;\nint f(void) { return a %s b; }\n", "+", "-");
	patch_select(p);
	assert_string_equal(leads_to(p, "f", 0), "a");
	assert_string_equal(leads_to(p, "f", 1), "b");
	p = unit(xformat("%s", text), "", MOSTLY "int fresh = 3;\nint g(void) { return fresh; }\n");
	p->function[p->n_functions++].shipped = unit_find(p->shipped, "f");
	assert_true(AUTHOR_REFUSES(NL_EBODY, patch_select(p)));
	assert_non_null(strstr(author_why, "share section .data..read_mostly"));
	p->n_functions = 0; /* only another unit uses it */
	p->n_list = 0;
	memset(p->take, 0, p->body->n_sections * sizeof(*p->take));
	memset(p->bound, 0, p->body->n_sections * sizeof(*p->bound));
	assert_true(AUTHOR_REFUSES(NL_EBODY, patch_offer(p, "fresh")));
	p = unit("static " MOSTLY "int a = 1;\n" MOSTLY "int b = 2;\nint f(void) { return %s; }\n", "a++ + b",
	         "a++ - b");
	patch_select(p); /* a static one is named by its section's start */
	assert_string_equal(leads_to(p, "f", 0), "a");
}

/* What tells none of its variables apart by name: as they stood, or not at all. */
static void test_alike(void **state)
{
#define SAY(line) "({ static int d __attribute__((section(\"__dyndbg\"))) = " #line "; use(&d); })"
	struct patch_unit *p = unit("void use(void *);\nvoid f(void) { " SAY(1) "; %s; " SAY(2) "; }\n",
	                            "use((void *)1)", "use((void *)2)");

	(void)state;
	patch_select(p);
	assert_non_null(leads_to(p, "f", 0));
	p = unit("void use(void *);\nvoid f(void) { " SAY(1) "; %s; " SAY(2) "; }\n", "", SAY(3));
	assert_true(AUTHOR_REFUSES(NL_EBODY, patch_select(p)));
}

/* A variable that comes from another unit of the patch stays where the image has it, for both units. */
static void test_moved(void **state)
{
	struct patch_unit units[2] = {
	        *unit("int g(int a) { return a %s }\n", "+ 1; }\nint h(void) { return 0;",
	              "+ 2; }\nint x;\nint h(void) { return ++x;"),
	        *unit("%s x;\nint f(void) { return ++x; }\n", "int", "extern int"),
	};
	const struct unit_symbol *x = unit_find(units[0].c->after, "x"), *its = unit_find(units[0].body, "x");
	uint32_t outside = 0;

	(void)state;
	units[1].function[units[1].n_functions++].shipped = unit_find(units[1].shipped, "f");
	units[0].moved[x - units[0].c->after->symbol] = IMAGE + 0x800;
	for (size_t i = 0; i < 2; i++)
		patch_select(&units[i]);
	patch_join(units, 2);
	assert_false(units[0].take[its->section]);
	assert_int_equal(units[0].bound[its->section].value, 0x800);
	for (uint32_t i = 1; i < units[1].body->n_symbols; i++)
		if (!strcmp(units[1].body->symbol[i].name, "x"))
			outside = i;
	assert_int_equal(units[1].outside[outside].value, 0x800);
}

/* Of what is new, a module reaches the image's; of what changes, what it is linked to. Nobody reaches a module's. */
static void test_objects(void **state)
{
	static struct kernel module = {.module = (const struct module *)(const void *)&module}, other;
	static const char uses[] = "int fresh(int);\nint f(int a) { %s return a + 5; }\n";
	struct patch_unit units[2] = {
	        *unit("int g(int a) { return a %s }\n", "+ 1;", "+ 2; }\nint fresh(int a) { return a + 3;"),
	        *unit(uses, "", "if (fresh(a)) return 1;"),
	};
	const struct unit_symbol *fresh = unit_find(units[0].body, "fresh");

	(void)state;
	for (size_t i = 0; i < 2; i++)
		patch_select(&units[i]);
	units[1].k = &module;
	patch_join(units, 2);
	assert_true(units[0].take[fresh->section]);
	other = module;
	units[0] = *unit("int g(int a) { return a %s }\n", "+ 1;", "+ 2; }\nint fresh(int a) { return a + 3;");
	patch_select(&units[0]);
	units[0].k = &other;
	assert_true(AUTHOR_REFUSES(NL_ESITE, patch_join(units, 2)));
	assert_non_null(strstr(author_why, "uses fresh, which the patch adds to unit.c, a part of a module"));
	units[1].k = units[0].k;
	patch_join(units, 2);
	assert_true(units[0].take[unit_find(units[0].body, "fresh")->section]);
	for (int is = 0; is < 2; is++) { /* a name that both have: the other's, or what it is linked to? */
		uint32_t s;

		units[0] = *unit("int g(int a) { return a %s; }\n", "+ 1", "+ 2");
		units[1] = *unit("int g(int);\nint f(int a) { return g(a) + %s; }\n", "5", "6");
		units[0].function[0].va = IMAGE + 0x1230;
		for (size_t i = 0; i < 2; i++)
			patch_select(&units[i]);
		units[1].k = &module;
		named = is;
		patch_join(units, 2);
		s = (uint32_t)(unit_outside(units[1].body, "g") - units[1].body->symbol);
		assert_int_equal(units[1].outside[s].value, is ? 0x1230 : 0);
	}
}

static int start(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return system(xformat("rm -rf %s", directory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_functions),      cmocka_unit_test(test_changed_function),
	        cmocka_unit_test(test_resolved_calls), cmocka_unit_test(test_uncarried),
	        cmocka_unit_test(test_variables),      cmocka_unit_test(test_alike),
	        cmocka_unit_test(test_moved),          cmocka_unit_test(test_objects),
	};

	return cmocka_run_group_tests_name("author_select", tests, start, end);
}
