// SPDX-License-Identifier: Apache-2.0
// sources: hv/net/keeper.c hv/core/clock.c
/*
 * The keeper of the network, with a stack, a card and a door that do what a test says: what the guest pays for a storm,
 * how a stack that loops, faults or gives up ends and comes back, who is woken when, and that a freeze never waits.
 */
#include "keeper_fixture.h"

/* Without a card that newleaf.conf names there is nothing that could run. */
static void off(void **state)
{
	(void)state;
	nl_beside = (struct nl_beside){.turn = NULL};
	nl_boot.net.function = 0;
	nl_net_init(status);
	assert_null(nl_beside.turn);
	assert_null(nl_beside.claim);
	assert_int_equal(said.n, 0);
	nl_boot.net.error = NL_EUNSUPPORTED;
	nl_net_init(status);
	assert_null(nl_beside.turn);
	assert_int_equal(said.n, 1);
	assert_int_equal(said.error, NL_EUNSUPPORTED);
	nl_boot.net.error = NL_OK;
	nl_boot.net.function = 3 << 3;
	nl_boot.facts.random = 0;
	nl_net_init(status);
	assert_null(nl_beside.turn);
	assert_int_equal(said.error, NL_ENORANDOM);
	nl_boot.facts.random = 1;
	hide_err = NL_EUNSUPPORTED; /* it could not be hidden */
	nl_net_hide();
	nl_net_init(status);
	assert_null(nl_beside.turn);
	assert_int_equal(said.error, NL_EUNSUPPORTED);
	hide_err = NL_OK;
	nl_net_hide();
	open_err = NL_EMACHINE;
	nl_net_init(status);
	assert_null(nl_beside.turn);
	assert_int_equal(said.error, NL_EMACHINE);
}

static void begins(void **state)
{
	(void)state;
	assert_int_equal(opened.n, 1);
	assert_int_equal(opened.a, NL_NET_OPENED);
	assert_int_equal(opened.b, 3 << 3);
	assert_int_equal(opened.error, NL_OK);
	pass();
	assert_int_equal(started, 1);
	assert_int_equal(runs_of_cell, 1); /* and it waits */
	assert_int_equal(box.config.port, 9947);
	assert_int_equal(box.config.may, NL_NET_MAY_ALL);
	assert_int_equal(box.config.starts, 1);
	assert_string_equal(box.config.ip, "dhcp");
	assert_memory_equal(box.config.mac, nl_wire.mac, 6);
	assert_int_not_equal(box.config.seed[0], box.config.seed[3]);
	assert_int_equal(card.armed, 1);
}

/* What waits is run when its frame comes, or its time, and by nothing else; the card's clock is set for that. */
static void waited_for(void **state)
{
	uint64_t first;

	(void)state;
	pass();
	assert_int_equal(card.timer_us, 0); /* for a second nobody is woken */
	for (unsigned i = 0; i < 1000; i++) {
		seam_tsc += MS / 2;
		pass();
	}
	assert_int_equal(runs_of_cell, 1);
	card.frames = 1;
	card.asks = true;
	assert_true(nl_beside.claim(false));
	assert_false(nl_beside.claim(false)); /* once */
	pass();
	first = its_room->cell.gprs.rdx;
	assert_int_equal(runs_of_cell, 2);
	assert_int_equal(card.frames, 0);
	seam_tsc += 999 * MS;
	pass();
	assert_int_equal(runs_of_cell, 2);
	assert_int_equal(card.armed, 1);
	seam_tsc += 2 * MS;
	pass();
	assert_int_equal(runs_of_cell, 3);
	assert_in_range(its_room->cell.gprs.rdx - first, 1000, 1001);
	card.armed = false;
	card.late = card.asks = true;
	seam_tsc += 100 * MS;
	assert_true(nl_beside.claim(false));
	pass();
	assert_false(card.late);
	wait_ms = 100;
	assert_int_equal(runs_of_cell, 4);
	seam_tsc += 1001 * MS;
	pass();
	assert_int_equal(runs_of_cell, 5);
	assert_in_range(card.timer_us, 99000, 101000);
}

/* A storm: with frames without end and a stack that takes what it can get, the guest keeps three quarters. */
static void storm(void **state)
{
	uint64_t began = seam_tsc, guests = 0;

	(void)state;
	takes = 50000;
	card.frames = UINT32_MAX;
	while (seam_tsc < began + 4 * SECOND) {
		uint64_t t = seam_tsc;

		card.asks = true;
		assert_true(nl_beside.claim(false)); /* an NMI for each of its instructions */
		pass();
		assert_true(seam_tsc - t <= 1100000); /* a millisecond and one run of it */
		seam_tsc += 1000;
		guests += 1000;
	}
	assert_true(guests >= (seam_tsc - began) * 74 / 100);
	assert_true(guests <= (seam_tsc - began) * 80 / 100); /* and the network gets its share */
	assert_true(runs_of_cell > 3000);
}

/* Whatever it asks, what never waits is a loop: ended after a quarter of a second of CPU, back a second later. */
static void loop(enum nl_cell_end (*how)(struct nl_cell *))
{
	uint64_t began;

	pass();
	program = how;
	takes = 100000;
	card.frames = 1;
	seam_tsc += SECOND;
	began = seam_tsc;
	while (!nl_net_facts.overruns) {
		pass();
		seam_tsc += 10000;
		assert_true(seam_tsc < began + 2 * SECOND);
	}
	assert_true(seam_tsc > began + 900 * MS); /* a quarter of a CPU */
	assert_int_equal(said.a, NL_NET_LOOPED | 1ULL << 32);
	assert_in_range(card.timer_us, 900000, 1000001);
	card.armed = 0;
	seam_tsc += 10 * MS;
	card.asks = true;
	assert_true(nl_beside.claim(false));
	pass();
	assert_int_equal(card.armed, 1);
	program = waits;
	began = seam_tsc;
	while (started == 1) {
		pass();
		seam_tsc += MS;
		assert_true(seam_tsc < began + 2 * SECOND);
	}
	assert_true(seam_tsc >= began + 985 * MS);
	assert_int_equal(box.config.starts, 2);
	assert_int_equal(card.armed, 1);
}

static void without_end(void **state)
{
	(void)state;
	loop(loops);
}

static void without_waiting(void **state)
{
	(void)state;
	loop(asks_for_ever);
}

static void dies(void **state)
{
	static enum nl_cell_end (*const ways[])(struct nl_cell *) = {faults, gives_up};
	static const uint64_t says[][2] = {{NL_NET_FAULTED, 0x401234}, {NL_NET_GAVE_UP, 77}};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		seam_tsc += 10 * SECOND;
		program = ways[i];
		pass();
		assert_int_equal(nl_net_facts.faults, i + 1);
		assert_int_equal((uint32_t)said.a, says[i][0]);
		assert_int_equal(said.b, says[i][1]);
		program = waits;
		for (unsigned n = 0; n < 9; n++) {
			uint64_t was = runs_of_cell;

			seam_tsc += 100 * MS;
			pass();
			assert_int_equal(runs_of_cell, was);
		}
		seam_tsc += 150 * MS;
		pass();
		assert_int_equal(started, i + 2);
	}
	said.n = 0;
	program = faults;
	for (unsigned i = 0; i < 1000; i++) { /* the wire does not fill the journal */
		seam_tsc += 2 * SECOND;
		pass();
	}
	assert_int_equal(nl_net_facts.faults, 1002);
	assert_in_range(said.n, 8, 9);
}

/* A card that says what cannot be is started anew, and when it does not come, tried again. */
static void broken_card(void **state)
{
	(void)state;
	pass();
	nl_wire.broken = true;
	card.start = NL_EMACHINE;
	seam_tsc += 2 * SECOND;
	pass();
	assert_int_equal((uint32_t)said.a, NL_NET_BROKE);
	for (unsigned i = 1; i < 4; i++) {
		seam_tsc += 1100 * MS;
		pass();
		assert_int_equal(card.starts, i);
		assert_int_equal(started, 1);
	}
	card.start = NL_OK;
	seam_tsc += 1100 * MS;
	pass();
	assert_int_equal(started, 2);
}

static void freeze_first(void **state)
{
	(void)state;
	freeze = true;
	seam_tsc += SECOND;
	pass();
	assert_int_equal(runs_of_cell + started, 0);
	freeze = false;
	pass();
	assert_int_equal(runs_of_cell, 1);
	program = rung; /* the card's own message came while it ran */
	seam_tsc += 2 * SECOND;
	pass();
	assert_int_equal(runs_of_cell, 3);
	program = left; /* a kick came while it ran */
	card.frames = 1000;
	seam_tsc += 2 * SECOND;
	pass();
	assert_int_equal(runs_of_cell, 4);
	cpu.mc_pending = true;
	seam_tsc += SECOND;
	pass();
	assert_int_equal(runs_of_cell, 4);
	cpu.mc_pending = false;
	program = meets_poison; /* in a call that reads the guest */
	pass();
	assert_int_equal(runs_of_cell, 5);
}

/* Another CPU than the boot CPU sees to the bound, and touches nothing. */
static void another_cpu(void **state)
{
	(void)state;
	cpu.index = 1;
	card.frames = 1;
	for (unsigned i = 0; i < 100; i++) {
		seam_tsc += SECOND;
		pass();
	}
	assert_int_equal(watched, 100);
	assert_int_equal(runs_of_cell + started + card.armed + card.timer_us, 0);
	assert_int_equal(card.frames, 1);
}

/* Each message is claimed once; but one that met a kick can come as an NMI of its own, a moment later. */
static void claims(void **state)
{
	(void)state;
	assert_false(nl_beside.claim(false));
	assert_false(nl_beside.claim(true));
	card.asks = true;
	assert_true(nl_beside.claim(false));
	assert_false(nl_beside.claim(false));
	card.asks = true;
	assert_true(nl_beside.claim(true));
	assert_true(nl_beside.claim(false));
	assert_false(nl_beside.claim(false));
	card.asks = true;
	assert_true(nl_beside.claim(true));
	seam_tsc += 2 * MS; /* they were one */
	assert_false(nl_beside.claim(false));
	card.asks = true;
	assert_true(nl_beside.claim(true));
	assert_false(nl_beside.claim(true)); /* a kick is no message */
	assert_true(nl_beside.claim(false));
}

static void frames(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		static const unsigned sizes[] = {13, 14, 1514, 1515};

		seam_tsc += 2 * SECOND;
		send_bytes = sizes[i];
		program = sends;
		pass();
		assert_int_equal(card.sent, i < 1 ? 0 : i < 2 ? 1 : 2);
	}
	card.full = true;
	send_bytes = 60;
	program = sends;
	seam_tsc += 2 * SECOND;
	pass();
	assert_int_equal(card.sent, 2);
	send_says = UINT64_MAX;
	send_bytes = UINT64_MAX;
	program = sends;
	seam_tsc += 2 * SECOND;
	pass();
	assert_int_equal(card.sent, 2);
}

/* A guest that sets its TSC gains and loses nothing but what it has set. */
static void clock_set(void **state)
{
	uint64_t was;

	(void)state;
	pass();
	was = its_room->cell.gprs.rdx;
	seam_tsc += 4000 * 3600 * SECOND;
	pass();
	seam_tsc += 1001 * MS;
	pass();
	seam_tsc = 5 * SECOND; /* and back */
	pass();
	for (unsigned i = 0; i < 3; i++) {
		seam_tsc += 1001 * MS;
		pass();
	}
	assert_true(its_room->cell.gprs.rdx >= was);
	assert_in_range(runs_of_cell, 4, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(off, begin),          cmocka_unit_test_setup(begins, begin),
	        cmocka_unit_test_setup(waited_for, begin),   cmocka_unit_test_setup(storm, begin),
	        cmocka_unit_test_setup(without_end, begin),  cmocka_unit_test_setup(without_waiting, begin),
	        cmocka_unit_test_setup(dies, begin),         cmocka_unit_test_setup(broken_card, begin),
	        cmocka_unit_test_setup(freeze_first, begin), cmocka_unit_test_setup(another_cpu, begin),
	        cmocka_unit_test_setup(claims, begin),       cmocka_unit_test_setup(frames, begin),
	        cmocka_unit_test_setup(clock_set, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
