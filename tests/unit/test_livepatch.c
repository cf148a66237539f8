// SPDX-License-Identifier: Apache-2.0
// sources: tools/newleaf/livepatch.c
// cflags: -Iguest-agent -Itools/newleaf
/*
 * Which functions the guest's own livepatches patch, from folders like those of sysfs, and whether a leaf patches one
 * of them: by name, in the object that it is in, and only if it is a function that the leaf replaces.
 */
#include "host.h"
#include "livepatch.h"
#include "cli.h"

#include <newleaf/leaf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[] = "/tmp/newleaf-livepatch-XXXXXX";

static void folder(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static void file(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	f = fopen(full, "w");
	fputs(text, f);
	fclose(f);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	cli_livepatch_dir = dir;
	folder("fix");
	file("fix/enabled", "1\n");
	file("fix/transition", "0\n");
	folder("fix/vmlinux");
	file("fix/vmlinux/patched", "1\n");
	folder("fix/vmlinux/f,1");
	folder("fix/victim");
	folder("fix/victim/victim_check,2");
	folder("off");
	file("off/enabled", "0\n");
	folder("off/vmlinux");
	folder("off/vmlinux/g,1");
	folder("bare"); /* on its way in or out: nothing says that it is enabled */
	folder("bare/vmlinux");
	folder("bare/vmlinux/g,1");
	return 0;
}

static int tear_down(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct {
	struct nl_leaf_header header;
	struct nl_leaf_object module;
	struct nl_leaf_site sites[2];
	char strings[64];
} leaf;

/* A leaf that replaces a function of the image, and one of a module. */
static void two_sites(const char *of_image, const char *of_module)
{
	memset(&leaf, 0, sizeof(leaf));
	leaf.header.objects = (struct nl_leaf_part){offsetof(__typeof__(leaf), module), 1};
	leaf.header.sites = (struct nl_leaf_part){offsetof(__typeof__(leaf), sites), 2};
	leaf.header.strings = (struct nl_leaf_part){offsetof(__typeof__(leaf), strings), sizeof(leaf.strings)};
	strcpy(leaf.module.name, "victim");
	strcpy(leaf.strings, of_image);
	strcpy(leaf.strings + 32, of_module);
	leaf.sites[0] = (struct nl_leaf_site){.kind = NL_SITE_TEXT};
	leaf.sites[1] = (struct nl_leaf_site){.kind = NL_SITE_TEXT, .object = 1, .name = 32};
}

static bool meets(void)
{
	struct livepatch l = {.name = ""};
	bool met = livepatch_meets((const uint8_t *)&leaf, sizeof(leaf), &l);

	assert_int_equal(met, l.name[0] != 0);
	assert_true(!met || !strcmp(l.name, "fix"));
	return met;
}

static void by_name_and_object(void **state)
{
	(void)state;
	two_sites("h", "h");
	assert_false(meets());
	two_sites("f", "h");
	assert_true(meets());
	leaf.sites[0].kind = NL_SITE_RODATA; /* a variable of that name */
	assert_false(meets());
	two_sites("h", "victim_check");
	assert_true(meets());
	two_sites("h", "victim_check,2");
	assert_true(meets());
	two_sites("h", "victim_check2");
	assert_false(meets());
	two_sites("victim_check", "f"); /* each in the other object */
	assert_false(meets());
	two_sites("g", "h"); /* of those that are off */
	assert_false(meets());
}

static void what_is_no_leaf(void **state)
{
	struct livepatch l;

	(void)state;
	two_sites("f", "h");
	assert_false(livepatch_meets((const uint8_t *)&leaf, 16, &l));
	leaf.header.sites.count = ~0u;
	assert_false(meets());
	two_sites("f", "h");
	leaf.sites[0].name = ~0u;
	assert_false(meets());
	two_sites("h", "h");
	leaf.sites[1].object = 2;
	assert_false(meets());
}

static void without_livepatches(void **state)
{
	(void)state;
	two_sites("f", "h");
	cli_livepatch_dir = "/nonexistent";
	assert_false(meets());
	cli_livepatch_dir = dir;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(by_name_and_object),
	        cmocka_unit_test(what_is_no_leaf),
	        cmocka_unit_test(without_livepatches),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
