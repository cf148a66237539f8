// SPDX-License-Identifier: Apache-2.0
/* See patch_modules.h. A package has a kernel and its modules side by side: who gives the one and no -M means the
 * other, too. */
#include "patch_modules.h"
#include "modules.h"

#include <string.h>

static bool found_beside;

/* Below the directory in which the kernel's own is: boot/vmlinuz-R and lib/modules/R; since 7.x both in the latter. */
static void look_beside(struct kernel *k)
{
	const char *slash = strrchr(k->path, '/');
	char *directory = slash ? xformat("%.*s", (int)(slash - k->path), k->path) : xformat(".");

	char *path = xformat("%s/../lib/modules/%s", directory, k->release);

	if (!file_exists(
	            path)) /* the kernel lies there itself, or its package was unpacked beside that of the modules */
		path = directory;
	found_beside = file_exists(xformat("%s/kernel", path));
	if (found_beside)
		modules_add(k, path);
}

static bool is_of_several(const struct unit_command *c) { return strchr(c->module, ':'); }

const struct kernel *unit_kernel(const struct kernel *k, const struct unit_command *c, bool beside)
{
	const struct module *m;

	if (!c->module)
		return k;
	if (is_of_several(c))
		return NULL;
	if (!k->modules && beside)
		look_beside((struct kernel *)(uintptr_t)k);
	m = k->modules && (beside || !found_beside) ? module_named(k, c->module) : NULL;
	return m ? module_view(k, m) : NULL;
}

void unit_refuse_module(const struct kernel *k, const struct unit_command *c)
{
	if (is_of_several(c))
		refuse(NL_EUNSUPPORTED,
		       "%s is a part of several modules (%s), and a leaf changes a function at one place", c->path,
		       c->module);
	refuse(NL_EUNSUPPORTED,
	       "%s is a part of the module %s, and %s. Give the modules of %s by -M: a directory with them, as "
	       "scripts/get-kernel linux-image-%s prints, or the file %s.ko",
	       c->path, c->module,
	       k->modules ? "none of that name is among those given by -M"
	                  : "the kernel file has no directory of modules beside it",
	       k->release, k->release, c->module);
}

char *unit_kernel_text(const struct kernel *k)
{
	return k->module ? xformat("the module %s", k->module->name) : xformat("the image");
}
