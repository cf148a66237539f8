// SPDX-License-Identifier: Apache-2.0
/* Leaves for modules of the fake guest, and what is to be seen of them: commit_fixture.h and fakemodules.h together. */
#ifndef TESTS_UNIT_MODULE_FIXTURE_H
#define TESTS_UNIT_MODULE_FIXTURE_H

#include "commit_fixture.h"
#include "fakemodules.h"

/* Offsets of sites in their regions. */
#define MODULE_FUNC 0x100u
#define MODULE_FUNC_SIZE 0x40u
#define MODULE_SITE 0x105u /* a jump to the body */
#define MODULE_DATA 0x200u /* 8 bytes that are read-only */
#define INIT_FUNC 0x40u
#define INIT_SITE 0x45u
#define PART 64u /* bytes of text in each part of the body */

enum { WITH_IMAGE = 1, WITH_DATA = 2, WITH_INIT = 4 };

/* m: a leaf with those modules, and sites as `with` says. */
void leaf_modules(const char *id, uint32_t version, const struct nl_leaf_object *objects, unsigned n, unsigned with);
/* The same for one module, of build 0. */
void leaf_module(const char *id, const char *name, unsigned with);

enum look { ORIGINAL, PATCHED, NEITHER };
/* Of the function: a jump to a body that is whole and made for this instance. */
enum look looks(const struct fm *m);
enum look init_looks(const struct fm *m); /* its initialiser */
enum look data_looks(const struct fm *m);
enum look image_looks(void);

/* A module on its way to where its first instruction is next: all steps but the chain's. */
struct fm comes(const char *name, unsigned build, unsigned va_slot, unsigned frame_slot);
uint64_t told_coming(struct fm *m); /* the chain; what it answers */
void lives(struct fm *m);           /* its initialiser has run, and its memory is freed */
struct fm arrives(const char *name, unsigned va_slot,
                  unsigned frame_slot); /* all of it, and the chain says NOTIFY_DONE */
void leaves_memory(struct fm *m);       /* GOING, and all of it; the chain is told */

const struct nl_leaf_module *module_of(const uint8_t sha[32], unsigned n);
uint64_t text_free(void);

int module_setup(void **state);
int old_module_setup(void **state); /* as kernels before 6.4 lay modules out */

#endif
