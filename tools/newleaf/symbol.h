// SPDX-License-Identifier: Apache-2.0
/*
 * What stands at an address of the running kernel, for people: function+0x5. A leaf's file says it of the functions
 * that it replaces. Of all else only /proc/kallsyms does, which costs the kernel 2,000 instructions a line, of which it
 * has a hundred thousand: it is read once, only when somebody asks, no further than need be, and not before others.
 */
#ifndef NEWLEAF_SYMBOL_H
#define NEWLEAF_SYMBOL_H

#include "cli.h"

/* /proc/kallsyms, /proc/modules and /sys/module; tests have their own. */
extern const char *symbol_list, *symbol_modules, *symbol_sysfs;

/* Answer from this file, too, which must stay until symbol_forget(). The hypervisor has taken it for the leaf of the
 * kernel that runs. */
void symbol_learn(const struct cli_leaf_file *f);
void symbol_forget(void); /* the files, and what was read */

#endif
