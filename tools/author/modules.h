// SPDX-License-Identifier: Apache-2.0
/*
 * The modules that the user gave (-M), and a kernel as one of them sees it.
 *
 * A view is a struct kernel whose sections, symbols, relocations and types are the image's with the module's own behind
 * them. What asks by address finds either; what asks by name finds the module's own first, then what the loader gives
 * it, then the image's, then what the modules export that it depends on. So whatever looks at a function of the image
 * looks at one of a module by the module's view.
 */
#ifndef NEWLEAF_AUTHOR_MODULES_H
#define NEWLEAF_AUTHOR_MODULES_H

#include "module.h"

#define MODULES_GIVEN_MAX 16u

struct modules_file {
	char *path, *name; /* as the file is called */
	struct module *read;
};

struct modules {
	struct modules_file *file;
	size_t n, room;
	uint64_t next; /* address for the one that is read next */
	bool beside;   /* nobody gave them: they lie beside the kernel file */
};

struct modules_given { /* -M, as often as it was there */
	const char *path[MODULES_GIVEN_MAX];
	size_t n;
};
void modules_give(struct modules_given *g, const char *path);
struct kernel *kernel_open_with(const char *kernel, const struct modules_given *g);

/* A module's file, or a directory: an unpacked package, /lib/modules, or any with modules in it and below. Refuses
 * NL_EENVIRONMENT. */
void modules_add(struct kernel *k, const char *path);

/* By its name; dashes are underscores. NULL = there is none. Refuses what its file is refused for. Without any -M those
 * beside the kernel file are looked at, as a package has them. */
const struct module *module_named(const struct kernel *k, const char *name);
/* Those that define a symbol; says how many, of which the first `max` go to found[]. */
size_t modules_with(const struct kernel *k, const char *symbol, const struct module **found, size_t max);
/* Whose address is it? NULL = of no module that was read. */
const struct module *module_at(const struct kernel *k, uint64_t va);

/* NULL: the image itself. */
const struct kernel *module_view(const struct kernel *k, const struct module *m);
/* The view of who has the address. */
const struct kernel *view_at(const struct kernel *k, uint64_t va);

/* The image's, and its own: since 5.11 a module says them. */
const struct btf *module_types(const struct module *m);

/* module_relocs.c: what the loader makes of the sections, and the fields in them that depend on where things are.
 * `find` says where an undefined symbol is. Sections and fields are added in order of address. */
void module_relocate(const struct module *m, uint64_t (*find)(const struct module *m, const char *name),
                     struct ksection *sections, size_t *n_sections, struct krelocs *fields);

#endif
