// SPDX-License-Identifier: Apache-2.0
/*
 * A fake guest (fakeguest.h) whose agent makes hypercalls: the calls, leaves to stage, and all that the guest could
 * notice before and after.
 */
#ifndef TESTS_UNIT_COMMIT_FIXTURE_H
#define TESTS_UNIT_COMMIT_FIXTURE_H

#include "host.h"
#include "fakeguest.h"
#include "makeleaf.h"
#include <newleaf/hypercall.h>

#define TEXT_SITE 0x5005ULL
#define FUNC 0x5000ULL
#define FUNC_SIZE 0x80u
#define HALF 0x7000ULL /* code of another page that belongs to FUNC */
#define DATA_SITE 0x200100ULL
#define SLIDE 0x12000000ULL

extern uint8_t file[NL_LEAF_MAX_SIZE + 256]; /* the leaf that is staged, */
extern struct make_leaf m;                   /* and what it is made of */
extern uint32_t commit_flags;                /* of the requests */
extern uint64_t out_rcx, out_r8;             /* of the last call */

void start(uint64_t slide, bool la57, bool pti);
int setup(void **state); /* a guest at SLIDE */
int teardown(void **state);

enum nl_err call(enum nl_call number, uint64_t buffer, uint64_t length, uint64_t rcx, uint64_t r8);
enum nl_err stage(size_t size);
enum nl_err verify(void);
enum nl_err verify_leaf(uint8_t sha[32]); /* writes, signs, stages and verifies m */
enum nl_err prepare_some(const uint8_t (*set)[32], unsigned count, uint64_t expected); /* one call, */
/* and as many as it takes; NL_AGAIN: a hundred were not enough */
enum nl_err prepare(const uint8_t (*set)[32], unsigned count, uint64_t expected);
enum nl_err try_it(void);
enum nl_err commit(const uint8_t (*set)[32], unsigned count);
struct nl_verify_report *verify_report(void);
struct nl_commit_report *commit_report(void);

void leaf_text_and_data(const char *id, uint32_t version);
void leaf_rodata(const char *id, uint64_t offset, uint8_t fresh);
uint64_t shown64(uint64_t offset);

struct moment {
	uint8_t *seen, *home;
	uint64_t generation;
	size_t free_pages;
};
struct moment before(void);
void unchanged(struct moment was); /* forgets the moment */

#endif
