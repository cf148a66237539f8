// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf that the test kernel applies to itself: one site in read-only data, no body. rules.mk copies this object's
 * data into a file and has it signed.
 */
#include "target.h"

struct file {
	struct nl_leaf_header header;
	struct nl_leaf_site site;
	uint32_t pad;
	char expected[8], fresh[8], strings[8];
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
                   .id = "test-kernel",
                   .objects = PART(site, 0),
                   .sites = PART(site, 1),
                   .relocs = PART(expected, 0),
                   .facts = PART(expected, 0),
                   .bytes = PART(expected, 16),
                   .text = PART(strings, 0),
                   .data = PART(strings, 0),
                   .strings = PART(strings, 8),
                   .target = {FAKE_TARGET}},
        .site = {.region = NL_KERNEL_RODATA,
                 .offset = FAKE_SITE - FAKE_RODATA,
                 .len = 8,
                 .kind = NL_SITE_RODATA,
                 .expected = 0,
                 .fresh = 8},
        .expected = FAKE_OLD,
        .fresh = FAKE_NEW,
        .strings = "a site",
};
