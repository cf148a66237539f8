// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf that the test kernel applies to itself: one site in read-only data, no body. rules.mk copies this object's
 * data into a file and has it signed.
 */
#include "../fake_linux.h"
#include <newleaf/leaf.h>

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
                   .target = {.kernel = {.kind = NL_OBJECT_KERNEL,
                                         .n_regions = NL_KERNEL_REGIONS,
                                         .name = "vmlinux",
                                         .build_id = FAKE_ID,
                                         .build_id_len = sizeof(FAKE_ID) - 1,
                                         .build_id_offset = FAKE_BUILD_ID - FAKE_IMAGE,
                                         .regions = {{NL_MEM_IMAGE, FAKE_SIZE, 0, 0, FAKE_IMAGE},
                                                     {NL_MEM_TEXT, FAKE_RODATA - FAKE_IMAGE, 0, 0, FAKE_IMAGE},
                                                     {NL_MEM_RODATA, NL_PAGE_SIZE, 0, 0, FAKE_RODATA}}},
                              .guest_os = NL_GUEST_LINUX,
                              .syscall_entry = FAKE_SYSCALL,
                              .page_table = FAKE_PAGE_TABLE,
                              .init_task = FAKE_INIT_TASK,
                              .per_cpu_offset = FAKE_PER_CPU,
                              .runqueues = 0x40,
                              .nr_cpu_ids_max = 64,
                              .task_tasks = FAKE_TASK_TASKS,
                              .task_stack = 0x18,
                              .task_thread_sp = 0x20,
                              .task_pid = 0x28,
                              .task_comm = 0x30,
                              .task_on_cpu = {0x60, 4},
                              .task_on_rq = {0x64, 4},
                              .task_cfs_node = 0x70,
                              .task_rt_node = 0x80,
                              .rq_cfs_tasks = 0x10,
                              .rq_rt_queues = 0x100,
                              .rq_cfs = 4,
                              .rq_rt = 8,
                              .rq_curr = 0x20,
                              .rq_stop = 0x28,
                              .rq_dl_bw = 0x30,
                              .thread_size = 16384}},
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
