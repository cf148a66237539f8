// SPDX-License-Identifier: Apache-2.0
// sources: tools/newleaf/cli.c tools/newleaf/verbs.c tools/newleaf/answer.c tools/newleaf/change.c
// sources: tools/newleaf/blackout.c tools/newleaf/status.c tools/newleaf/signed.c tools/newleaf/facts.c
// sources: tools/newleaf/vex.c
// sources: tools/newleaf/log.c tools/newleaf/look.c tools/newleaf/alive.c tools/newleaf/author.c tools/newleaf/text.c
// sources: tools/newleaf/sha256.c guest-agent/agent.c guest-agent/look.c
// sources: tests/unit/fake_newleaf.c tests/unit/cli_fixture.c
// sources: guest-agent/order.c
// sources: tools/newleaf/timeline.c tools/newleaf/course.c tools/newleaf/timeline_text.c guest-agent/own.c
// sources: tools/newleaf/timeline_chrome.c tools/newleaf/timeline_svg.c tools/newleaf/symbol.c
// sources: tools/newleaf/livepatch.c tools/newleaf/journal.c tools/newleaf/dates.c
// sources: tools/newleaf/logfile.c tools/newleaf/logkeep.c tools/newleaf/logverify.c
// sources: tools/newleaf/order.c tools/newleaf/carry.c tools/newleaf/standing.c tools/newleaf/anybody.c
// sources: tools/newleaf/confirm.c
// cflags: -Iguest-agent -Itools/newleaf
/*
 * Names of places in the kernel: whom a leaf's file names, for whom the kernel's list is read, and how often.
 */
#include "cli_fixture.h"
#include "symbol.h"
#include "text.h"

#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLIDE 0x1e00000u

static char list[PATH_MAX], modules[PATH_MAX], leaf[PATH_MAX];
static int watch; /* of who opens the list */

static void write_file(const char *path, const void *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	fclose(file);
}

/* How often the list was opened since the last question. Two openings without a closing between would be one event. */
static unsigned opened(void)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(watch, events, sizeof(events));
	const struct inotify_event *e;
	unsigned count = 0;

	for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
		e = (const struct inotify_event *)(const void *)(events + at);
		count += !!(e->mask & IN_OPEN);
	}
	return count;
}

/* As long as a kernel's, in the order of a kernel's. */
static void write_list(void)
{
	FILE *file = fopen(list, "w");

	fprintf(file, "%016x A fixed_percpu_data\n", 0);
	for (unsigned i = 0; i < 20000; i++)
		fprintf(file, "%016llx %c f%u\n", 0xffffffff81000000ull + SLIDE + 64 * i, i % 2 ? 'T' : 't', i);
	fprintf(file, "%016llx D data\n", 0xffffffff81000000ull + SLIDE + 64 * 20000);
	for (unsigned i = 0; i < 20000; i++)
		fprintf(file, "%016llx t m%u\t[other]\n", 0xffffffffc0900000ull - 64 * i, i);
	fprintf(file, "%016llx t mine\t[one_mod]\n", 0xffffffffc0280000ull + 0x1000);
	fclose(file);
}

/* Two functions that it replaces: of the kernel, and of a module. */
static void write_leaf(const char *strings)
{
	struct {
		struct nl_leaf_header h;
		struct nl_leaf_object module;
		struct nl_leaf_site site[2];
		char odd, strings[32];
	} file = {.odd = 'x'};
	struct nl_leaf_object *kernel = &file.h.target.kernel;

	memcpy(file.strings, strings, sizeof(file.strings));
	fake_leaf((uint8_t *)&file.h, "named", 1);
	kernel->regions[NL_KERNEL_TEXT] = (struct nl_leaf_region){.kind = NL_MEM_TEXT, .base = 0xffffffff81000000};
	strcpy(file.module.name, "one_mod");
	file.module.regions[0].kind = NL_MEM_TEXT;
	file.module.build_id_len = 20;
	memset(file.module.build_id, 0x5a, 20);
	file.site[0] = (struct nl_leaf_site){
	        .region = NL_KERNEL_TEXT, .kind = NL_SITE_TEXT, .func_offset = 0x1000, .func_size = 0x30, .name = 1};
	file.site[1] = (struct nl_leaf_site){
	        .object = 1, .kind = NL_SITE_TEXT, .func_offset = 0x2000, .func_size = 0x40, .name = 14};
	file.h.objects = (struct nl_leaf_part){(uint32_t)((uint8_t *)&file.module - (uint8_t *)&file), 1};
	file.h.sites = (struct nl_leaf_part){(uint32_t)((uint8_t *)file.site - (uint8_t *)&file), 2};
	file.h.strings = (struct nl_leaf_part){(uint32_t)((uint8_t *)file.strings - (uint8_t *)&file), 32};
	write_file(leaf, &file, sizeof(file));
}

static const char names[32] = "\0old_function\0mod_function";

static int set_up_names(void **state)
{
	uint8_t note[36] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0};
	char path[PATH_MAX + 64];

	if (set_up_group(state))
		return -1;
	snprintf(list, sizeof(list), "%s/kallsyms", dir);
	snprintf(modules, sizeof(modules), "%s/modules", dir);
	snprintf(leaf, sizeof(leaf), "%s/named.leaf", dir);
	symbol_list = list;
	symbol_modules = modules;
	symbol_sysfs = dir;
	snprintf(path, sizeof(path), "%s/one_mod", dir);
	mkdir(path, 0700);
	strcat(path, "/notes");
	mkdir(path, 0700);
	strcat(path, "/.note.gnu.build-id");
	memset(note + 16, 0x5a, 20);
	write_file(path, note, sizeof(note));
	snprintf(path, sizeof(path), "other 4096 0 - Live 0xffffffffc0900000\none_mod 16384 1 - Live 0x%llx (OE)\n",
	         0xffffffffc0280000ull);
	write_file(modules, path, strlen(path));
	write_list();
	write_leaf(names);
	watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return inotify_add_watch(watch, list, IN_OPEN | IN_CLOSE) < 0 ? -1 : 0;
}

/* The same failure, of a task that stands at `rip`, in the function at `site`. */
static void fail_at(uint64_t rip, uint64_t site)
{
	f->status.kernel_slide = SLIDE;
	f->try_again = UINT_MAX;
	f->blocker = (struct nl_blocker){.cpu = UINT32_MAX, .rip = rip, .site_va = site, .pid = 9, .comm = "nap"};
	assert_int_equal(newleaf("apply", leaf, "--deadline", "100ms", "--json"), NL_EXIT_DEADLINE);
	assert_schema("error");
}

static void a_leaf_names_what_it_replaces(void **state)
{
	const uint64_t old = 0xffffffff81001000 + SLIDE, mod = 0xffffffffc0282000;

	(void)state;
	opened();
	fail_at(old + 0x2f, old);
	assert_says(out, "stood at old_function+0x2f when last seen");
	assert_says(out, "\"func\":\"old_function+0x2f\"");
	assert_says(out, "\"site\":\"old_function+0x0\"");
	fail_at(mod + 0x3f, mod);
	assert_says(out, "\"func\":\"mod_function+0x3f\"");
	assert_says(out, "\"site\":\"mod_function+0x0\"");
	assert_int_equal(opened(), 0);
	fail_at(old + 0x30, old); /* behind it */
	assert_says(out, "\"func\":\"f64+0x30\"");
	assert_int_equal(opened(), 1);
}

/* The hypervisor does not look at the names in a leaf. */
static void a_name_is_no_name(void **state)
{
	char strings[32];

	(void)state;
	memset(strings, 'x', sizeof(strings)); /* and no end */
	strings[1] = 0x1b;
	write_leaf(strings);
	fail_at(0xffffffff81001001 + SLIDE, 0);
	assert_says(out, "\"func\":\"?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx+0x1\"");
	write_leaf(names);
}

/* What the leaf says of a module is not true of another build of it. */
static void another_module_is_not_the_leafs(void **state)
{
	char path[PATH_MAX + 64];

	(void)state;
	snprintf(path, sizeof(path), "%s/one_mod/notes/.note.gnu.build-id", dir);
	assert_int_equal(truncate(path, 20), 0);
	opened();
	fail_at(0xffffffffc0282010, 0);
	assert_says(out, "\"func\":\"mine+0x1010\"");
	assert_int_equal(opened(), 1);
}

static void the_list_is_read_once(void **state)
{
	(void)state;
	opened();
	fail_at(0xffffffff81002010 + SLIDE, 0xffffffffc0281004); /* the second is the list's last */
	assert_says(out, "stood at f128+0x10 when last seen");
	assert_says(out, "\"func\":\"f128+0x10\"");
	assert_says(out, "\"site\":\"mine+0x4\"");
	assert_int_equal(opened(), 1);
	fail_at(0xffffffffff810000, 0xffffffffff810000); /* a leaf's own code */
	assert_says(out, "\"func\":\"0xffffffffff810000\"");
	assert_int_equal(opened(), 0);
	fail_at(0x1010, 0x1000);
	assert_says(out, "stood at 0x1010 when last seen");
	assert_int_equal(opened(), 0);
}

static void a_hidden_list_names_nothing(void **state)
{
	(void)state;
	write_file(list, "0000000000000000 T _stext\n0000000000000000 t f\n", 47);
	opened();
	fail_at(0xffffffff81002010, 0xffffffff81002000);
	assert_says(out, "stood at 0xffffffff81002010 when last seen");
	assert_int_equal(opened(), 1);
	unlink(list);
	fail_at(0xffffffff81002010, 0xffffffff81002000);
	assert_says(out, "stood at 0xffffffff81002010 when last seen");
	write_list();
}

/* Who is before all others is not before them for a name. */
static void others_run_meanwhile(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct text t;

		setpriority(PRIO_PROCESS, 0, -5);
		text_symbol(&t, 0xffffffff81002010 + SLIDE);
		_exit(getpriority(PRIO_PROCESS, 0) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(a_leaf_names_what_it_replaces, set_up),
	        cmocka_unit_test_setup(a_name_is_no_name, set_up),
	        cmocka_unit_test_setup(the_list_is_read_once, set_up),
	        cmocka_unit_test_setup(another_module_is_not_the_leafs, set_up),
	        cmocka_unit_test_setup(others_run_meanwhile, set_up),
	        cmocka_unit_test_setup(a_hidden_list_names_nothing, set_up),
	};

	return cmocka_run_group_tests(tests, set_up_names, tear_down_group);
}
