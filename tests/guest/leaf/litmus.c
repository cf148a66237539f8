// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf of the litmus test: a pass, functions and data, each on a page of its own, all of one fix. Strict: nobody
 * may be inside a pass when it is put on or taken off. What stands here is the file as far as its bodies
 * (litmus_body.S); rules.mk puts both together and has them signed.
 */
#include "../litmus.h"
#include <newleaf/leaf.h>

#define NOP 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0
#define JUMP 0xe9, 0, 0, 0, 0, 0x0f, 0x1f, 0
#define OLD 0, 0, 0, 0, 0, 0, 0, 0
#define NEW 1, 0, 0, 0, 0, 0, 0, 0

struct file {
	struct nl_leaf_header header;
	struct nl_leaf_site sites[LIT_VERSIONS];
	struct nl_leaf_reloc relocs[1 + LIT_N] __attribute__((aligned(8)));
	uint8_t bytes[LIT_VERSIONS][2][8];
};
#define PART(member, n) \
	{ \
		offsetof(struct file, member), n \
	}
#define TEXT_SITE(n, at, size) \
	{ \
		.region = NL_KERNEL_TEXT, .offset = (n)*LIT_PAGE + (at), .len = LIT_NOP, .kind = NL_SITE_TEXT, \
		.expected = (n)*16, .fresh = (n)*16 + 8, .func_offset = (n)*LIT_PAGE + (at), .func_size = (size) \
	}
#define DATA_SITE(n) \
	{ \
		.region = NL_KERNEL_RODATA, .offset = (n)*LIT_PAGE + LIT_DATUM, .len = 8, .kind = NL_SITE_RODATA, \
		.expected = (1 + LIT_N + (n)) * 16, .fresh = (1 + LIT_N + (n)) * 16 + 8 \
	}
#define JUMP_TO(n, to) \
	{ \
		.where = NL_AT_BYTES, .type = NL_REL_PC32, .symbol = NL_SYM_TEXT, .site = (n), \
		.offset = (n)*16 + 8 + 1, .value = (to), .addend = -4 \
	}
#define FUNCTION(n) TEXT_SITE(1 + (n), LIT_FUNCTION, LIT_FUNCTION_SIZE)
#define JUMP_FUNCTION(n) JUMP_TO(1 + (n), LIT_BODY_FUNCTION + (n)*LIT_BODY_STEP)

extern const struct file leaf;
const struct file leaf __attribute__((section(".leaf"))) = {
        .header = {.magic = NL_LEAF_MAGIC,
                   .format = NL_LEAF_FORMAT,
                   .header_size = sizeof(struct nl_leaf_header),
                   .signed_size = sizeof(struct file) + LIT_BODY_SIZE + 7,
                   .version = 1,
                   .consistency = NL_CONSISTENCY_STRICT,
                   .id = "litmus",
                   .objects = PART(sites, 0),
                   .sites = PART(sites, LIT_VERSIONS),
                   .relocs = PART(relocs, 1 + LIT_N),
                   .facts = PART(bytes, 0),
                   .bytes = PART(bytes, LIT_VERSIONS * 16),
                   .text = {sizeof(struct file), LIT_BODY_SIZE},
                   .data = {sizeof(struct file) + LIT_BODY_SIZE, 0},
                   .strings = {sizeof(struct file) + LIT_BODY_SIZE, 7},
                   .target = {.kernel = {.kind = NL_OBJECT_KERNEL,
                                         .n_regions = NL_KERNEL_REGIONS,
                                         .name = "vmlinux",
                                         .build_id = LIT_ID,
                                         .build_id_len = sizeof(LIT_ID) - 1,
                                         .build_id_offset = LIT_RODATA - LIT_IMAGE + LIT_BUILD_ID,
                                         .text = {0, LIT_BODY_SIZE},
                                         .regions = {{NL_MEM_IMAGE, LIT_SIZE, 0, 0, LIT_IMAGE},
                                                     {NL_MEM_TEXT, LIT_TEXT_PAGES *LIT_PAGE, 0, 0, LIT_TEXT},
                                                     {NL_MEM_RODATA, LIT_N *LIT_PAGE, 0, 0, LIT_RODATA}}},
                              .guest_os = NL_GUEST_LINUX,
                              .syscall_entry = LIT_TEXT,
                              .page_table = LIT_PAGE_TABLE,
                              .arena_pmd = LIT_PMD,
                              .init_task = LIT_INIT_TASK,
                              .per_cpu_offset = LIT_PER_CPU,
                              .runqueues = 0x40,
                              .nr_cpu_ids_max = 64,
                              .task_tasks = LIT_TASK_TASKS,
                              .task_stack = LIT_TASK_STACK,
                              .task_thread_sp = LIT_TASK_SP,
                              .task_pid = LIT_TASK_PID,
                              .task_comm = LIT_TASK_COMM,
                              .task_on_cpu = {LIT_TASK_ON_CPU, 4},
                              .task_on_rq = {LIT_TASK_ON_CPU + 4, 4},
                              .task_cfs_node = 0x70,
                              .task_rt_node = 0x80,
                              .rq_cfs_tasks = 0x10,
                              .rq_rt_queues = 0x100,
                              .rq_cfs = 4,
                              .rq_rt = 8,
                              .rq_curr = 0x20,
                              .rq_stop = 0x28,
                              .rq_dl_bw = 0x30,
                              .thread_size = LIT_STACK_SIZE}},
        .sites = {TEXT_SITE(0, LIT_PASS, LIT_PASS_SIZE), FUNCTION(0), FUNCTION(1), FUNCTION(2), FUNCTION(3),
                  DATA_SITE(0), DATA_SITE(1), DATA_SITE(2), DATA_SITE(3)},
        .relocs = {JUMP_TO(0, 0), JUMP_FUNCTION(0), JUMP_FUNCTION(1), JUMP_FUNCTION(2), JUMP_FUNCTION(3)},
        .bytes = {{{NOP}, {JUMP}},
                  {{NOP}, {JUMP}},
                  {{NOP}, {JUMP}},
                  {{NOP}, {JUMP}},
                  {{NOP}, {JUMP}},
                  {{OLD}, {NEW}},
                  {{OLD}, {NEW}},
                  {{OLD}, {NEW}},
                  {{OLD}, {NEW}}},
};
_Static_assert(LIT_N == 4, "a row for each");
