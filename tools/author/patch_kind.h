// SPDX-License-Identifier: Apache-2.0
/* How the kernel holds what a section has: what may be done to it, and until when it is there. */
#ifndef NEWLEAF_AUTHOR_PATCH_KIND_H
#define NEWLEAF_AUTHOR_PATCH_KIND_H

#include "patch_object.h"

enum kind {
	KIND_CODE,
	KIND_CONSTANT,
	KIND_AFTER_INIT, /* writable until boot is over */
	KIND_WRITABLE,
	KIND_BOOT, /* gone when boot is over */
	KIND_EXIT, /* never there in a built-in unit */
	KIND_OTHER /* told apart by the section's name */
};

enum kind unit_kind(const struct unit_section *s);
bool unit_same_kind(const struct unit_section *x, const struct unit_section *y);
/* For boot or a module's end alone; also the lists that boot calls. */
bool unit_is_of_boot(const struct unit_section *s);
/* Addresses of functions stand in it, or of what other units have. */
bool unit_holds_functions(const struct unit *u, const struct unit_symbol *s);
/* How a datum is aligned; 0: not known, since others share the section. */
uint32_t unit_alignment(const struct unit *u, const struct unit_symbol *s);
/* "constant", "writable", ...; for messages */
const char *unit_kind_text(const struct unit_section *s);

#endif
