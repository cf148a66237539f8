// SPDX-License-Identifier: Apache-2.0
/*
 * A stack, a card and a door that do what a test of the keeper says, and a keeper that is as new before each test.
 */
#ifndef TESTS_UNIT_KEEPER_FIXTURE_H
#define TESTS_UNIT_KEEPER_FIXTURE_H

#include "host.h"
#include "beside.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/cpu.h"
#include "core/journal.h"
#include "commit/quiesce.h"
#include "net/cell.h"
#include "net/door.h"
#include "net/hide.h"
#include "net/keeper.h"
#include "net/wire.h"
#include <insn.h>

#define MS 1000000ULL
#define SECOND (1000 * MS)

struct nl_boot_block nl_boot;
struct nl_beside nl_beside;
struct nl_net_facts nl_net_facts;
struct nl_wire nl_wire;
struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus = 1;
const uint8_t nl_net_image[1], nl_net_image_end[1];

static struct nl_cpu cpu;
static struct nl_net_mailbox box;
static bool freeze, runs;

bool nl_quiesce_pending(void) { return freeze; }
bool nl_cpu_is_running(const struct nl_cpu *c) { return c == &cpu && runs; }
static void context(struct nl_cpu *c, struct nl_context *out)
{
	(void)c;
	memset(out, 0, sizeof(*out));
}
static const struct nl_vendor vendor = {.name = "SVM", .context = context};
const struct nl_vendor *nl_vendor = &vendor;

/* The journal */
static struct {
	enum nl_err error;
	uint64_t a, b;
	unsigned n;
} said, opened;
void nl_journal(enum nl_event event, enum nl_err error, const char *id, const uint8_t *sha256, uint64_t a, uint64_t b)
{
	(void)id, (void)sha256;
	assert_int_equal(event, NL_EV_NET);
	said.error = error, said.a = a, said.b = b, said.n++;
}

/* The door */
static unsigned doors;
static enum nl_err door_err;
static void status(struct nl_status *s) { memset(s, 0, sizeof(*s)); }
enum nl_err nl_door_init(void (*who)(struct nl_status *))
{
	assert_ptr_equal(who, status);
	return door_err;
}
void nl_door_forget(void) {}
void nl_door_call(const struct nl_context *ctx, struct nl_gprs *regs, struct nl_net_mailbox *b)
{
	(void)ctx;
	assert_ptr_equal(b, &box);
	doors++;
	regs->rax = regs->rax == NL_NET_RANDOM ? 0x1234 + doors : NL_OK;
}

/* The card */
static struct {
	unsigned frames, sent, armed, timer_us, starts;
	bool full, asks, late;
	enum nl_err start;
} card;
static enum nl_err card_start(void)
{
	card.starts++;
	nl_wire.broken = false; /* as a driver may have it that failed half way */
	return card.start;
}
static unsigned card_receive(void *frame)
{
	assert_ptr_equal(frame, box.receive);
	if (card.late && card.armed) { /* it came just before the card was armed, which tells nobody */
		card.late = false;
		return 60;
	}
	if (!card.frames)
		return 0;
	card.frames--;
	return 60;
}
static bool card_send(const void *frame, unsigned bytes)
{
	assert_ptr_equal(frame, box.send);
	assert_in_range(bytes, NL_NET_FRAME_MIN, NL_NET_FRAME_MAX);
	card.sent += !card.full;
	return !card.full;
}
static void card_arm(bool on) { card.armed = on; }
static void card_timer(unsigned us) { card.timer_us = us; }
static bool card_claim(void)
{
	bool asks = card.asks;

	card.asks = false;
	return asks;
}
static const struct nl_nic nic = {.start = card_start,
                                  .receive = card_receive,
                                  .send = card_send,
                                  .arm = card_arm,
                                  .timer = card_timer,
                                  .claim = card_claim};
static enum nl_err hide_err, open_err;
enum nl_err nl_hide_card(uint16_t function, struct nl_wire_card *where)
{
	where->function = function;
	return hide_err;
}
enum nl_err nl_wire_open(const struct nl_wire_card *where)
{
	assert_int_equal(where->function, 3 << 3);
	assert_int_equal(where->message_address, 0xfee00000 | 3u << 12);
	assert_int_equal(where->message_data, 0x400);
	nl_wire.nic = &nic;
	nl_wire.messages = true;
	return open_err;
}

/* The cell: each run takes `takes` of the time that it is given, and ends as `program` says. */
static uint64_t takes, given, watched, runs_of_cell, started;
static enum nl_cell_end (*program)(struct nl_cell *cell);
static struct nl_cell_room *its_room;

enum nl_err nl_cell_build(struct nl_cell_room *room, const void *image, size_t size)
{
	(void)image, (void)size;
	its_room = room;
	return NL_OK;
}
void nl_cell_start(struct nl_cell_room *room)
{
	started++;
	memset(&box, 0, sizeof(box));
	memset(&room->cell.gprs, 0, sizeof(room->cell.gprs));
}
struct nl_net_mailbox *nl_cell_mailbox(const struct nl_cell_room *room)
{
	assert_ptr_equal(room, its_room);
	return &box;
}
enum nl_cell_end nl_cell_run(struct nl_cpu *c, struct nl_cell_room *room, uint64_t ticks)
{
	enum nl_cell_end end;

	assert_ptr_equal(c, &cpu);
	runs_of_cell++;
	given = ticks;
	seam_tsc += takes < ticks ? takes : ticks;
	end = program(&room->cell);
	return end;
}
void nl_cell_watch(const struct nl_cell_room *room)
{
	assert_ptr_equal(room, its_room);
	watched++;
}

/* Programs */
static uint64_t wait_ms;
static enum nl_cell_end waits(struct nl_cell *c)
{
	c->gprs.rax = NL_NET_WAIT;
	c->gprs.rdi = wait_ms;
	return NL_CELL_CALL;
}
static enum nl_cell_end loops(struct nl_cell *c)
{
	(void)c;
	return NL_CELL_TIME;
}
static enum nl_cell_end asks_for_ever(struct nl_cell *c)
{
	c->gprs.rax = NL_NET_FACTS;
	return NL_CELL_CALL;
}
static enum nl_cell_end faults(struct nl_cell *c)
{
	c->rip = 0x401234;
	return NL_CELL_FAULT;
}
static enum nl_cell_end gives_up(struct nl_cell *c)
{
	c->gprs.rax = NL_NET_FAIL;
	c->gprs.rdi = 77;
	return NL_CELL_CALL;
}
static enum nl_cell_end left(struct nl_cell *c)
{
	(void)c;
	return NL_CELL_LEFT;
}
static enum nl_cell_end meets_poison(struct nl_cell *c)
{
	c->gprs.rax = NL_NET_LEAVES;
	cpu.mc_pending = true;
	return NL_CELL_CALL;
}
static enum nl_cell_end rung(struct nl_cell *c)
{
	(void)c;
	card.asks = true;
	assert_true(nl_beside.claim(false));
	program = waits;
	return NL_CELL_LEFT;
}
static uint64_t send_bytes, send_says;
static enum nl_cell_end sends(struct nl_cell *c)
{
	if (c->gprs.rax != NL_NET_SEND + 1000) {
		c->gprs.rax = NL_NET_SEND;
		c->gprs.rdi = send_bytes;
		program = waits;
	}
	return NL_CELL_CALL;
}

static void pass(void) { nl_beside.turn(&cpu); }

static int begin(void **state)
{
	(void)state;
	memset(&nl_boot, 0, sizeof(nl_boot));
	memset(&card, 0, sizeof(card));
	memset(&said, 0, sizeof(said));
	memset(&nl_net_facts, 0, sizeof(nl_net_facts));
	nl_wire = (struct nl_wire){.mac = {2, 0, 0, 0, 0, 1}};
	cpu = (struct nl_cpu){.apic_id = 3};
	nl_cpus[0] = &cpu;
	nl_beside = (struct nl_beside){.turn = NULL};
	freeze = cpu.mc_pending = false;
	runs = true;
	card.start = NL_OK;
	hide_err = open_err = door_err = NL_OK;
	doors = 0;
	watched = runs_of_cell = started = 0;
	takes = 1000;
	wait_ms = 1000;
	program = waits;
	nl_boot.facts.tsc_hz = SECOND;
	nl_boot.facts.random = 1;
	nl_boot.facts.policy.net_may = NL_NET_MAY_ALL;
	nl_boot.net.function = 3 << 3;
	nl_boot.net.port = 9947;
	memcpy(nl_boot.net.ip, "dhcp", 5);
	seam_tsc += 7200 * SECOND;
	nl_net_hide();
	nl_net_init(status);
	opened = said;
	/* Whatever the last test has left of the keeper: its stack dies, and a new one is due. */
	card.frames = 1;
	program = faults;
	while (!nl_net_facts.faults) {
		seam_tsc += 2 * SECOND;
		pass();
	}
	seam_tsc += 2 * SECOND;
	program = waits;
	memset(&nl_net_facts, 0, sizeof(nl_net_facts));
	memset(&card, 0, sizeof(card));
	memset(&said, 0, sizeof(said));
	doors = 0;
	watched = runs_of_cell = started = 0;
	return 0;
}

#endif
