// SPDX-License-Identifier: Apache-2.0
/*
 * A cell on VMX: not built yet.
 */
#include "cell_ops.h"

static enum nl_err init(struct nl_cell *cell) { return cell ? NL_EUNSUPPORTED : NL_EINTERNAL; }

static enum nl_cell_end run(struct nl_cpu *cpu, struct nl_cell *cell, uint64_t ticks)
{
	(void)cpu, (void)cell, (void)ticks;
	return NL_CELL_FAULT;
}

const struct nl_cell_ops nl_cell_vmx = {.init = init, .run = run};
