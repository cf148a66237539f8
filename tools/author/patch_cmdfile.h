// SPDX-License-Identifier: Apache-2.0
/* How Kbuild compiled a unit, from the .cmd file that it leaves beside the object. */
#ifndef NEWLEAF_AUTHOR_PATCH_CMDFILE_H
#define NEWLEAF_AUTHOR_PATCH_CMDFILE_H

#include "patch_compile.h"

#define COMMAND_WORDS 512

/* False: not a command of this compiler for a source in C. */
bool command_parse(const char *text, const char *cc, struct unit_command *c);

#endif
