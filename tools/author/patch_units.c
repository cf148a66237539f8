// SPDX-License-Identifier: Apache-2.0
/*
 * Kbuild visits a directory by `make -f scripts/Makefile.build obj=DIR`, which then knows the objects of the directory
 * (real-obj-y, lib-y) and those below (DIR/built-in.a); of modules, real-obj-m and all directories below. One more
 * goal, read by each of these makes before its own makefiles (MAKEFILES), has them written down instead of built: every
 * condition of every makefile is Kbuild's own.
 */
#include "patch_units.h"
#include "lot.h"
#include "patch_compile.h"

#include <stdlib.h>
#include <string.h>

static const char of_modules[] =
        "newleaf-units:\n"
        "\t@:$(foreach o,$(if $(obj),$(real-obj-m)),$(file >>$(newleaf-list),$o))\n"
        "\t@for d in $(sort $(if $(obj),$(subdir-ym),$(or $(vmlinux-dirs),$(build-dir)))); do "
        "$(MAKE) -s -f $(srctree)/scripts/Makefile.build obj=$$d need-builtin=1 need-modorder=1 newleaf-units || "
        "exit; done\n"
        ".PHONY: newleaf-units\n";

static const char of_image[] =
        "newleaf-units:\n"
        "\t@:$(foreach o,$(if $(obj),$(real-obj-y) $(lib-y),$(KBUILD_VMLINUX_OBJS)),"
        "$(if $(filter %.a,$o),$(eval newleaf-in += $(dir $o)),$(file >>$(newleaf-list),$o)))\n"
        "\t@for d in $(sort $(patsubst %/,%,$(newleaf-in))); do $(MAKE) -s -f $(srctree)/scripts/Makefile.build "
        "obj=$$d need-builtin=1 need-modorder=1 newleaf-units || exit; done\n"
        ".PHONY: newleaf-units\n";

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Without ./ before it, and .c instead of .o. What has neither a .c nor a .S is generated, as C. */
static void add(struct unit_list *u, const struct tree *t, const char *object)
{
	size_t n;

	while (!strncmp(object, "./", 2))
		object += 2;
	n = strlen(object);
	if (n < 3 || strcmp(object + n - 2, ".o"))
		return;
	u->unit[u->n++] = xformat("%.*s.c", (int)(n - 2), object);
	if (file_exists(xformat("%s/%.*s.S", t->source, (int)(n - 2), object)) &&
	    !file_exists(xformat("%s/%s", t->source, u->unit[u->n - 1])))
		u->unit[u->n - 1][n - 1] = 'S';
}

static struct unit_list list(const struct tree *t, const char *goal)
{
	char *list = xformat("%s/units", t->work), *makefile = xformat("%s/units.mk", t->work);
	char *log = xformat("%s/units.log", t->work), *text;
	struct unit_list u = {0}, all = {0};
	struct buf b;
	int status;

	file_write(makefile, goal, strlen(goal), 0600);
	file_write(list, "", 0, 0600);
	status = kbuild_run(t, xformat("MAKEFILES=%s", makefile), xformat("newleaf-list=%s", list),
	                    xformat("newleaf-units"), log);
	b = file_read(list, 16u << 20);
	if (status || !b.n)
		refuse(NL_EENVIRONMENT, "the kernel's makefiles do not say what they build: %s", kbuild_error(log));
	text = xformat("%.*s", (int)b.n, (char *)b.p);
	all.unit = xalloc((b.n + 1) * sizeof(*all.unit));
	for (char *o = strtok(text, " \n"); o; o = strtok(NULL, " \n"))
		add(&all, t, o);
	qsort(all.unit, all.n, sizeof(*all.unit), by_text);
	u.unit = xalloc((all.n + 1) * sizeof(*u.unit));
	for (size_t i = 0; i < all.n; i++) {
		if (i && !strcmp(all.unit[i], all.unit[i - 1])) /* a makefile may name it twice */
			continue;
		if (all.unit[i][strlen(all.unit[i]) - 1] == 'S')
			u.assembler++;
		else
			u.unit[u.n++] = all.unit[i];
	}
	return u;
}

struct unit_list units_of_image(const struct tree *t) { return list(t, of_image); }
struct unit_list units_of_modules(const struct tree *t) { return list(t, of_modules); }

/* a/../b/c.c is b/c.c */
static char *straight(const char *path)
{
	char *p = xformat("%s", path), *up;

	while ((up = strstr(p, "/../"))) {
		char *from = up;

		while (from > p && from[-1] != '/')
			from--;
		memmove(from, up + 4, strlen(up + 4) + 1);
	}
	return p;
}

char *units_spelled(const struct tree *t, const char *unit)
{
	static struct unit_list all;

	if (!all.n)
		all = list(t, of_modules);
	for (size_t i = 0; i < all.n; i++)
		if (strstr(all.unit[i], "/../") && !strcmp(straight(all.unit[i]), unit))
			return all.unit[i];
	return NULL;
}

size_t units_draw(struct unit_list *u, size_t count, uint64_t seed)
{
	uint64_t state = lot_start(seed);

	count = count < u->n ? count : u->n;
	for (size_t i = 0; i < count; i++) {
		size_t j = i + lot_draw(&state, u->n - i);
		char *drawn = u->unit[j];

		u->unit[j] = u->unit[i];
		u->unit[i] = drawn;
	}
	return count;
}
