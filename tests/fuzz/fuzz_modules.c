// SPDX-License-Identifier: Apache-2.0
// sources: hv/guest/linux/modules.c hv/guest/linux/hook.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/guest.c hv/guest/guestmem.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/leaf/bind.c hv/leaf/leaf.c hv/leaf/reloc.c hv/leaf/room.c
// sources: hv/view/view.c hv/view/npt.c hv/view/current.c hv/core/pool.c
// sources: tests/unit/fakeguest.c tests/unit/fakemodules.c tests/unit/makeleaf.c tests/unit/host.c
// sources: tests/unit/seam/seam.c
// libs: -lcmocka -lcrypto
// length: 512
// quick: 3000
/*
 * A guest whose list of modules, their structs, their page tables and their chain of notifiers hold anything: the walks
 * end and read only (the guest's memory is write-protected meanwhile), and what is bound is where it may be written to.
 */
#include "fuzz.h"

#include "commit/commit.h"
#include "core/journal.h"
#include "fakemodules.h"
#include "guest/linux/linux.h"
#include "guest/target.h"
#include "host.h"
#include "leaf/bind.h"
#include "leaf/room.h"
#include "makeleaf.h"
#include "view/base.h"
#include "view/current.h"
#include "x86.h"

#include <sys/mman.h>

enum { WRITES = 32, MODULES = 3 };
#define TABLES 0x120000ULL /* as fakemodules.c has them */

/* What is not part of this. */
void nl_journal_generation(uint64_t now) { (void)now; }
unsigned nl_commit_told(struct nl_cpu *self, const struct nl_context *ctx)
{
	(void)self, (void)ctx;
	return 0;
}

static struct make_leaf m;
static uint8_t file[NL_LEAF_MAX_SIZE] __attribute__((aligned(64)));
static struct nl_leaf leaf;
static struct nl_kernel kernel;
static struct fm all[MODULES];

static void start(void)
{
	static const char *const names[MODULES] = {"alpha", "beta", "gamma"};
	size_t size;

	fg_start(0, false, false, 1);
	fm_start(false);
	nl_views_init(fg_views());
	nl_publish_view(&fg.base);
	make_start(&m, "modules", 1, &fg.target);
	for (unsigned i = 0; i < MODULES; i++) {
		const struct nl_leaf_object o = fm_object(names[i], 0);
		uint8_t was[5];

		all[i] = fm_load(names[i], 0, i, i);
		fm_list(&all[i]);
		fm_state(&all[i], i ? FM_LIVE : FM_COMING);
		make_module(&m, &o);
		m.parts[i].n_text = m.parts[i].n_data = 32;
		for (unsigned k = 0; k < 5; k++)
			was[k] = fm_byte(names[i], 0, FM_TEXT, 0x105 + k);
		make_module_site(&m, i + 1, FM_TEXT, 0x105, was, "\xe9\0\0\0", 5, 0x100, 0x40);
	}
	make_layout(&m);
	for (unsigned i = 0; i < MODULES; i++) {
		uint32_t text = m.modules[i].text.offset;

		make_reloc(&m, (struct nl_leaf_reloc){NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, (uint16_t)i,
		                                      m.sites[i].fresh + 1, (uint16_t)(i + 1), 0, text, -4});
		make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, text,
		                                      (uint16_t)(i ? i : 2), FM_DATA, 8, 0});
	}
	size = make_write(&m, file);
	FUZZ_CHECK(!nl_leaf_parse(file, size, &leaf));
	FUZZ_CHECK(!nl_guest_find(&fg.ctx, &leaf.header->target, &kernel));
}

/* Where the input may write: everything that a walk follows. */
static uint8_t *place(uint8_t kind, uint16_t at)
{
	switch (kind % 8) {
	case 0:
		return fg_image(FM_MODULES) + at % 16 / 8 * 8;
	case 1:
		return fg_image(FM_NOTIFY) + at % 0x100 / 8 * 8;
	case 2:
		return fg.ram + TABLES + at % 0x400 / 8 * 8;
	case 3:
		return fg.ram + 0x100000 + (at & 0x7ff) * 8; /* the kernel's page tables */
	case 4:
		return fm_at(&all[at % MODULES], FM_RODATA, FM_NOTE) + at / MODULES % 3 * 8;
	default:
		return fm_struct(&all[at % MODULES]) + at / MODULES % FM_MODULE_SIZE / 8 * 8;
	}
}

static uint64_t value(struct fuzz *f, uint8_t kind)
{
	uint64_t v = fuzz_number(f, 2);

	switch (kind >> 4 & 7) {
	case 0:
		return all[v % MODULES].va + fg.target.module_list + v / MODULES % 32 * 8;
	case 1:
		return all[v % MODULES].base[v / MODULES % FM_PERCPU] + (v >> 8) * NL_PAGE_SIZE;
	case 2:
		return FG_LINK + (v << 4);
	case 3:
		return (FM_RAM + v % FM_PAGES * NL_PAGE_SIZE) | 3;
	case 4:
		return v;
	case 5:
		return 0ULL - v;
	}
	return v << 48 | fuzz_number(f, 6);
}

static uint32_t may;

/* What is bound is of a module that is there, in RAM of the guest's, on one page. */
static void check_bound(const struct nl_entry *e)
{
	for (uint32_t i = 0; i < e->n_sites; i++) {
		const struct nl_site *s = &e->sites[i];

		FUZZ_CHECK(!s->len || (s->len == s->size && e->objects[s->object].va));
		FUZZ_CHECK(!s->len ||
		           (nl_is_guest_ram(GPA(s->gpa)) && (s->gpa & NL_PAGE_MASK) + s->len <= NL_PAGE_SIZE));
		FUZZ_CHECK(!s->len || (s->va >> 63 && may >> s->object & 1));
	}
	for (uint32_t i = 0; i < e->n_objects; i++)
		for (uint32_t k = 0; k < i; k++)
			FUZZ_CHECK(!e->objects[i].text.size || !e->objects[k].text.size ||
			           e->objects[i].text.offset >= e->objects[k].text.offset + e->objects[k].text.size ||
			           e->objects[k].text.offset >= e->objects[i].text.offset + e->objects[i].text.size);
}

/* The input has changed tables of pages. */
static void forget(struct nl_kernel *k) { nl_guest_init(&k->space, fg_views(), &fg.base, FG_KERNEL + FG_TOP, false); }

static void walks(const struct nl_leaf_target *t, bool bound_before)
{
	static struct nl_entry e;
	struct nl_blocker blocker;
	struct nl_kernel k = kernel;
	enum nl_err err;

	k.target = t;
	forget(&k);
	for (unsigned i = 0; i < MODULES; i++) {
		struct nl_module found;

		err = nl_linux_module(&k, &leaf.modules[i], &found);
		FUZZ_CHECK(err == NL_OK || err == NL_NOTHING || err == NL_EMODULE || err == NL_EKERNEL);
		FUZZ_CHECK(err || found.base[FM_TEXT] >> 63);
		nl_linux_module_named(&k, all[i].va + fuzz_number(&(struct fuzz){file, 2}, 2), leaf.modules[i].name);
	}
	if (!bound_before) {
		memset(&e, 0, sizeof(e));
		e.target = leaf.header->target;
		FUZZ_CHECK(!nl_bind_begin(&e, &leaf, leaf.header->signed_size));
	}
	err = nl_bind(&e, NULL, may, &k, &blocker);
	FUZZ_CHECK(err == NL_OK || err == NL_EMODULE || err == NL_EKERNEL || err == NL_ERANGE || err == NL_ERELOC);
	if (!bound_before && err != NL_EKERNEL)
		check_bound(&e);
	if (!err && !bound_before && (may & 0xf) == 0xf) {
		forget(&k);
		FUZZ_CHECK(nl_bind_stands(&e, &k));
	}
}

/* Writes to the head of the chain, wherever that is now, and to nothing else of the guest's. */
static void link_hook(const struct nl_leaf_target *t)
{
	uint64_t was;
	uint8_t *at;
	enum nl_err err;

	kernel.target = t;
	forget(&kernel);
	at = nl_guest_pointer(&kernel.space, GVA(t->module_notify + t->notify_head), 0);
	if (at)
		memcpy(&was, at, 8);
	err = nl_linux_watch_modules(&kernel, 0);
	FUZZ_CHECK(err == NL_OK || err == NL_AGAIN || err == NL_EKERNEL);
	if (at)
		memcpy(at, &was, 8);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct {
		uint8_t *at;
		uint64_t was;
	} undo[WRITES];
	struct fuzz f = {bytes, size};
	struct nl_leaf_target t;
	unsigned n = 0;
	uint8_t say;

	if (!fg.ram)
		start();
	t = leaf.header->target;
	say = fuzz_byte(&f);
	may = say & 0x10 ? 0xf : say & 0xf;
	switch (say >> 5) { /* a leaf's author may say other offsets; the parser bounds them */
	case 1:
		t.module_list = (uint32_t)fuzz_number(&f, 2) % (FM_MODULE_SIZE - 16);
		break;
	case 2:
		t.module_name = (uint32_t)fuzz_number(&f, 2) % (FM_MODULE_SIZE - NL_OBJECT_NAME_LEN);
		break;
	case 3:
		t.module_state = (struct nl_leaf_field){(uint16_t)(fuzz_number(&f, 2) % (FM_MODULE_SIZE - 8)), 8};
		break;
	case 4:
		t.block_next = (uint32_t)fuzz_number(&f, 1) % (NL_LINUX_BLOCK_SIZE - 7);
		t.notify_count = (uint32_t)fuzz_number(&f, 1) & ~7u;
		break;
	}
	for (; n < WRITES && f.n; n++) {
		uint8_t kind = fuzz_byte(&f);
		uint64_t v;

		undo[n].at = place(kind, (uint16_t)fuzz_number(&f, 2));
		memcpy(&undo[n].was, undo[n].at, 8);
		v = value(&f, kind);
		memcpy(undo[n].at, &v, 8);
	}
	mprotect(fg.ram, FG_RAM, PROT_READ);
	walks(&t, false);
	mprotect(fg.ram, FG_RAM, PROT_READ | PROT_WRITE);
	link_hook(&t);
	while (n--)
		memcpy(undo[n].at, &undo[n].was, 8);
	/* and then all is as it was: what was bound to something else follows */
	may = 0xf;
	mprotect(fg.ram, FG_RAM, PROT_READ);
	walks(&t, true);
	mprotect(fg.ram, FG_RAM, PROT_READ | PROT_WRITE);
}

void fuzz_seeds(void)
{
	static const uint8_t none[] = {0x1f}, some[] = {0x05, 5, 0, 0, 0x44, 0}, list[] = {0x1f, 0x05, 6, 0, 0, 0};
	static const uint8_t circle[] = {0x1f, 0x00, 0, 0, 0, 0, 0x05, 0, 0, 3, 0},
	                     bases[] = {0x1f, 0x15, 0x31, 0, 4, 1, 0x15, 0x36, 0, 5, 0, 0x42, 9, 1, 7, 7};

	fuzz_seed(none, sizeof(none));
	fuzz_seed(some, sizeof(some));
	fuzz_seed(list, sizeof(list));
	fuzz_seed(circle, sizeof(circle));
	fuzz_seed(bases, sizeof(bases));
}
