// SPDX-License-Identifier: Apache-2.0
/* The recipe: what a leaf shall do, as its author writes it. docs/reference/recipe.md is its manual. */
#ifndef NEWLEAF_AUTHOR_RECIPE_H
#define NEWLEAF_AUTHOR_RECIPE_H

#include "author.h"

#include <newleaf/leaf.h>

#define RECIPE_MAX NL_LEAF_MAX_SITES
#define RECIPE_OLD_MAX 64u

/* What the author has allowed a source: types that differ, copies of the kernel's variables, per-CPU variables used in
 * a way that nobody can follow. */
enum recipe_allow { ALLOW_TYPES = 1, ALLOW_PRIVATE = 2, ALLOW_PERCPU = 4 };

struct recipe_symbol { /* NAME, NAME,2 (the second place of that name), NAME+0x10, MODULE:NAME */
	char *name;
	char *module;      /* NULL = whoever has the name; "vmlinux" = the kernel */
	uint32_t position; /* 0 = must be the only one */
	int64_t addend;
};

struct recipe_value {
	bool address; /* &symbol, else a number */
	struct recipe_symbol symbol;
	uint64_t number;
};

struct recipe_data { /* data (TYPE) SYMBOL.PATH = VALUE [expect VALUE] */
	uint32_t line;
	char *type; /* "struct x", "union x", "u8" ... "u64" */
	struct recipe_symbol symbol;
	char *path; /* "" for the plain types */
	struct recipe_value value, expect;
	bool has_expect;
};

enum recipe_origin {
	FROM_SOURCE, /* replace FUNCTION with SOURCE[:BODY] [old HASH...] [allow WORD]... */
	FROM_ITSELF, /* transplant FUNCTION: its own code, at another place */
	FROM_VALUE,  /* kill FUNCTION [= VALUE] */
};

struct recipe_replace {
	uint32_t line;
	enum recipe_origin origin;
	struct recipe_symbol function;
	char *source, *body;       /* source: NULL unless from one */
	char *old[RECIPE_OLD_MAX]; /* hashes of functions that the source may replace: their first digits */
	size_t n_old;
	bool allow_clones, allow_aliases, allow_callers, allow_old;
	bool has_value;
	int64_t value; /* what a killed function returns */
};

struct recipe_fact { /* cve ID, author TEXT, ... requires ID [VERSION] */
	enum nl_fact_kind kind;
	char *text;
	uint32_t version;
};

struct recipe_alias { /* symbol NAME = KERNEL-SYMBOL */
	char *name;
	struct recipe_symbol symbol;
};

struct recipe {
	char *path, *directory;
	char *id, *description;
	uint32_t version;
	enum nl_consistency consistency;
	uint32_t confirm_s; /* on probation for so long; 0: not */
	struct recipe_data data[RECIPE_MAX];
	struct recipe_replace replace[RECIPE_MAX];
	struct recipe_alias alias[RECIPE_MAX];
	char *source[RECIPE_MAX];   /* each once, relative to directory */
	unsigned allow[RECIPE_MAX]; /* of each source: enum recipe_allow */
	uint32_t counter_cpus;      /* count the calls of each replaced function, in so many rows; 0 = do not */
	struct recipe_fact fact[RECIPE_MAX];
	size_t n_data, n_replace, n_alias, n_source, n_fact;
	bool is_part; /* of a recipe for several objects (objects.h) */
};

struct recipe *recipe_parse(const char *path, const char *text); /* refuses NL_ERECIPE with path:line */
struct recipe *recipe_read(const char *path);
bool recipe_consistency(const char *word, enum nl_consistency *out); /* switch, strict, mixable; false: none of them */

#endif
