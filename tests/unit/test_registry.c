// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/commit/trial.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: hv/core/sodium.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c
// libs: -lcrypto
/*
 * What comes before a commit, and what is told of it: staging and verifying leaves, kernels that are others or come and
 * go, the registry's room, buffers that are none, the answers of every call.
 */
#include "commit_fixture.h"
#include "exits/hypercall.h"
#include "commit/commit.h"
#include "core/kept.h"
#include "leaf/floor.h"
#include "leaf/list.h"
#include "leaf/registry.h"
#include "leaf/room.h"
#include "leaf/signature.h"
#include <insn.h>

static void other_kernels(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	m.header.target.kernel.build_id[3] ^= 1;
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	assert_int_equal(verify_report()->found_build_id_len, 20);
	assert_memory_equal(verify_report()->found_build_id, fg.target.kernel.build_id, 20);
	leaf_rodata("one", DATA_SITE, 0x11);
	m.header.target.syscall_entry += 0x40;
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	leaf_rodata("one", DATA_SITE, 0x11);
	m.header.target.page_table += 0x1000;
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	leaf_rodata("one", DATA_SITE, 0x11);
	fg.ctx.lstar = 0;
	assert_int_equal(verify_leaf(sha[0]), NL_EKERNEL);
	assert_int_equal(nl_registry_count(), 0);
}

/* The table that CR3 points to shows, where the kernel's own one should be, another page: one that shows the right one.
 */
static void another_table_in_front(void **state)
{
	enum { TOP = 0xf00000, L3 = 0xf01000, L2 = 0xf02000, L1 = 0xf03000, COPY = 0xf04000 };
	const uint64_t va = FG_LINK + SLIDE + FG_TOP;
	uint64_t *top = (uint64_t *)(fg.ram + TOP), *l3 = (uint64_t *)(fg.ram + L3), *l2 = (uint64_t *)(fg.ram + L2),
	         *l1 = (uint64_t *)(fg.ram + L1);
	uint8_t sha[1][32];

	(void)state;
	memcpy(top, fg.ram + (fg.user_cr3 & ~0xfffULL), NL_PAGE_SIZE);
	memcpy(l3, fg.ram + (top[511] & ~0xfffULL), NL_PAGE_SIZE);
	memcpy(l2, fg.ram + (l3[va >> 30 & 511] & ~0xfffULL), NL_PAGE_SIZE);
	memcpy(fg.ram + COPY, fg_image(FG_TOP), NL_PAGE_SIZE);
	for (unsigned i = 0; i < 512; i++)
		l1[i] = ((FG_KERNEL + FG_TOP) & ~(NL_2M - 1)) + i * NL_PAGE_SIZE + 3;
	l1[va >> 12 & 511] = COPY | 3;
	l2[va >> 21 & 511] = L1 | 3;
	l3[va >> 30 & 511] = L2 | 3;
	top[511] = L3 | 3;
	fg.ctx.cr3 = TOP;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	l1[va >> 12 & 511] = (FG_KERNEL + FG_TOP) | 3;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(nl_registry_find(sha[0])->state.old_tasks, NL_UNCOUNTED); /* nobody has looked yet */
}

static void bodies_and_the_arena(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	m.header.bss_size = 0x200000;
	assert_int_equal(verify_leaf(sha[0]), NL_EARENA);
	m.header.bss_size = 0x100000;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_text_and_data("body", 2);
	m.header.bss_size = 0x100000;
	assert_int_equal(verify_leaf(sha[0]), NL_EARENA);
	assert_int_equal(nl_room_free(NL_ROOM_TEXT), 0x200000 - NL_ARENA_OWN - 128);
	assert_int_equal(nl_room_free(NL_ROOM_DATA), 0x100000 - NL_ARENA_OWN - 64);
}

static void registry_is_bounded(void **state)
{
	uint8_t sha[NL_MAX_LEAVES + 2][32];
	char id[16];
	unsigned i;

	(void)state;
	for (i = 0; i < NL_MAX_LEAVES; i++) {
		snprintf(id, sizeof(id), "leaf-%u", i);
		leaf_rodata(id, DATA_SITE + 8 * i, 0x11);
		assert_int_equal(verify_leaf(sha[i]), NL_OK);
	}
	leaf_rodata("one-more", DATA_SITE + 0x800, 0x11);
	assert_int_equal(verify_leaf(sha[i]), NL_OK); /* takes the place of the oldest that was never applied */
	assert_int_equal(nl_registry_count(), NL_MAX_LEAVES);
	assert_null(nl_registry_find(sha[0]));
	assert_int_equal(commit((const void *)(sha + 1), NL_MAX_LEAVES), NL_OK);
	leaf_rodata("too-many", DATA_SITE + 0x900, 0x11);
	assert_int_equal(verify_leaf(sha[i + 1]), NL_ENOMEM);
}

static void refused_leaves(void **state)
{
	struct moment was = before();
	struct nl_key other;
	size_t size;
	unsigned i;

	(void)state;
	leaf_text_and_data("body", 1);
	size = make_write(&m, file);
	assert_int_equal(stage(size), NL_OK);
	assert_int_equal(verify(), NL_EUNSIGNED);
	make_sign(file, size);
	size += MAKE_SIGNATURE;
	for (i = 0; i < 64; i++) {
		unsigned at = (unsigned)host_below(size);

		file[at] ^= 0x10;
		assert_int_equal(stage(size), NL_OK);
		assert_int_not_equal(verify(), NL_OK);
		file[at] ^= 0x10;
	}
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 0, 0, 0), NL_OK); /* an empty file */
	assert_int_equal(verify(), NL_ELEAF);
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 0, 0, NL_LEAF_MAX_SIZE + 1), NL_ELEAF);
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 8, 0, 100), NL_OK);
	assert_int_equal(verify(), NL_ESTATE);                                 /* not all of it is there */
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 8, 16, 100), NL_ESTATE); /* a hole */
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 93, 8, 100), NL_EUSAGE);
	make_key(&other, "stranger", NL_ROLE_AUTHOR);
	assert_int_equal(stage(make_sign(file, make_write(&m, file))), NL_OK);
	assert_int_equal(verify(), NL_EKEY);
	assert_int_equal(nl_registry_count(), 0);
	unchanged(was);
}

/* Leaves that no author's tool makes: what they would have is found when they are bound or applied, if at all, and
 * changes nothing. */
static void meaningless_leaves(void **state)
{
	struct moment was = before();
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("far", DATA_SITE, 0x11);
	m.sites[0].offset = 1u << 30;
	assert_int_equal(verify_leaf(sha[0]), NL_ERANGE);
	leaf_rodata("none", FG_TOP, 0x11);
	m.header.target.runqueues = m.header.target.per_cpu_offset =
	        0; /* no queues: nobody is believed to be in none */
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_EKERNEL);
	leaf_text_and_data("nowhere", 1);
	m.header.target.arena_pmd = 0;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_EARENA);
	leaf_rodata("twice", DATA_SITE, 0x11);
	make_site(&m, FG_LINK + DATA_SITE + 4, fg_image(DATA_SITE + 4), "\x22\x22\x22\x22", 4, 0, 0);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_EBYTES); /* the other has written there */
	unchanged(was);
}

static void sites_out_of_bounds(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("across", FG_RODATA + 0xffc, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_ERANGE);
	leaf_rodata("inside", FG_RODATA + 0xff8, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

/* A list that was taken, and lock-outs, hold at verify, and at prepare for what was verified before. */
static void barred(void **state)
{
	struct {
		struct nl_list head;
		struct nl_list_entry entry;
		uint8_t signature[MAKE_SIGNATURE];
	} *list = calloc(1, sizeof(*list));
	struct moment was = before();
	struct nl_key revoker;
	uint8_t sha[32];
	size_t size = sizeof(list->head) + sizeof(list->entry);
	unsigned i;

	(void)state;
	leaf_rodata("alpha", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha), NL_OK);
	nl_lock_out(nl_kept->lockouts, sha, NL_LOCKOUT_PANIC);
	assert_int_equal(commit((const void *)sha, 1), NL_ELOCKEDOUT);
	assert_int_equal(stage(make_sign(file, make_write(&m, file))), NL_OK);
	assert_int_equal(verify(), NL_ELOCKEDOUT);

	make_domain = NL_DOMAIN_LIST;
	i = make_key(&revoker, "revoker", NL_ROLE_REVOKE);
	nl_boot.keys[nl_boot.facts.n_keys++] = revoker;
	list->head = (struct nl_list){{NL_LIST_MAGIC, 1, sizeof(list->head), sizeof(list->entry), 1}, 1};
	list->entry.what = NL_LIST_LEAF;
	memcpy(list->entry.name, sha, sizeof(sha));
	assert_int_equal(nl_list_take(list, make_sign_by((uint8_t *)list, size, &i, 1), 0), NL_OK);
	assert_int_equal(verify(), NL_EREVOKED);
	assert_int_equal(commit((const void *)sha, 1), NL_EREVOKED);
	list->entry.what = NL_LIST_KEY;
	nl_key_id(nl_boot.keys[0].key, list->entry.name);
	assert_int_equal(nl_list_take(list, make_sign_by((uint8_t *)list, size, &i, 1), 0), NL_OK);
	assert_int_equal(verify(), NL_EKEYREVOKED);
	make_domain = NL_DOMAIN_LEAF;
	nl_list_take(NULL, 0, 0);
	free(list);
	unchanged(was);
}

/* Of how many different authors a leaf needs the signature, the policy says. */
static void quorum(void **state)
{
	struct nl_key other;
	uint8_t sha[32];
	unsigned by[3], me;
	size_t size;

	(void)state;
	nl_boot.facts.n_keys = 3;
	by[0] = me = make_key(&nl_boot.keys[0], "one", NL_ROLE_AUTHOR);
	by[1] = make_key(&nl_boot.keys[1], "two", NL_ROLE_AUTHOR);
	by[2] = make_key(&nl_boot.keys[2], "watch", NL_ROLE_REVOKE);
	leaf_text_and_data("body", 1);
	size = make_write(&m, file);
	nl_boot.facts.policy.signatures = 2;
	assert_int_equal(stage(make_sign_by(file, size, by, 1)), NL_OK);
	assert_int_equal(verify(), NL_EQUORUM);
	assert_string_equal(verify_report()->key_name, "one");
	assert_int_equal(verify_report()->signatures, 1);
	assert_int_equal(stage(make_sign_by(file, size, (unsigned[]){me, me, me}, 3)), NL_OK);
	assert_int_equal(verify(), NL_EQUORUM); /* who signs twice counts once */
	by[1] = make_key(&other, "stranger", NL_ROLE_AUTHOR);
	assert_int_equal(stage(make_sign_by(file, size, by, 3)), NL_OK);
	assert_int_equal(verify(), NL_EQUORUM); /* neither strangers nor other roles count */
	assert_int_equal(nl_registry_count(), 0);
	by[1] = me + 1;
	for (unsigned i = 0; i < 2; i++) { /* one of two signatures is bad */
		make_sign_by(file, size, by, 2);
		file[size + sizeof(struct nl_signatures) + i * sizeof(struct nl_signature) + 40] ^= 1;
		assert_int_equal(stage(size + sizeof(struct nl_signatures) + 2 * sizeof(struct nl_signature)), NL_OK);
		assert_int_equal(verify(), NL_ESIGNATURE);
	}
	by[2] = by[1], by[1] = me + 3; /* a stranger between them is in nobody's way */
	by[0] = by[2], by[2] = me;
	assert_int_equal(stage(make_sign_by(file, size, by, 3)), NL_OK);
	assert_int_equal(verify(), NL_OK);
	assert_int_equal(verify_report()->signatures, 2);
	assert_string_equal(verify_report()->key_name, "one"); /* that stands first among the keys here */
	memcpy(sha, verify_report()->sha256, 32);
	assert_int_equal(nl_registry_find(sha)->state.signatures, 2);
	/* Two signatures wanted and one there: what a leaf with three left behind does not count for the next. */
	leaf_text_and_data("body", 2);
	assert_int_equal(stage(make_sign_by(file, make_write(&m, file), &me, 1)), NL_OK);
	assert_int_equal(verify(), NL_EQUORUM);
	nl_boot.facts.policy.signatures = 1;
}

/* What the author says is kept, as it was signed, for whoever asks. */
static void facts(void **state)
{
	struct nl_leaf_facts *f = (struct nl_leaf_facts *)fg_user(FG_USER);
	const struct nl_leaf_fact *fact = (const struct nl_leaf_fact *)(const void *)f->bytes;
	uint8_t sha[2][32];

	(void)state;
	leaf_rodata("none", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_text_and_data("body", 1);
	make_fact(&m, NL_FACT_CVE, "CVE-2026-1", 0);
	make_fact(&m, NL_FACT_ALLOW, "clones", 0);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(*f), 0, 0), NL_OK);
	assert_memory_equal(f->sha256, sha[0], 32);
	assert_int_equal(f->size, 0);
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(*f), 1, 0), NL_OK);
	assert_memory_equal(f->sha256, sha[1], 32);
	assert_int_equal(f->size, m.n_facts);
	assert_memory_equal(f->bytes, m.facts, m.n_facts);
	assert_int_equal(fact->kind, NL_FACT_CVE);
	assert_memory_equal(fact->text, "CVE-2026-1", fact->length);
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(*f), 2, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(*f), ~0ULL, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(*f) - 1, 0, 0), NL_EUSAGE);
}

/* The counters of all CPUs and functions together; only they, and whatever the guest has written there. */
static void hits(void **state)
{
	struct nl_leaf_state *l = (struct nl_leaf_state *)fg_user(FG_USER);
	const size_t row = NL_COUNTER_LINE, rows = 4;
	uint8_t sha[2][32], *data;

	(void)state;
	leaf_rodata("first", DATA_SITE + 64, 0x11);
	m.header.bss_size = 64;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_text_and_data("body", 1);
	m.header.counters = 2;
	m.header.counter_cpus = (uint32_t)rows;
	m.header.counter_offset = 128;
	m.header.bss_size = (uint32_t)(128 + rows * row) - m.n_data;
	m.sites[0].counter = 2;
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	data = (uint8_t *)nl_phys(HPA(nl_boot.region + NL_REGION_ARENA_DATA)) +
	       nl_registry_find(sha[1])->objects[0].data.offset;
	memset(data, 0x77, 128);
	memset(data + 128 + rows * row, 0x77, 64);
	data[128] = 3;
	data[128 + 8] = 40;
	data[128 + row + 1] = 5;
	data[128 + 3 * row + 8] = 100;
	memset(data + 128 + 16, 0xff, row - 16); /* the rest of a row is no counter */
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l[0].counters, 0);
	assert_int_equal(l[0].hits, 0);
	assert_int_equal(l[1].counters, 2);
	assert_int_equal(l[1].hits, 3 + 40 + 0x500 + 100);
}

static void long_leaf_in_slices(void **state)
{
	static uint8_t big[NL_LEAF_MAX_SIZE];
	struct nl_leaf_header h;
	size_t size;
	unsigned again = 0;
	enum nl_err err;

	(void)state;
	leaf_rodata("big", DATA_SITE, 0x11);
	size = make_write(&m, file);
	memcpy(&h, file, sizeof(h));
	memcpy(big, file, size);
	h.strings.count = NL_LEAF_MAX_STRINGS; /* padding: a long description */
	h.signed_size = h.strings.offset + h.strings.count;
	memcpy(big, &h, sizeof(h));
	memcpy(file, big, h.signed_size);
	size = make_sign(file, h.signed_size);
	assert_int_equal(stage(size), NL_OK);
	while ((err = call(NL_CALL_VERIFY, FG_USER, sizeof(struct nl_verify_report), 0, 0)) == NL_AGAIN)
		again++;
	assert_int_equal(err, NL_OK);
	/* the signature has a call of its own, what it signs has, and so has a kernel that was not known */
	assert_true(h.signed_size > 5 * 768);
	assert_int_equal(again, (h.signed_size + 767) / 768 + 3);
}

/* What is known of leaves is asked of one after the other: a call looks at one. Who asks says how far he is, so that
 * one that goes away in the midst leaves nothing unasked for the next. */
static void a_leaf_at_a_time(void **state)
{
	struct nl_gprs *r = &fg.cpus[0].gprs;
	const char *const ids[] = {"one", "two", "three"};
	uint8_t sha[32];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		leaf_rodata(ids[i], DATA_SITE, 0x11);
		assert_int_equal(verify_leaf(sha), NL_OK);
	}
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i <= (round ? 3 : 1); i++) {
			*r = (struct nl_gprs){
			        .rax = NL_CALL_MAGIC, .rbx = NL_CALL_LEAVES, .rsi = FG_USER, .rdi = 4096, .rcx = i};
			nl_hypercall(&fg.cpus[0], &fg.ctx, NL_PROOF_PORT);
			assert_int_equal(r->rax, i < 3 ? NL_AGAIN : NL_OK);
			assert_int_equal(r->rcx, i < 3 ? i + 1 : 3);
		}
}

static void bad_buffers(void **state)
{
	const uint64_t read_only = FG_USER + FG_USER_SIZE, kernel = FG_LINK + SLIDE + FG_TOP,
	               nowhere = FG_USER + 0x100000;
	struct moment was = before();
	uint64_t i;

	(void)state;
	assert_int_equal(call(NL_CALL_STATUS, read_only, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, read_only - 8, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, kernel, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, nowhere, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, 0x800000000000, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, ~0ULL, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, FG_USER, sizeof(struct nl_status) - 1, 0, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_STATUS, FG_USER, NL_CALL_MAX_BUFFER + 1, 0, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_STAGE, kernel, 64, 0, 64), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STAGE, read_only, 64, 0, 64), NL_OK); /* reading is all it does */
	assert_int_equal(call(NL_CALL_EXITS, FG_USER, sizeof(struct nl_exit_counts), 1, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_EXITS, FG_USER, sizeof(struct nl_exit_counts), ~0ULL, 0), NL_EUSAGE);
	for (i = 0; i < 20000; i++) { /* garbage */
		uint64_t buffer = host_below(2) ? FG_USER + host_below(0x20000) : host_random();

		call((enum nl_call)(host_below(4) ? host_below(16) : host_random()), buffer,
		     host_below(2) ? host_below(2000) : host_random(), host_below(2) ? host_below(64) : host_random(),
		     host_below(2) ? host_below(64) : host_random());
		if (i % 1000 == 0) {
			assert_int_equal(call((enum nl_call)0, FG_USER, 64, 0, 0), NL_EUSAGE);
			assert_int_equal(call((enum nl_call)(NL_CALL_SIGNED + 1), FG_USER, 64, 0, 0), NL_EUSAGE);
		}
	}
	unchanged(was);
}

static void answers(void **state)
{
	struct nl_status *s = (struct nl_status *)fg_user(FG_USER);
	struct nl_leaf_state *l = (struct nl_leaf_state *)fg_user(FG_USER);
	struct nl_journal_entry *j = (struct nl_journal_entry *)fg_user(FG_USER);
	uint64_t first;
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 7);
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 0, 1, 0), NL_OK);
	first = out_r8 + 1; /* the journal is older than this test */
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(call(NL_CALL_STATUS, FG_USER, sizeof(*s), 0, 0), NL_OK);
	assert_int_equal(out_rcx, sizeof(*s));
	assert_int_equal(s->generation, 2);
	assert_int_equal(s->kernel_slide, SLIDE);
	assert_memory_equal(s->kernel_build_id, fg.target.kernel.build_id, 20);
	assert_string_equal(s->vendor, "FAKE");
	assert_int_equal(s->leaves, 1);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(out_rcx, 1);
	assert_string_equal(l->id, "body");
	assert_string_equal(l->key_name, "demo");
	assert_int_equal(l->condition, NL_LEAF_APPLIED);
	assert_int_equal(l->version, 7);
	assert_int_equal(l->pages, 2);
	assert_int_equal(l->generation, 2);
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 8 * sizeof(*j), first, 0), NL_OK);
	assert_int_equal(out_rcx, 4); /* kernel, verified, applied, commit */
	assert_int_equal(out_r8, first + 3);
	assert_int_equal(j[1].event, NL_EV_VERIFIED);
	assert_int_equal(j[2].event, NL_EV_APPLIED);
	assert_string_equal(j[2].id, "body");
	assert_int_equal(j[3].generation, 2);
	assert_int_equal(call(NL_CALL_CONSOLE, FG_USER, 16, 0, 0), NL_OK);
	assert_int_equal(out_rcx, 3);
	assert_int_equal(out_r8, 3);
	assert_memory_equal(fg_user(FG_USER), "abc", 3);
}

/* Sites in memory that the hardware calls poisoned: an answer, and no word that was read. */
static void poisoned_sites(void **state)
{
	struct nl_leaf_state *l = (struct nl_leaf_state *)fg_user(FG_USER);
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	seam_poison = fg_image(DATA_SITE);
	assert_int_equal(verify_leaf(sha[0]), NL_ERANGE);
	seam_poison = NULL;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_OK);
	seam_poison = fg_shown(DATA_SITE);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_EPROBED);
	seam_poison = NULL;
}

/* LSTAR is written, by a program that plays with MSRs, but the kernel is the same: nothing is forgotten, above all no
 * version. */
static void lstar_written(void **state)
{
	uint8_t v1[1][32], v2[1][32];

	(void)state;
	fg_task("init", 0, 0, NULL);
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(v1[0]), NL_OK);
	leaf_text_and_data("body", 2);
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
	fg.ctx.lstar += 4;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	fg.ctx.lstar -= 4;
	assert_int_equal(nl_registry_find(v2[0])->state.condition, NL_LEAF_APPLIED);
	assert_int_equal(commit(NULL, 0), NL_OK);
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
}

/* A kernel pretended to be gone, by one changed byte of its name, is the old one again a moment later: what was applied
 * is forgotten, how new it was is not. */
static void kernel_pretended(void **state)
{
	uint8_t v1[1][32], v2[1][32], *name = fg_shown(FG_BUILD_ID);
	struct nl_journal_entry *j = (struct nl_journal_entry *)fg_user(FG_USER);
	uint64_t first;

	(void)state;
	leaf_text_and_data("body", 2);
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 0, 1, 0), NL_OK);
	first = out_r8 + 1;
	name[0] ^= 1;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	fg.cpus[0].root_generation = nl_current_view()->generation;
	name = fg_shown(FG_BUILD_ID);
	name[0] ^= 1;
	assert_null(nl_registry_find(v2[0]));
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 2 * sizeof(*j), first, 0), NL_OK);
	assert_true(out_rcx == 2 && j[0].event == NL_EV_REVERTED && j[1].event == NL_EV_KERNEL);
	assert_memory_equal(j[0].leaf_sha256, v2[0], 32);     /* the record says what went with it */
	memcpy(fg_shown(TEXT_SITE), fg_image(TEXT_SITE), 64); /* its text as it was loaded */
	memcpy(fg_shown(DATA_SITE), fg_image(DATA_SITE), 64);
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(v1[0]), NL_OK);
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
	leaf_text_and_data("body", 2);
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
}

/* Only so many names can be remembered: one more is refused before anything is done, a known one never is. */
static void floors_are_full(void **state)
{
	uint8_t sha[1][32], known[1][32];
	struct moment was;

	(void)state;
	leaf_text_and_data("known", 3);
	assert_int_equal(verify_leaf(known[0]), NL_OK);
	assert_int_equal(commit((const void *)known, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	for (unsigned i = 1; i < NL_MAX_FLOORS; i++) {
		char id[NL_LEAF_ID_LEN] = "";

		snprintf(id, sizeof(id), "leaf-%u", i);
		assert_true(nl_floor_raise(id, i));
	}
	leaf_text_and_data("one-more", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	assert_int_equal(commit((const void *)sha, 1), NL_EFLOORS);
	unchanged(was);
	assert_int_equal(commit((const void *)known, 1), NL_OK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(other_kernels),
	        T(another_table_in_front),
	        T(bodies_and_the_arena),
	        T(registry_is_bounded),
	        T(refused_leaves),
	        T(meaningless_leaves),
	        T(sites_out_of_bounds),
	        T(barred),
	        T(quorum),
	        T(facts),
	        T(hits),
	        T(long_leaf_in_slices),
	        T(a_leaf_at_a_time),
	        T(bad_buffers),
	        T(answers),
	        T(poisoned_sites),
	        T(lstar_written),
	        T(kernel_pretended),
	        T(floors_are_full),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
