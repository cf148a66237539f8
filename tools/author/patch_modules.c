// SPDX-License-Identifier: Apache-2.0
/* See patch_modules.h. A package has a kernel and its modules side by side: who gives the one and no -M means the
 * other, too. */
#include "patch_modules.h"
#include "modules.h"

#include <string.h>

static bool is_of_several(const struct unit_command *c) { return strchr(c->module, ':'); }

const struct kernel *unit_kernel(const struct kernel *k, const struct unit_command *c, bool beside)
{
	const struct module *m;

	if (!c->module)
		return k;
	if (is_of_several(c))
		return NULL;
	m = beside || (k->modules && !k->modules->beside) ? module_named(k, c->module) : NULL;
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
