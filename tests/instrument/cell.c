// SPDX-License-Identifier: Apache-2.0
/*
 * Cells, as the test kernel asks for them (tests/guest/cell/commands.h): built from an image of its own, started, and
 * run on whatever CPU asks. The product's hv/net/cell.c does all of it.
 */
#include "../guest/cell/commands.h"
#include "apic.h"
#include "core/core.h"
#include "core/cpu.h"
#include "net/cell.h"
#include "x86.h"

void cell_call(struct nl_cpu *cpu);
void cell_pass(const struct nl_cpu *cpu);

static struct nl_cell_room room;
static uint8_t image[16 * NL_PAGE_SIZE];
static enum nl_err built = NL_NOTHING;

static enum nl_err build(uint64_t at, uint64_t size)
{
	if (size > sizeof(image))
		return NL_EUSAGE;
	if (built != NL_NOTHING)
		return built;
	memcpy(image, x86_phys(HPA(at)), size);
	built = nl_cell_build(&room, image, size);
	return built;
}

static void go(struct nl_cpu *cpu, struct nl_gprs *g)
{
	struct nl_cell *cell = &room.cell;

	if (!(g->rdi & CELL_GO_ON)) {
		cell->gprs.rax = g->rbx;
		cell->gprs.rdx = g->rdx;
	}
	if (g->rdi & CELL_KICK)
		nl_vendor->kick(cpu);
	if (g->rdi & CELL_NMI)
		apic_send_nmi(cpu->apic_id);
	g->rax = nl_cell_run(cpu, &room, g->rsi);
	if (g->rax == NL_CELL_LEFT && g->rdi & CELL_AGAIN)
		g->rax = nl_cell_run(cpu, &room, g->rsi);
	g->rbx = cell->gprs.rdi;
	g->rcx = cell->fault.code;
	g->rdx = cell->rip;
	g->rsi = room.spent;
}

void cell_call(struct nl_cpu *cpu)
{
	struct nl_gprs *g = &cpu->gprs;

	switch ((uint32_t)g->rcx) {
	case CELL_OP_ASK:
		g->rax = CELL_PRESENT;
		break;
	case CELL_OP_IMAGE:
		g->rax = build(g->rbx, g->rdx);
		break;
	case CELL_OP_START:
		nl_cell_start(&room);
		break;
	case CELL_OP_RUN:
		go(cpu, g);
		break;
	case CELL_OP_PEEK:
		g->rdx = ((uint64_t *)nl_cell_mailbox(&room)->data)[g->rbx % (NL_NET_DATA / 8)];
		break;
	}
}

void cell_pass(const struct nl_cpu *cpu)
{
	if (!built && cpu->index != room.runner)
		nl_cell_watch(&room);
}
