// SPDX-License-Identifier: Apache-2.0
/*
 * The keeper: see keeper.h. The boot CPU alone has card and stack: it is the one that the card's messages wake, and
 * one that is sent again before the first was taken merges with it there. All others see to its bound. A freeze never
 * waits, since whatever makes a CPU leave the guest makes it leave the stack, too, at any instruction.
 *
 * Time. The network gets one part in SHARE of one CPU, a slice at a time, whatever the wire does; what it did not use
 * it may use later, BURST_US at most, so that one request needs no clock that brings somebody back. A stack that takes
 * BUSY_US in all without waiting for anything is in a loop, and its end.
 */
#include "net/keeper.h"
#include "beside.h"
#include "commit/quiesce.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/cpu.h"
#include "core/journal.h"
#include "net/cell.h"
#include "net/door.h"
#include "net/hide.h"
#include "net/wire.h"
#include "x86.h"

#define SLICE_US 1000u /* ten times that on an emulator */
#define SHARE 4u
#define BURST_US 100000u /* likewise; of the guest's time */
#define BUSY_US 250000u  /* likewise */
#define ANEW_MS 1000u    /* from a death to the next start */
#define POLL_MS 10u      /* where the card cannot wake anybody */
#define SOON_US 250000u  /* a clock of the card's that wakes for less costs exits, and nothing is waiting */
#define OWED_US 1000u
#define LATEST_MS 3600000u /* that a stack can wait, and more than a TSC that was not set ever jumps */
#define MSI_NMI 0x400u     /* delivery mode NMI, edge (SDM vol. 3, 11.11) */
#define MSI_ADDRESS 0xfee00000u

extern const uint8_t nl_net_image[], nl_net_image_end[]; /* image.S */

static struct nl_cell_room room;
static struct nl_net_mailbox *box;
static struct nl_wire_card card;
static uint64_t ms, ms_at;        /* since the launch, and the TSC when that became so */
static uint64_t until_ms;         /* when what it waits for comes, frame or no frame; of a dead one: its next start */
static bool rang;                 /* by the card's message alone: it needs no way through the guest */
static uint64_t busy, not_before; /* ticks since it waited last; TSC */
static uint64_t due;              /* TSC from which there may be something to do */
static enum { DEAD, RUNS, WAITS } state;

static uint64_t ticks(uint64_t us) { return nl_us_to_tsc(us) * (nl_emulated ? 10 : 1); }

/* A clock that only goes forward. A guest that sets a TSC takes from it what it has set. */
static void look_at_clock(void)
{
	uint64_t now = x86_rdtsc(), a_ms = nl_us_to_tsc(1000), passed = (now - ms_at) / a_ms;

	if (ms_at - now < nl_tsc_hz()) /* this CPU's is a little behind */
		return;
	if (passed > LATEST_MS) {
		ms_at = now;
		not_before = 0;
	} else {
		ms += passed;
		ms_at += passed * a_ms;
	}
}

/* Noted at each power of two, so that what comes by the wire does not fill the journal. */
static void die(enum nl_net_event what, uint64_t *count, uint64_t where)
{
	uint64_t n = ++*count;

	if ((n & (n - 1)) == 0)
		nl_journal(NL_EV_NET, NL_EINTERNAL, NULL, NULL, what | n << 32, where);
	state = DEAD;
	until_ms = ms + ANEW_MS;
}

/* Somebody comes by then, if the card has a clock: it may say so earlier. 0: nobody needs to. */
static void wake_in(uint64_t us)
{
	if (nl_wire.messages && nl_wire.nic->timer)
		nl_wire.nic->timer((unsigned)us);
}

static void start(void)
{
	struct nl_gprs random = {.rax = NL_NET_RANDOM};

	if (nl_wire.broken && nl_wire.nic->start()) {
		nl_wire.broken = true;
		die(NL_NET_BROKE, &nl_net_facts.faults, 0);
		return;
	}
	nl_wire.broken = false;
	nl_cell_start(&room);
	nl_door_forget();
	box->config = (struct nl_net_config){.may = nl_boot.facts.policy.net_may, .port = nl_boot.net.port};
	memcpy(box->config.mac, nl_wire.mac, sizeof(box->config.mac));
	memcpy(box->config.ip, nl_boot.net.ip, sizeof(box->config.ip));
	memcpy(box->config.ip6, nl_boot.net.ip6, sizeof(box->config.ip6));
	for (unsigned i = 0; i < 4; i++, random.rax = NL_NET_RANDOM) {
		nl_door_call(NULL, &random, box);
		box->config.seed[i] = random.rax;
	}
	box->config.starts = (uint32_t)++nl_net_facts.starts;
	state = RUNS;
	busy = 0;
}

/* Is there something for it to do? What it waited for is given. */
static bool ready(void)
{
	struct nl_gprs *regs = &room.cell.gprs;
	unsigned n;

	look_at_clock();
	if (state == DEAD && ms >= until_ms)
		start();
	if (state != WAITS)
		return state == RUNS;
	n = nl_wire.nic->receive(box->receive);
	if (!n) { /* one that comes before the card is armed is fetched, one that comes behind it is told of */
		nl_wire.nic->arm(true);
		n = nl_wire.nic->receive(box->receive);
	}
	if (nl_wire.broken)
		die(NL_NET_BROKE, &nl_net_facts.faults, 0);
	else if (n || ms >= until_ms)
		state = RUNS;
	regs->rax = n;
	regs->rdx = ms;
	return state == RUNS;
}

static void serve(const struct nl_context *ctx)
{
	struct nl_gprs *regs = &room.cell.gprs;

	switch (regs->rax) {
	case NL_NET_WAIT:
		until_ms = ms + (regs->rdi < LATEST_MS ? regs->rdi : LATEST_MS);
		state = WAITS;
		busy = 0;
		break;
	case NL_NET_SEND:
		if (regs->rdi < NL_NET_FRAME_MIN || regs->rdi > NL_NET_FRAME_MAX)
			regs->rax = NL_EUSAGE;
		else
			regs->rax = nl_wire.nic->send(box->send, (unsigned)regs->rdi) ? NL_OK : NL_EBUSY;
		break;
	case NL_NET_FAIL:
		die(NL_NET_GAVE_UP, &nl_net_facts.faults, regs->rdi);
		break;
	default:
		nl_door_call(ctx, regs, box);
	}
}

/* false: this CPU is wanted elsewhere. Who has met poison reads nothing more: the guest's first. */
static bool run(struct nl_cpu *cpu, const struct nl_context *ctx, uint64_t slice)
{
	uint64_t start = x86_rdtsc();
	enum nl_cell_end end;

	rang = false;
	end = nl_cell_run(cpu, &room, slice);

	busy += x86_rdtsc() - start;
	if (end == NL_CELL_CALL)
		serve(ctx);
	else if (end == NL_CELL_FAULT)
		die(NL_NET_FAULTED, &nl_net_facts.faults, room.cell.rip);
	if (state == RUNS && busy > ticks(BUSY_US))
		die(NL_NET_LOOPED, &nl_net_facts.overruns, room.cell.rip);
	return !cpu->mc_pending && (end != NL_CELL_LEFT || rang);
}

/* When somebody is to come again, and by what. */
static void leave(uint64_t began)
{
	uint64_t now = x86_rdtsc(), next, us = 0;

	look_at_clock();
	if (began >= not_before) {
		if (not_before < now - ticks(BURST_US))
			not_before = now - ticks(BURST_US);
		not_before += SHARE * (now - began);
	}
	if (state != RUNS && until_ms > ms)
		us = 1000 * (until_ms - ms);
	if (state == WAITS && !nl_wire.messages && us > 1000 * POLL_MS)
		us = 1000 * POLL_MS;
	next = now + nl_us_to_tsc(us);
	if (next < not_before)
		next = not_before;
	due = next;
	us = nl_tsc_to_ns(next - now) / 1000 + 1;
	if (state != WAITS || not_before > now) /* a card without a clock: then the next frame wakes it */
		nl_wire.nic->arm(true);
	wake_in(us < SOON_US || state == DEAD ? us : 0);
}

/* Is it time? What is further off than anything can be was said by a clock that was set. */
static bool come(uint64_t now) { return now >= due || due - now > nl_us_to_tsc(1000ULL * LATEST_MS); }

/* On its way into the guest: after whatever made this CPU leave it. */
static void turn(struct nl_cpu *cpu)
{
	uint64_t began = x86_rdtsc(), slice = ticks(SLICE_US), spent = 0;
	struct nl_context ctx;

	if (cpu->index)
		nl_cell_watch(&room);
	if (cpu->index || !come(began) || cpu->mc_pending)
		return;
	look_at_clock();
	wake_in(nl_tsc_to_ns(2 * slice) / 1000); /* where nothing else bounds the cell */
	if (began >= not_before) {
		nl_vendor->context(cpu, &ctx);
		while (spent < slice && !nl_quiesce_pending() && ready() && run(cpu, &ctx, slice - spent))
			spent = x86_rdtsc() - began;
	}
	leave(began);
}

/*
 * An NMI of the boot CPU. One that met a kick may be still to come although it has been claimed: it is owed, for a
 * moment. So it is of any on an emulator: QEMU's 82574 sends a message for the same cause again whenever its throttle
 * ends, also between the NMI and our look at its cause.
 */
static bool claim(bool kick)
{
	static uint64_t owed;
	bool ours = nl_wire.nic->claim();

	if (ours)
		due = 0;
	rang = ours && !kick;
	if (ours && (kick || nl_emulated))
		owed = x86_rdtsc() + ticks(OWED_US);
	else if (!ours && !kick && owed - x86_rdtsc() < ticks(OWED_US)) {
		owed = 0;
		return true;
	}
	return ours;
}

void nl_net_hide(void)
{
	if (nl_boot.net.function)
		nl_boot.net.error = nl_hide_card(nl_boot.net.function, &card);
}

static enum nl_err begin(void (*status)(struct nl_status *))
{
	enum nl_err err = nl_boot.net.error;

	if (!err && !nl_boot.facts.random) /* whoever knows its numbers can speak for its peers */
		err = NL_ENORANDOM;
	if (!err)
		err = nl_cell_build(&room, nl_net_image, (size_t)(nl_net_image_end - nl_net_image));
	if (!err)
		err = nl_door_init(status);
	if (err)
		return err;
	if (nl_cpus[0]->apic_id < 255) {
		card.message_address = MSI_ADDRESS | nl_cpus[0]->apic_id << 12;
		card.message_data = MSI_NMI;
	}
	return nl_wire_open(&card);
}

void nl_net_init(void (*status)(struct nl_status *))
{
	enum nl_err err;

	if (!nl_boot.net.function && !nl_boot.net.error)
		return;
	err = begin(status);
	nl_journal(NL_EV_NET, err, NULL, NULL, NL_NET_OPENED, nl_boot.net.function);
	if (err) {
		nl_log("newleaf: no network: error %u\n", err);
		return;
	}
	box = nl_cell_mailbox(&room);
	ms_at = x86_rdtsc();
	nl_beside = (struct nl_beside){
	        .turn = turn, .claim = claim, .poll = nl_wire.messages ? 0 : nl_us_to_tsc(1000ULL * POLL_MS)};
}
