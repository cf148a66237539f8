// SPDX-License-Identifier: Apache-2.0
// sources: tools/newleaf/cli.c tools/newleaf/verbs.c tools/newleaf/answer.c tools/newleaf/change.c
// sources: tools/newleaf/blackout.c tools/newleaf/status.c tools/newleaf/signed.c tools/newleaf/facts.c
// sources: tools/newleaf/vex.c tools/newleaf/livepatch.c tools/newleaf/journal.c tools/newleaf/dates.c
// sources: tools/newleaf/logfile.c tools/newleaf/logkeep.c tools/newleaf/logverify.c
// sources: tools/newleaf/order.c tools/newleaf/carry.c tools/newleaf/standing.c tools/newleaf/anybody.c
// sources: tools/newleaf/confirm.c
// sources: tools/newleaf/log.c tools/newleaf/look.c tools/newleaf/alive.c tools/newleaf/author.c tools/newleaf/text.c
// sources: tools/newleaf/sha256.c guest-agent/agent.c guest-agent/look.c
// sources: tests/unit/fake_newleaf.c tests/unit/cli_fixture.c
// sources: guest-agent/order.c
// sources: tools/newleaf/timeline.c tools/newleaf/course.c tools/newleaf/timeline_text.c guest-agent/own.c
// sources: tools/newleaf/timeline_chrome.c tools/newleaf/timeline_svg.c tools/newleaf/symbol.c
// cflags: -Iguest-agent -Itools/newleaf
/*
 * newleaf carry of a standing order: which place of the EFI partition gets it, what stands there then, and what status
 * says.
 */
#define _GNU_SOURCE
#include "cli_fixture.h"
#include "sha256.h"
#include "standing.h"

#include <newleaf/bootcounter.h>

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (64u << 10) /* by which a place grows */

static struct {
	struct nl_order o;
	struct nl_order_entry entries[2];
} order;
static char esp[PATH_MAX], file_of_order[PATH_MAX], counter[PATH_MAX];

static uid_t root(void) { return 0; }

static void path(char *to, const char *name) { snprintf(to, PATH_MAX, "%s/%s", dir, name); }

static int machine(void **state)
{
	char folder[PATH_MAX + 40];

	set_up(state);
	cli_uid = root;
	f->status.boot.policy.operators = 2;
	f->status.boot.policy.order_may = NL_ORDER_MAY_ALL;
	path(esp, "esp");
	path(file_of_order, "order");
	path(counter, "boots");
	unlink(counter);
	cli_boots = counter;
	for (const char *const *part = (const char *const[]){"", "/EFI", "/EFI/newleaf", NULL}; *part; part++) {
		snprintf(folder, sizeof(folder), "%s%s", esp, *part);
		mkdir(folder, 0700);
	}
	for (unsigned i = 0; i < 2; i++) {
		snprintf(folder, sizeof(folder), "%s/EFI/newleaf/order-%u.nlo", esp, i);
		unlink(folder);
	}
	return 0;
}

static void rewritten(void)
{
	FILE *to = fopen(file_of_order, "w");

	fwrite(&order, nl_order_signed_size(&order.o), 1, to);
	fclose(to);
}

static void make(uint64_t epoch, enum nl_order_entry_what what, const uint8_t name[32])
{
	memset(&order, 0, sizeof(order));
	order.o = (struct nl_order){
	        .head = {NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(order.o), sizeof(order.entries[0]), name ? 1 : 0},
	        .what = NL_ORDER_SYNC,
	        .kind = NL_ORDER_STANDING,
	        .epoch = epoch};
	order.entries[0].what = what;
	if (name)
		memcpy(order.entries[0].name, name, 32);
	rewritten();
}

static const struct nl_order_place *placed(unsigned i, size_t *size)
{
	static uint8_t bytes[2][NL_FILE_MAX_SIZE] __attribute__((aligned(8)));
	char name[PATH_MAX + 40];
	FILE *from;

	snprintf(name, sizeof(name), "%s/EFI/newleaf/order-%u.nlo", esp, i);
	from = fopen(name, "r");
	if (!from)
		return NULL;
	*size = fread(bytes[i], 1, sizeof(bytes[i]), from);
	fclose(from);
	return (const void *)bytes[i];
}

static void it_is_written_first(void **state)
{
	static uint8_t leaf[NL_LEAF_MAX_SIZE];
	const struct nl_order_place *p;
	struct nl_leaf_header h;
	uint8_t name[32];
	size_t n = sizeof(h) + 13, size;
	char mine[PATH_MAX];
	FILE *to;

	(void)state;
	path(mine, "mine.leaf");
	h = (struct nl_leaf_header){.signed_size = sizeof(h) + 5};
	memcpy(leaf, &h, sizeof(h));
	to = fopen(mine, "w");
	fwrite(leaf, n, 1, to);
	fclose(to);
	cli_sha256(leaf, h.signed_size, name);
	make(5, NL_ORDER_LEAF, name);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_CONFLICT); /* its leaf is not named */
	assert_says(err, "NL_EUNKNOWN_LEAF");
	assert_null(placed(0, &size));
	assert_int_equal(f->carried, 0);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order, path_b, mine), 0);
	assert_says(out, "epoch 5");
	p = placed(0, &size);
	assert_non_null(p);
	assert_int_equal(p->size, nl_order_signed_size(&order.o));
	assert_memory_equal(p->bytes, &order, p->size);
	assert_int_equal(p->leaves[0].size, n);
	assert_int_equal(p->leaves[0].base % 8, 0);
	assert_memory_equal((const uint8_t *)p + p->leaves[0].base, leaf, n);
	assert_int_equal(size, PIECE);
	f->order = NL_EQUORUM; /* it stands there, and harms nobody */
	make(6, NL_ORDER_LEAF, name);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order, mine), NL_EXIT_LEAF);
	assert_says(err, "NL_EQUORUM");
	f->order = NL_EFROZEN; /* it waits there */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order, mine), NL_EXIT_PERMISSION);
	assert_says(err, "in force when released and booted");
	f->order = NL_OK;
	f->status.standing.carried = NL_EBYTES;
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order, mine), NL_EXIT_TARGET);
	assert_says(err, "NL_EBYTES");
	f->status.standing.carried = NL_EUNKNOWN_LEAF;
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order, mine), NL_EXIT_CONFLICT);
	assert_says(err, "next boot");
	assert_int_equal(newleaf("carry", "--esp", dir, file_of_order, mine), NL_EXIT_ENVIRONMENT);
	assert_says(err, "EFI/newleaf");
}

static void into_the_place_that_nobody_needs(void **state)
{
	const uint8_t key[32] = {1};
	size_t size;

	(void)state;
	make(4, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	f->status.standing = (struct nl_standing_state){.epoch = 4, .floor = 4};
	make(5, NL_ORDER_TRUST, key); /* not over the one in force */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(0, &size)->order.epoch, 4);
	assert_int_equal(placed(1, &size)->order.epoch, 5);
	f->status.standing.epoch = 5;
	make(6, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(0, &size)->order.epoch, 6);
	make(7, NL_ORDER_LEAF, NULL); /* 6 was refused: it is no order */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(0, &size)->order.epoch, 7);
	f->status.standing.epoch = 7;
	make(8, NL_ORDER_LEAF, NULL); /* 5 leads to the keys that have signed 7 */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_CONFLICT);
	assert_says(err, "boot the machine first");
	assert_int_equal(placed(1, &size)->order.epoch, 5);
	f->status.standing.floor = 7;
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(1, &size)->order.epoch, 8);
}

/* Once more, though it is in force: then it must not stand in both places, or no other one finds one. */
static void carried_twice(void **state)
{
	size_t size;

	(void)state;
	make(4, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	f->status.standing = (struct nl_standing_state){.epoch = 4, .floor = 4};
	make(5, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	f->status.standing.epoch = 5;
	f->order = NL_EEPOCH; /* what the core says to it */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_CONFLICT);
	assert_says(err, "NL_EEPOCH");
	assert_int_equal(placed(0, &size)->order.epoch, 4);
	f->status.standing.floor = 5; /* a boot later */
	f->order = NL_OK;
	make(6, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(0, &size)->order.epoch, 6);
}

/* As efivarfs has it: attributes, then the counter. */
static void count(uint8_t unfinished)
{
	const struct nl_boot_counter c = {unfinished, NL_BOOT_COUNTER_VERSION, 0};
	const struct timespec once[2] = {{1, 0}, {1, 0}};
	FILE *to = fopen(counter, "w");

	fwrite((uint8_t[4]){NL_BOOT_COUNTER_ATTRIBUTES}, 4, 1, to);
	fwrite(&c, sizeof(c), 1, to);
	fclose(to);
	utimensat(AT_FDCWD, counter, once, 0);
}

static uint8_t counted(bool *untouched)
{
	uint8_t said[8] = {0};
	FILE *from = fopen(counter, "r");
	struct stat s;

	assert_int_equal(fread(said, 1, sizeof(said), from), sizeof(said));
	fclose(from);
	stat(counter, &s);
	if (untouched)
		*untouched = s.st_mtim.tv_sec == 1;
	return said[4];
}

static uint8_t when_it_came;
static void look(void) { when_it_came = counted(NULL); }

/* A boot that counts as unfinished leaves the order out: so not before one is handed over that could be the reason.
 * Power may go while the place is written, and then the order before must count. */
static void counted_behind_the_write(void **state)
{
	char place[PATH_MAX + 40];
	bool untouched;

	(void)state;
	f->order_comes = look;
	count(0);
	make(4, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(when_it_came, 1);
	assert_int_equal(counted(NULL), 0);
	count(1); /* of a boot that has not ended yet it stays so */
	f->status.standing.epoch = 4;
	make(5, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(when_it_came, 1);
	assert_int_equal(counted(&untouched), 1);
	assert_true(untouched);
	f->status.standing.epoch = 5;
	f->carried = 0;
	count(0);
	snprintf(place, sizeof(place), "%s/EFI/newleaf/order-0.nlo", esp);
	unlink(place);
	mkdir(place, 0700); /* what cannot be written */
	make(6, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_ENVIRONMENT);
	assert_int_equal(counted(&untouched), 0);
	assert_true(untouched);
	assert_int_equal(f->carried, 0);
	rmdir(place);
	f->order_rate_until = UINT64_MAX; /* it is written, and nobody reads it to its end */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_DEADLINE);
	assert_says(err, "in force from the next boot on");
	assert_int_equal(counted(NULL), 0);
	unlink(counter);
	mkdir(counter, 0700); /* what cannot be read */
	f->carried = 0;
	assert_int_not_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_says(err, "in force from the next boot on");
	assert_int_equal(f->carried, 0);
	rmdir(counter);
}

/* Who hangs by a leaf on trial is told of by the counter alone: it stays as it is until newleaf alive. */
static void counted_while_on_trial(void **state)
{
	(void)state;
	count(0);
	f->status.boot.policy.confirm_ms = 600000;
	assert_int_equal(newleaf("apply", path_a, "--confirm", "200s"), 0);
	make(4, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_says(out, "on trial: newleaf alive");
	assert_int_equal(counted(NULL), 1);
	f->leaves[0].trial_tsc -= 300000000000; /* over, and still on */
	assert_int_equal(newleaf("alive"), NL_EXIT_CONFLICT);
	assert_int_equal(counted(NULL), 1);
	f->leaves[0].trial_tsc = 0;
	assert_int_equal(newleaf("alive"), 0);
	assert_int_equal(counted(NULL), 0);
	f->status.standing.epoch = 4;
	make(5, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_null(strstr(out, "on trial"));
	assert_int_equal(counted(NULL), 0);
}

/* What the policy would refuse is not written: it would be looked at at each boot. */
static void not_past_the_policy(void **state)
{
	static const uint8_t key[32] = {7};
	struct nl_policy *p = &f->status.boot.policy;
	size_t size;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		make(4, i == 2 ? NL_ORDER_TRUST : NL_ORDER_LEAF, i == 2 ? key : NULL);
		p->operators = i == 0 ? 0 : 2;
		p->order_may = NL_ORDER_MAY_ALL & ~(i == 1 ? NL_ORDER_MAY_STANDING : i == 2 ? NL_ORDER_MAY_KEYS : 0);
		p->deadline_ms = i == 3 ? 999 : 1000;
		p->order_may &= ~(i == 4 ? NL_ORDER_MAY_AGENTLESS : 0);
		order.o.deadline_ms = 1000;
		order.o.flags = NL_ORDER_AGENTLESS;
		rewritten();
		assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_PERMISSION);
		assert_says(err, "NL_EPOLICY");
	}
	assert_null(placed(0, &size));
	assert_int_equal(f->carried, 0);
	p->order_may = NL_ORDER_MAY_ALL;
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
}

/* One that is carried out before its leaf is brought, since the hypervisor knew it: nobody lets that in any more. */
static void done_before_its_leaf_came(void **state)
{
	(void)state;
	make(0, NL_ORDER_LEAF, NULL);
	order.o.kind = NL_ORDER_NOW;
	order.o.flags = NL_ORDER_AGENTLESS;
	rewritten();
	f->verify_error = NL_EPOLICY;
	f->status.orders = NL_ORDER_WAITS;
	f->order_waits = 2; /* the first look is before it comes */
	assert_int_equal(newleaf("carry", file_of_order, path_a), 0);
	assert_says(out, "accepted, and done");
	f->status.orders = NL_ORDER_WAITS; /* and while it waits it is what it says */
	f->order_waits = 100;
	assert_int_equal(newleaf("carry", file_of_order, path_a), NL_EXIT_PERMISSION);
	assert_says(err, "a leaf not brought");
}

/* A file that neither grows nor shrinks changes nothing of the file system but its own bytes. */
static void a_place_stays_where_it_is(void **state)
{
	static const uint8_t key[32] = {7};
	struct stat before, after;
	char name[PATH_MAX + 40];
	size_t size;

	(void)state;
	snprintf(name, sizeof(name), "%s/EFI/newleaf/order-0.nlo", esp);
	make(4, NL_ORDER_TRUST, key);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	stat(name, &before);
	make(5, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	stat(name, &after);
	assert_int_equal(placed(0, &size)->order.epoch, 5);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(size, PIECE);
	assert_int_equal(truncate(name, 700), 0); /* too short: not what is there grows */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(0, &size)->order.epoch, 5);
	assert_int_equal(size, PIECE);
	assert_int_equal(truncate(name, NL_FILE_MAX_SIZE + 1), 0); /* the loader would not read it */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(0, &size)->order.epoch, 5);
	assert_int_equal(size, PIECE);
}

static bool write_all(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	return (fd < 0 || !close(fd)) && good;
}

/* A file system of our own, which nobody else sees. */
static bool own_mounts(void)
{
	char uid[40], gid[40];

	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	if (unshare(CLONE_NEWNS) &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) || !write_all("/proc/self/uid_map", uid) ||
	     !write_all("/proc/self/setgroups", "deny") || !write_all("/proc/self/gid_map", gid)))
		return false;
	return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static void where_it_cannot_be_written(void **state)
{
	char folder[PATH_MAX + 40], rest[PATH_MAX + 40];
	static const uint8_t page[4096];
	size_t size;
	int fd;

	(void)state;
	if (!own_mounts() || mount("esp", esp, "tmpfs", 0, "size=192k")) {
		print_message("nothing can be mounted here\n");
		skip();
	}
	make(4, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_ENVIRONMENT); /* as if not mounted */
	assert_says(err, "mount the EFI partition");
	for (const char *const *part = (const char *const[]){"/EFI", "/EFI/newleaf", NULL}; *part; part++) {
		snprintf(folder, sizeof(folder), "%s%s", esp, *part);
		mkdir(folder, 0700);
	}
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	f->status.standing.epoch = 4;
	f->carried = 0;
	snprintf(rest, sizeof(rest), "%s/rest", esp);
	fd = open(rest, O_WRONLY | O_CREAT, 0600);
	while (write(fd, page, sizeof(page)) == sizeof(page))
		;
	close(fd);
	make(5, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_ENVIRONMENT);
	assert_says(err, "is full: it needs 64 KiB");
	assert_null(placed(1, &size));
	assert_int_equal(placed(0, &size)->order.epoch, 4);
	assert_int_equal(f->carried, 0);
	f->status.standing.epoch = 0; /* what is there has its room */
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), 0);
	assert_int_equal(placed(0, &size)->order.epoch, 5);
	f->status.standing.epoch = 5;
	f->carried = 0;
	unlink(rest);
	assert_int_equal(mount(NULL, esp, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	make(6, NL_ORDER_LEAF, NULL);
	assert_int_equal(newleaf("carry", "--esp", esp, file_of_order), NL_EXIT_ENVIRONMENT);
	assert_says(err, "mount -o remount,rw");
	assert_null(placed(1, &size));
	assert_int_equal(f->carried, 0);
	umount(esp);
}

/* More leaves than a machine knows: there is room for the order, and none for them. */
static void too_many_leaves(void **state)
{
	static struct {
		struct nl_order o;
		struct nl_order_entry entries[NL_MAX_LEAVES + 1];
	} many = {.o = {.head = {NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(struct nl_order),
	                         sizeof(struct nl_order_entry), NL_MAX_LEAVES}}};
	struct nl_leaf_header leaf = {.signed_size = sizeof(leaf)};
	const struct standing_leaf brought = {(const uint8_t *)&leaf, sizeof(leaf)};
	uint8_t *place;
	size_t size;

	(void)state;
	for (unsigned i = 0; i <= NL_MAX_LEAVES; i++) {
		many.entries[i].what = NL_ORDER_LEAF;
		cli_sha256(&leaf, sizeof(leaf), many.entries[i].name);
	}
	place = standing_place(&many.o, sizeof(many), &brought, 1, &size);
	assert_non_null(place);
	free(place);
	many.o.head.count++;
	assert_null(standing_place(&many.o, sizeof(many), &brought, 1, &size));
}

static void status_tells(void **state)
{
	(void)state;
	f->status.standing = (struct nl_standing_state){5, 4, NL_ESIGNATURE, NL_AGAIN};
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "standing order of epoch 5 in force; this machine goes back behind epoch 4 no more");
	assert_says(out, "not on yet");
	assert_says(out, "NL_ESIGNATURE");
	assert_int_equal(newleaf("status", "--json"), 0);
	assert_schema("status");
	assert_says(out, "\"standing\":{\"epoch\":5,\"floor\":4,\"error\":\"NL_ESIGNATURE\",\"carried\":\"NL_AGAIN\"}");
	f->status.standing = (struct nl_standing_state){0, 4, NL_EEPOCH, NL_NOTHING};
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "no standing order is in force");
	assert_says(out, "NL_EEPOCH");
	f->status.standing = (struct nl_standing_state){5, 5, NL_OK, NL_EBYTES};
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "it was not carried out");
}

/* The machine is up; whether it stays so with its leaves on is seen when they are. */
static void alive_waits_for_it(void **state)
{
	uint64_t before = f->now_ns;

	(void)state;
	newleaf("alive"); /* there is no counter on this host */
	assert_true(f->now_ns - before < 1000000000ULL);
	f->status.standing.carried = NL_AGAIN;
	before = f->now_ns;
	newleaf("alive");
	assert_in_range(f->now_ns - before, 60000000000ULL, 61000000000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(it_is_written_first, machine),
	        cmocka_unit_test_setup(into_the_place_that_nobody_needs, machine),
	        cmocka_unit_test_setup(too_many_leaves, machine),
	        cmocka_unit_test_setup(carried_twice, machine),
	        cmocka_unit_test_setup(status_tells, machine),
	        cmocka_unit_test_setup(alive_waits_for_it, machine),
	        cmocka_unit_test_setup(counted_behind_the_write, machine),
	        cmocka_unit_test_setup(counted_while_on_trial, machine),
	        cmocka_unit_test_setup(not_past_the_policy, machine),
	        cmocka_unit_test_setup(done_before_its_leaf_came, machine),
	        cmocka_unit_test_setup(a_place_stays_where_it_is, machine),
	        cmocka_unit_test_setup(where_it_cannot_be_written, machine),
	};

	return cmocka_run_group_tests_name("cli_standing", tests, set_up_group, tear_down_group);
}
