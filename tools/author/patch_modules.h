// SPDX-License-Identifier: Apache-2.0
/* Of which object a unit is a part: the image, or a module, by what the kernel's makefiles say when they compile it. */
#ifndef NEWLEAF_AUTHOR_PATCH_MODULES_H
#define NEWLEAF_AUTHOR_PATCH_MODULES_H

#include "kernel.h"
#include "patch_compile.h"

/* The kernel as the unit sees it: the image, or the view of its module. NULL: of a module that was not given, or is not
 * beside the kernel file where nothing was (`beside`: that counts). */
const struct kernel *unit_kernel(const struct kernel *k, const struct unit_command *c, bool beside);
/* What to do about it. */
_Noreturn void unit_refuse_module(const struct kernel *k, const struct unit_command *c);
/* "the image", or "the module ext4" */
char *unit_kernel_text(const struct kernel *k);

#endif
