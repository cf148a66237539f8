// SPDX-License-Identifier: Apache-2.0
/*
 * What a function's callers give it and want back, in registers: System V ABI for x86-64, 3.2.3, without floating
 * point, which the kernel has not. A stub (stub.h) can stand between caller and function when that is all.
 */
#ifndef NEWLEAF_AUTHOR_CONTRACT_H
#define NEWLEAF_AUTHOR_CONTRACT_H

#include "body.h"

struct btf_type;

struct contract {
	char *trouble;        /* why no stub can stand before it; NULL = none */
	bool returns_void;    /* then even rax is the caller's */
	unsigned stack_words; /* arguments behind those in registers */
};

/* A type without its typedefs and qualifiers; NULL: damaged. */
const struct btf_type *contract_plain(const struct btf *btf, uint32_t id);

/* Of a FUNC_PROTO. */
struct contract contract_of(const struct btf *btf, uint32_t proto);

/* Is it a function of the assembler? That says of each of its own that it is void f(void), whatever it is. */
bool contract_of_assembler(const struct kernel *k, uint32_t proto, uint64_t va, uint32_t size);

/* Of a function at va, by the kernel's types; false: they do not know it. */
bool contract_by_kernel(const struct kernel *k, const char *name, uint64_t va, uint32_t size, struct contract *c);

/*
 * Of a function without ftrace nop at va, which the kernel calls `name`: by the kernel's types, or where they do not
 * know it by those of the body, and then *unknown says so. body NULL: not compiled yet. Refuses NL_ESITE where no stub
 * can stand before it.
 */
struct contract contract_find(const struct kernel *k, const char *name, uint64_t va, uint32_t size,
                              const struct body *b, const struct body_symbol *body, const char *where, char **unknown);

#endif
