// SPDX-License-Identifier: Apache-2.0
/* The kernel that the leaves of this folder are for (fake_linux.h), as a leaf says it. */
#ifndef GUEST_LEAF_TARGET_H
#define GUEST_LEAF_TARGET_H

#include "../fake_linux.h"
#include <newleaf/leaf.h>

#define FAKE_RUN(at) \
	{ \
		(at) - FAKE_IMAGE, FAKE_PLACE \
	}
/* All leaves say the same of the kernel: the core takes what one of them says. */
#define FAKE_TARGET \
	.kernel = {.kind = NL_OBJECT_KERNEL, \
	           .n_regions = NL_KERNEL_REGIONS, \
	           .name = "vmlinux", \
	           .build_id = FAKE_ID, \
	           .build_id_len = sizeof(FAKE_ID) - 1, \
	           .build_id_offset = FAKE_BUILD_ID - FAKE_IMAGE, \
	           .regions = {{NL_MEM_IMAGE, FAKE_SIZE, 0, 0, FAKE_IMAGE}, \
	                       {NL_MEM_TEXT, FAKE_RODATA - FAKE_IMAGE, 0, 0, FAKE_IMAGE}, \
	                       {NL_MEM_RODATA, NL_PAGE_SIZE, 0, 0, FAKE_RODATA}}}, \
	.guest_os = NL_GUEST_LINUX, .syscall_entry = FAKE_SYSCALL, .page_table = FAKE_PAGE_TABLE, \
	.init_task = FAKE_INIT_TASK, .per_cpu_offset = FAKE_PER_CPU, .runqueues = FAKE_RUNQUEUES, \
	.nr_cpu_ids_max = 64, .task_tasks = FAKE_TASK_TASKS, .task_stack = FAKE_TASK_STACK, \
	.task_thread_sp = FAKE_TASK_SP, .task_pid = 0x28, .task_comm = 0x30, .task_on_cpu = {FAKE_TASK_ON_CPU, 4}, \
	.task_on_rq = {0x64, 4}, .task_cfs_node = 0x70, .task_rt_node = 0x80, .rq_cfs_tasks = FAKE_RQ_TASKS, \
	.rq_rt_queues = 0x100, .rq_cfs = 4, .rq_rt = 8, .rq_curr = FAKE_RQ_CURR, .rq_stop = 0x28, .rq_dl_bw = 0x30, \
	.thread_size = FAKE_STACK, .returns = {FAKE_RUN(FAKE_RETURN)}, \
	.nowhere = {FAKE_RUN(FAKE_NOWHERE(0)), FAKE_RUN(FAKE_NOWHERE(1)), FAKE_RUN(FAKE_NOWHERE(2)), \
	            FAKE_RUN(FAKE_NOWHERE(3))}, \
	.irq_stack = FAKE_IRQ_STACK, .probe_slots = {FAKE_SLOTS, FAKE_SLOTS + FAKE_CACHE}, \
	.slots_pages = FAKE_SLOTS_PAGES, .slots_list = 0, .slots_insns = 0x10

#endif
