// SPDX-License-Identifier: Apache-2.0
/*
 * Modules of the fake guest (fakeguest.h): a list, struct module inside each module's own data, pages of its own at
 * addresses of the module space, and a chain of notifiers with its semaphore. The steps of a load and of an unload are
 * the caller's, in whatever order he likes.
 */
#ifndef TESTS_UNIT_FAKEMODULES_H
#define TESTS_UNIT_FAKEMODULES_H

#include "fakeguest.h"

#define FM_SPACE 0xffffffffc0000000ULL /* 8 MiB of module space */
#define FM_RAM 0x800000ULL             /* frames for modules: FM_PAGES of them */
#define FM_PAGES 64u
#define FM_MODULES 0x30e000ULL /* offsets in the image: the list's head, */
#define FM_NOTIFY 0x30e040ULL  /* and module_notify_list */
#define FM_OTHER 0x30e100ULL   /* somebody else's notifier_block, the first before we come */

/* Regions of each module, in this order in its object. From 6.4 on each has memory of its own; before, one run for all
 * and one for what is freed (fm_start). */
enum { FM_TEXT, FM_RODATA, FM_DATA, FM_INIT_TEXT, FM_PERCPU, FM_REGIONS };
#define FM_TEXT_SIZE 0x2000u
#define FM_RODATA_SIZE 0x1000u
#define FM_DATA_SIZE 0x1000u
#define FM_INIT_SIZE 0x1000u
#define FM_MODULE_SIZE 0x200u /* of struct module */
#define FM_STRUCT 0x80u       /* where it lies in the data */
#define FM_NOTE 0x20u         /* the build-id, in what is read-only */

enum { FM_LIVE, FM_COMING, FM_GOING, FM_UNFORMED };

struct fm {
	char name[NL_OBJECT_NAME_LEN];
	unsigned build;
	bool listed;
	uint64_t va;                /* of struct module */
	uint64_t base[FM_REGIONS];  /* 0: freed */
	uint32_t frame[FM_REGIONS]; /* first page of each, as an offset in RAM */
};

/* The target's fields, an empty list, one notifier of somebody else's. `old`: as kernels before 6.4 have it. */
void fm_start(bool old);
/* The object of a leaf for a module of that name and build. */
struct nl_leaf_object fm_object(const char *name, unsigned build);
/* What a byte of the module is, whose build that is; offsets as sites have them. */
uint8_t fm_byte(const char *name, unsigned build, unsigned region, uint32_t offset);
/* The offset in a region's own run that a site would have at `at` of the region itself. */
uint32_t fm_offset(unsigned region, uint32_t at);

#define FM_SLOT_PAGES 8u /* a module takes no more: its place is a slot of the module space, its memory one of RAM */
/* Its memory is there and its text is in it; struct module too, UNFORMED. Not on the list. */
struct fm fm_load(const char *name, unsigned build, unsigned va_slot, unsigned frame_slot);
void fm_list(struct fm *m);
void fm_unlist(struct fm *m);
void fm_state(struct fm *m, unsigned state);
void fm_init_done(struct fm *m); /* what only the initialiser needed is freed, and filled by somebody else */
void fm_free(struct fm *m);      /* all of it is, and nothing maps it any more */
void fm_reuse(uint32_t frame, unsigned pages);  /* somebody else fills it: fm_reused */
bool fm_reused(uint32_t frame, unsigned pages); /* is it as he left it? */

uint8_t *fm_at(const struct fm *m, unsigned region, uint32_t offset); /* home frame of a byte */
uint8_t *fm_struct(const struct fm *m);
void fm_map(uint64_t va, uint64_t gpa); /* one page of the module space; gpa 0: none */

uint64_t *fm_rwsem(void); /* the chain's count */
uint64_t *fm_chain(void); /* its first block */
bool fm_hooked(void);     /* is ours the first of it, and the other behind? */
/* What the call of our block does, with that event: the answer of who is asked, or of the stub itself. */
uint64_t fm_tell(uint64_t va, unsigned event);
struct nl_context fm_context(void); /* of a CPU at the stub's question */

#endif
