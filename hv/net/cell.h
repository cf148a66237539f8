// SPDX-License-Identifier: Apache-2.0
/*
 * Cells: an image as include/newleaf/net.h describes it, in memory of its own, run at CPL 3 in a second guest context.
 * What it can do to anybody is to call, and to take the time that it is given. Not here: what a call means, when a cell
 * runs, and that one CPU at a time has it.
 */
#pragma once

#include "cell_ops.h"
#include <newleaf/net.h>

struct nl_cell_room { /* a cell and what it was made from */
	struct nl_cell cell;
	struct nl_net_header head; /* checked; the core's own copy */
	const uint8_t *image;
	uint8_t *memory; /* head.memory_size bytes */
	bool barrier;    /* the CPU has IBPB */
	uint32_t runner; /* the CPU that runs it, */
	uint64_t until;  /* and the TSC until when; 0: it does not run */
	uint64_t spent;  /* ticks since it last called: what the caller bounds it by in all */
};

/* NL_OK or NL_EUSAGE: is this `size` bytes of an image as net.h describes it? */
enum nl_err nl_cell_check(const void *image, size_t size, struct nl_net_header *out);

/* Once, in the core's initialisation behind machine_init: memory and tables from the pool. The image must stay where it
 * is. NL_EUSAGE, NL_ENOMEM, NL_EUNSUPPORTED (this CPU cannot). What was taken from the pool is not given back. */
enum nl_err nl_cell_build(struct nl_cell_room *room, const void *image, size_t size);

/* Everything from the image, and zeros behind it: nothing is left of what ran before. Before the first run, too. */
void nl_cell_start(struct nl_cell_room *room);

/* What the core may read and write while it does not run; zeros, or what the image has there, after a start. */
struct nl_net_mailbox *nl_cell_mailbox(const struct nl_cell_room *room);

/* On a CPU between an exit and the next entry of the guest, by one CPU at a time: let it run for about `ticks` of the
 * TSC. cell.gprs has the call's number and arguments in rax, rdi, rsi, rdx, and takes its answer in rax and rdx. */
enum nl_cell_end nl_cell_run(struct nl_cpu *cpu, struct nl_cell_room *room, uint64_t ticks);

/* On any other CPU, whenever it passes: the bound where the hardware has none. Kicks the CPU that runs the cell when
 * the time that it was given is over. */
void nl_cell_watch(const struct nl_cell_room *room);
