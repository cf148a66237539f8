// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a small kernel module, and as much of a kernel as its reader asks for: from the formats' manuals and from
 * struct module of Linux, of before and since 6.4.
 */
#ifndef TESTS_UNIT_MAKEMODULE_H
#define TESTS_UNIT_MAKEMODULE_H

#include "../../tools/author/modules.h"
#include "makekernel.h"

/* Text with `f` and `init_module`, data of all kinds, relocations that stay and that move. The sections may be changed.
 */
enum {
	MADE_M_NOTE,   /* its build-id */
	MADE_M_TEXT,   /* f: 64 bytes from 0x10 on */
	MADE_M_INIT,   /* .init.text: init_module */
	MADE_M_RODATA, /* table: the address of f */
	MADE_M_MCOUNT, /* __mcount_loc: f */
	MADE_M_INFO,   /* .modinfo */
	MADE_M_DATA,   /* counter, own (a name that the kernel has, too) */
	MADE_M_JUMPS,  /* __jump_table: read-only after init */
	MADE_M_CALLS,  /* .static_call_sites */
	MADE_M_PERCPU, /* here */
	MADE_M_THIS,   /* .gnu.linkonce.this_module */
	MADE_M_BSS,    /* 100 bytes */
	MADE_M_RELA_TEXT,
	MADE_M_RELA_RODATA,
	MADE_M_RELA_MCOUNT,
	MADE_M_SYMTAB,
	MADE_M_STRTAB,
	MADE_M_COUNT
};
#define MADE_M_F 0x10u
#define MADE_M_F_SIZE 64u
/* Symbols, by their number; locals first. */
enum {
	MADE_Y_F = 1,
	MADE_Y_COUNTER,
	MADE_Y_HERE,
	MADE_Y_TABLE,
	MADE_Y_KSYMTAB,
	MADE_Y_INIT,
	MADE_Y_OWN,
	MADE_Y_OUT,
	MADE_Y_FENTRY,
	MADE_Y_REMOTE,
	MADE_Y_COUNT
};

/* release: of the kernel that it is for; name, depends: as .modinfo has them. remote: it needs a function of that name
 * of others, or NULL. */
void make_module(struct made_section s[MADE_M_COUNT], const char *release, const char *name, const char *depends,
                 const char *remote);
struct kernel *make_module_kernel(const char *release, bool one_run);

#endif
