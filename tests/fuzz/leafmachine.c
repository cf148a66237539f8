// SPDX-License-Identifier: Apache-2.0
/* See leafmachine.h. Signatures are not part of this: each leaf has one, and it is good; and its hash is a quick one.
 */
#include "leafmachine.h"
#include "fuzz.h"

#include "commit/commit.h"
#include "core/cpu.h"
#include "core/kept.h"
#include "core/pool.h"
#include "core/sha256.h"
#include "fakemodules.h"
#include "guest/linux/linux.h"
#include "leaf/bind.h"
#include "leaf/registry.h"
#include "leaf/room.h"
#include "leaf/signature.h"
#include "view/base.h"
#include "x86.h"

#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <sys/mman.h>

#define HALF (NL_REGION_ARENA_DATA - NL_REGION_ARENA_TEXT - NL_ARENA_OWN)
#define POOL_OFFSET (NL_REGION_CORE + 0x100000ULL) /* as fakeguest.c has it */
#define N_PAGES (FG_RAM / NL_PAGE_SIZE)
#define PATIENCE 1000u /* calls that answer NL_AGAIN */

/* -- what is not part of this -- */

void nl_log(const char *format, ...) { (void)format; }

void nl_panic(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	abort();
}

enum nl_err nl_signatures_find(const void *block, size_t size, const struct nl_signature **first, uint32_t *count)
{
	static const struct nl_signature good;

	(void)block, (void)size;
	*first = &good;
	*count = 1;
	return NL_OK;
}

void nl_sha256_init(struct nl_sha256 *s) { memset(s, 0, sizeof(*s)); }

void nl_sha256_update(struct nl_sha256 *s, const void *data, size_t n)
{
	uint64_t sum;

	memcpy(&sum, s, sizeof(sum));
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ ((const uint8_t *)data)[i]) * 0x100000001b3ULL;
	memcpy(s, &sum, sizeof(sum));
}

void nl_sha256_out(struct nl_sha256 *s, uint8_t out[32])
{
	memset(out, 1, 32);
	memcpy(out, s, sizeof(uint64_t));
}

void nl_sha256_of(const void *data, size_t n, uint8_t out[32])
{
	struct nl_sha256 s;

	nl_sha256_init(&s);
	nl_sha256_update(&s, data, n);
	nl_sha256_out(&s, out);
}

enum nl_err nl_check_step(struct nl_check *c)
{
	if (c->hashed == c->signed_size)
		return NL_OK;
	nl_sha256_of(c->file, c->signed_size, c->sha256);
	c->hashed = c->signed_size;
	c->checked = c->known = c->n_known = 1;
	return NL_AGAIN;
}

enum nl_err nl_check_whole(struct nl_check *c)
{
	enum nl_err err;

	while ((err = nl_check_step(c)) == NL_AGAIN)
		;
	return err;
}

void nl_key_id(const uint8_t key[32], uint8_t id[32]) { memcpy(id, key, 32); }

/* -- memory -- */

static uint8_t *apart;                 /* page i of the guest's memory is page 2i + 1 here, and the others are none */
static uint32_t used[N_PAGES], n_used; /* pages that were asked for since the memory was as it was */
static bool is_used[N_PAGES];

void *__wrap_nl_phys(hpa_t pa);
bool __wrap_nl_room_find(const struct nl_entry *fresh, enum nl_room in, uint64_t size, struct nl_run *out);
bool __real_nl_room_find(const struct nl_entry *fresh, enum nl_room in, uint64_t size, struct nl_run *out);
enum nl_err __wrap_nl_bind(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t may, struct nl_kernel *k,
                           struct nl_blocker *blocker);
enum nl_err __real_nl_bind(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t may, struct nl_kernel *k,
                           struct nl_blocker *blocker);

static uint8_t *page_of(uint64_t page) { return apart + (2 * page + 1) * NL_PAGE_SIZE; }

void *__wrap_nl_phys(hpa_t pa)
{
	uint64_t page = pa.v / NL_PAGE_SIZE;

	if (pa.v >= FG_RAM) {
		FUZZ_CHECK(pa.v - FG_REGION < NL_REGION_MAX);
		return fg.region + (pa.v - FG_REGION);
	}
	if (!is_used[page]) {
		is_used[page] = true;
		used[n_used++] = (uint32_t)page;
	}
	return page_of(page) + pa.v % NL_PAGE_SIZE;
}

static void forget_writes(void)
{
	for (; n_used; n_used--) {
		uint32_t page = used[n_used - 1];

		is_used[page] = false;
		if (memcmp(page_of(page), fg.ram + page * NL_PAGE_SIZE, NL_PAGE_SIZE))
			memcpy(page_of(page), fg.ram + page * NL_PAGE_SIZE, NL_PAGE_SIZE);
	}
}

static void take_apart(void)
{
	apart = mmap(NULL, (2 * N_PAGES + 1) * NL_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	             0);
	FUZZ_CHECK(apart != MAP_FAILED);
	for (uint64_t i = 0; i < N_PAGES; i++) {
		FUZZ_CHECK(!mprotect(page_of(i), NL_PAGE_SIZE, PROT_READ | PROT_WRITE));
		memcpy(page_of(i), fg.ram + i * NL_PAGE_SIZE, NL_PAGE_SIZE);
	}
}

static uint8_t *half(enum nl_room in)
{
	return fg.region + (in == NL_ROOM_TEXT ? NL_REGION_ARENA_TEXT : NL_REGION_ARENA_DATA);
}

bool __wrap_nl_room_find(const struct nl_entry *fresh, enum nl_room in, uint64_t size, struct nl_run *out)
{
	bool found = __real_nl_room_find(fresh, in, size, out);

	if (found && in != NL_ROOM_FILES) {
		FUZZ_CHECK((uint64_t)out->offset + out->size <= HALF && out->size >= size);
		ASAN_UNPOISON_MEMORY_REGION(half(in) + out->offset, out->size);
	}
	return found;
}

/* -- the guest -- */

static struct fm modules[MACHINE_MODULES];
static const char *const names[MACHINE_MODULES] = {"alpha", "beta", "gamma"};
static bool planting; /* what a leaf expects stands where it is bound */

static void start(void)
{
	uint64_t *stack;

	fg_start(0, false, false, 1);
	fm_start(false);
	for (unsigned i = 0; i < MACHINE_MODULES; i++) {
		modules[i] = fm_load(names[i], 0, i, i);
		fm_list(&modules[i]);
		fm_state(&modules[i], i ? FM_LIVE : FM_COMING);
	}
	for (unsigned i = 0; i < 4; i++) {
		fg_task("task", 0, 8, &stack);
		memset(stack, 0, 64);
	}
	fg_kprobe(FG_LINK + 0x1f8000);
	take_apart();
	/* what is behind the hypervisor's own bytes of the arena */
	ASAN_POISON_MEMORY_REGION(fg.region + NL_REGION_CORE, POOL_OFFSET - NL_REGION_CORE);
}

/* As it is when the hypervisor has started, whatever a leaf has made of it. */
static void as_new(void)
{
	static const struct nl_type_run all = {0, 1ULL << 33, NL_MT_WB};
	struct nl_commit_report unused;

	if (fg.base.generation)
		nl_commit_abandon(&fg.cpus[0], &unused);
	nl_registry_forget();
	memset(nl_kept, 0, sizeof(*nl_kept));
	forget_writes();
	nl_pool_init(fg.region + POOL_OFFSET, HPA(FG_REGION + POOL_OFFSET), 512);
	FUZZ_CHECK(!nl_view_base(fg_views(), &all, 1, &fg.base));
	fg.base.generation = 1;
	fg.cpus[0].root_generation = 1;
	nl_views_init(fg_views());
	nl_commit_init(&fg.base);
	ASAN_POISON_MEMORY_REGION(half(NL_ROOM_TEXT), HALF);
	ASAN_POISON_MEMORY_REGION(half(NL_ROOM_DATA), HALF);
}

static void check_bound(const struct nl_entry *e)
{
	for (uint32_t i = 0; i < e->n_sites; i++) {
		const struct nl_site *s = &e->sites[i];

		FUZZ_CHECK(s->object < e->n_objects && s->size <= NL_SITE_MAX_LEN && (!s->len || s->len == s->size));
		FUZZ_CHECK(!s->len || (nl_is_guest_ram(GPA(s->gpa)) && s->gpa % NL_PAGE_SIZE + s->len <= NL_PAGE_SIZE));
	}
	for (uint32_t i = 0; i < e->n_objects; i++)
		FUZZ_CHECK((uint64_t)e->objects[i].text.offset + e->objects[i].text.size <= HALF &&
		           (uint64_t)e->objects[i].data.offset + e->objects[i].data.size <= HALF);
}

enum nl_err __wrap_nl_bind(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t may, struct nl_kernel *k,
                           struct nl_blocker *blocker)
{
	enum nl_err err = __real_nl_bind(e, leaf, may, k, blocker);

	check_bound(e);
	for (uint32_t i = 0; planting && i < e->n_sites; i++)
		if (e->sites[i].len)
			memcpy(__wrap_nl_phys(HPA(e->sites[i].gpa)), e->sites[i].expected, e->sites[i].len);
	return err;
}

/* -- the way of a leaf -- */

static enum nl_err done(enum nl_err err)
{
	fg.cpus[0].root_generation = nl_current_view()->generation; /* what hv_before_entry does */
	return err;
}

static enum nl_err stage(const uint8_t *leaf, size_t size)
{
	uint64_t at = (uint64_t)(fg_user(FG_USER) - fg.ram);
	struct nl_guest caller;

	for (size_t i = 0; i < size; i += NL_PAGE_SIZE)
		memcpy(__wrap_nl_phys(HPA(at + i)), leaf + i, size - i < NL_PAGE_SIZE ? size - i : NL_PAGE_SIZE);
	nl_guest_init(&caller, nl_views(), nl_current_view(), fg.ctx.cr3, false);
	return done(nl_registry_stage(&caller, GVA(FG_USER), size, 0, size));
}

static enum nl_err verify(struct nl_verify_report *report)
{
	enum nl_err err = NL_AGAIN;

	for (unsigned i = 0; err == NL_AGAIN && i < PATIENCE; i++)
		err = done(nl_registry_verify(&fg.ctx, NULL, NULL, report));
	FUZZ_CHECK(err != NL_AGAIN);
	return err;
}

static enum nl_err commit(const uint8_t *sha256)
{
	static struct nl_commit_request request;
	struct nl_commit_report report;
	enum nl_err err = NL_AGAIN;

	request = (struct nl_commit_request){
	        .expected_generation = UINT64_MAX, .deadline_ms = 1000, .count = sha256 ? 1 : 0};
	if (sha256)
		memcpy(request.set[0], sha256, 32);
	for (unsigned i = 0; err == NL_AGAIN && i < PATIENCE; i++)
		err = done(nl_commit_prepare(&fg.cpus[0], &fg.ctx, &request));
	return err ? err : done(nl_commit_try(&fg.cpus[0], &fg.ctx, &report));
}

enum machine_way machine_run(const uint8_t *leaf, size_t size)
{
	struct nl_verify_report report;

	if (!fg.ram)
		start();
	if (size > FG_USER_SIZE)
		return MACHINE_REFUSED;
	as_new();
	planting = true;
	if (stage(leaf, size) || verify(&report))
		return MACHINE_REFUSED;
	nl_registry_note(&fg.ctx, 0);
	verify(&report); /* it is known */
	planting = false;
	if (commit(report.sha256))
		return MACHINE_VERIFIED;
	nl_registry_note(&fg.ctx, 0);
	for (unsigned i = 0; i < 2 * MACHINE_MODULES; i++)
		fm_tell(modules[i / 2].va, i % 2 ? FM_COMING : FM_GOING);
	nl_registry_note(&fg.ctx, 0);
	return commit(NULL) ? MACHINE_APPLIED : MACHINE_REVERTED;
}

/* -- leaves -- */

size_t machine_leaf(uint8_t *out, bool with_modules)
{
	static const uint8_t data_was[NL_SITE_MAX_LEN], data_fresh[NL_SITE_MAX_LEN] = {1};
	static struct make_leaf m;
	const unsigned n = with_modules ? MACHINE_MODULES : 0;
	uint32_t text, data;

	if (!fg.ram)
		start();
	make_start(&m, "leaf", 1, &fg.target);
	for (unsigned i = 0; i < n; i++) {
		const struct nl_leaf_object o = fm_object(names[i], 0);

		make_module(&m, &o);
		m.parts[i].n_text = m.parts[i].n_data = 32;
	}
	memset(m.text, 0x90, m.n_text = 64);
	memset(m.data, 0x11, m.n_data = 32);
	make_layout(&m);
	text = m.header.target.kernel.text.offset;
	data = m.header.target.kernel.data.offset;
	make_site(&m, FG_LINK + 0x5005, "\x0f\x1f\x44\0\0", "\xe9\0\0\0\0", 5, FG_LINK + 0x5000, 0x80);
	make_site(&m, FG_LINK + 0x200100, data_was, data_fresh, NL_SITE_MAX_LEN, 0, 0);
	for (unsigned i = 0; i < n; i++)
		make_module_site(&m, i + 1, i == 2 ? FM_INIT_TEXT : FM_TEXT, 0x105, "\x0f\x1f\x44\0\0", "\xe9\0\0\0\0",
		                 5, 0x100, 0x40);
#define ADD(...) make_reloc(&m, (struct nl_leaf_reloc){__VA_ARGS__})
	ADD(NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, 0, m.sites[0].fresh + 1, 0, 0, text, -4);
	ADD(NL_AT_BYTES, NL_REL_ABS64, NL_SYM_REGION, 1, m.sites[1].expected, 0, NL_KERNEL_IMAGE, 0x100, 0);
	ADD(NL_AT_TEXT, NL_REL_ABS32S, NL_SYM_DATA, 0, text + 8, 0, 0, data, 0);
	ADD(NL_AT_TEXT, NL_REL_PC32, NL_SYM_INDIRECT_THUNK, 0, text + 16, 0, 0, 3, -4);
	ADD(NL_AT_DATA, NL_REL_ABS64, NL_SYM_RETURN_THUNK, 0, data + 8, 0, 0, 0, 0);
	for (uint16_t i = 0; i < n; i++) {
		uint32_t own = m.modules[i].text.offset;

		ADD(NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, i + 2, m.sites[i + 2].fresh + 1, i + 1, 0, own, -4);
		ADD(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, own, (uint16_t)(i ? i : 2), FM_DATA, 8, 0);
		ADD(NL_AT_DATA, NL_REL_ABS64, NL_SYM_DATA, 0, m.modules[i].data.offset + 8, 0, 0, data, 0);
	}
	m.header.counters = 1;
	m.header.counter_cpus = 2;
	m.header.counter_offset = data + 64;
	m.header.bss_size = 32 + NL_COUNTER_ROW(1) * 2;
	m.sites[0].counter = 1;
	make_fact(&m, NL_FACT_CVE, "CVE-2026-1", 0);
	make_fact(&m, NL_FACT_CONFLICTS, "other", 2);
	return make_write(&m, out);
}

void machine_adopt(uint8_t *leaf, size_t size)
{
	struct nl_leaf_header h;
	struct nl_leaf_object *k = &h.target.kernel;
	struct nl_leaf_part text, data;

	if (size < sizeof(h))
		return;
	memcpy(&h, leaf, sizeof(h));
	text = k->text;
	data = k->data;
	*k = fg.target.kernel;
	k->text = text;
	k->data = data;
	h.target.syscall_entry = fg.target.syscall_entry;
	h.target.page_table = fg.target.page_table;
	h.target.guest_os = fg.target.guest_os;
	memcpy(leaf, &h, sizeof(h));
	for (uint32_t i = 0; i < h.sites.count && i < NL_LEAF_MAX_SITES; i++) {
		struct nl_leaf_site s;
		uint64_t at = h.sites.offset + (uint64_t)i * sizeof(s);

		if (at + sizeof(s) > size)
			return;
		memcpy(&s, leaf + at, sizeof(s));
		if (s.object)
			continue;
		s.offset %= s.region == NL_KERNEL_RODATA ? 0x100000 : 0x200000;
		memcpy(leaf + at, &s, sizeof(s));
	}
}
