// SPDX-License-Identifier: Apache-2.0
/* The leaf of test_stand.c: one instruction in a function, no body. */
#include "target.h"

struct file {
	struct nl_leaf_header header;
	struct nl_leaf_site site;
	uint32_t pad;
	uint8_t expected[FAKE_INSN_SIZE], fresh[FAKE_INSN_SIZE];
	char strings[8];
};
#define PART(member, n) \
	{ \
		offsetof(struct file, member), n \
	}
extern const struct file leaf;
const struct file leaf __attribute__((section(".leaf"))) = {
        .header = {.magic = NL_LEAF_MAGIC,
                   .format = NL_LEAF_FORMAT,
                   .header_size = sizeof(struct nl_leaf_header),
                   .signed_size = sizeof(struct file),
                   .version = 1,
                   .consistency = NL_CONSISTENCY_MIXABLE,
                   .id = "test-stand",
                   .objects = PART(site, 0),
                   .sites = PART(site, 1),
                   .relocs = PART(expected, 0),
                   .facts = PART(expected, 0),
                   .bytes = PART(expected, 2 * FAKE_INSN_SIZE),
                   .text = PART(strings, 0),
                   .data = PART(strings, 0),
                   .strings = PART(strings, 8),
                   .target = {FAKE_TARGET}},
        .site = {.region = NL_KERNEL_TEXT,
                 .offset = FAKE_INSN - FAKE_IMAGE,
                 .len = FAKE_INSN_SIZE,
                 .kind = NL_SITE_TEXT,
                 .expected = 0,
                 .fresh = FAKE_INSN_SIZE,
                 .func_offset = FAKE_FUNCTION - FAKE_IMAGE,
                 .func_size = FAKE_PLACE},
        .expected = FAKE_INSN_OLD,
        .fresh = FAKE_INSN_NEW,
        .strings = "a site",
};
