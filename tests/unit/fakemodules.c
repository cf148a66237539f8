// SPDX-License-Identifier: Apache-2.0
/* Modules of the fake guest: see fakemodules.h. */
#include "fakemodules.h"
#include "host.h"
#include "commit/commit.h"
#include "guest/linux/linux.h"
#include "x86.h"

#define L1 0x120000ULL /* page tables of the module space: four */
#define TABLES 4u
#define HOOK (NL_REGION_ARENA_DATA - NL_REGION_ARENA_TEXT - NL_ARENA_OWN)
#define ASKS 16u /* where the stub's CPUID stands in it */

/* Offsets in the fake struct module, notifier_block and blocking_notifier_head: unlike any real ones. */
enum { M_STATE = 0x4, M_LIST = 0x10, M_NAME = 0x28, M_RUNS = 0x80, RUN = 0x20, RUN_BASE = 0x8, RUN_SIZE = 0x18 };
enum {
	OLD_CORE = 0x80,
	OLD_INIT = 0xa0,
	OLD_TEXT_SIZE = 0x8c,
	OLD_RO_SIZE = 0x90,
	OLD_SIZE = 0x88,
	OLD_INIT_SIZE = 0xa8
};
enum { N_COUNT = 0x8, N_HEAD = 0x18 };
enum { B_CALL = 0x10, B_NEXT = 0x8, B_PRIORITY = 0x20 };
enum { PERCPU_AT = 0x120, PERCPU_SIZE_AT = 0x128, PERCPU_SIZE = 0x40 };

static bool old;
static const uint32_t sizes[] = {FM_TEXT_SIZE, FM_RODATA_SIZE, FM_DATA_SIZE, FM_INIT_SIZE};

static void put(uint8_t *at, uint64_t v, size_t n) { memcpy(at, &v, n); }

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, 8);
	return v;
}

static uint8_t *pmd(void) { return fg_image(FG_ARENA_PMD); }
uint64_t *fm_rwsem(void) { return (uint64_t *)(void *)fg_image(FM_NOTIFY + N_COUNT); }
uint64_t *fm_chain(void) { return (uint64_t *)(void *)fg_image(FM_NOTIFY + N_HEAD); }

void fm_start(bool as_before)
{
	struct nl_leaf_target *t = &fg.target;
	uint64_t head = FG_LINK + fg.slide + FM_MODULES;
	unsigned i;

	old = as_before;
	t->modules = FG_LINK + FM_MODULES;
	t->module_notify = FG_LINK + FM_NOTIFY;
	t->module_size = FM_MODULE_SIZE;
	t->module_list = M_LIST;
	t->module_name = M_NAME;
	t->module_state = (struct nl_leaf_field){M_STATE, 4};
	t->notify_count = N_COUNT;
	t->notify_head = N_HEAD;
	t->block_call = B_CALL;
	t->block_next = B_NEXT;
	t->block_priority = B_PRIORITY;
	put(fg_image(FM_MODULES), head, 8);
	put(fg_image(FM_MODULES + 8), head, 8);
	*fm_chain() = FG_LINK + fg.slide + FM_OTHER;
	for (i = 0; i < TABLES; i++)
		put(pmd() + 8 * i, (L1 + i * NL_PAGE_SIZE) | 0x3, 8);
	fm_reuse(FM_RAM, FM_PAGES);
}

/* Where a region begins in its run. */
static uint32_t start_of(unsigned region)
{
	if (!old || region >= FM_INIT_TEXT)
		return 0;
	return region == FM_TEXT ? 0 : region == FM_RODATA ? FM_TEXT_SIZE : FM_TEXT_SIZE + FM_RODATA_SIZE;
}

uint32_t fm_offset(unsigned region, uint32_t at) { return start_of(region) + at; }

struct nl_leaf_object fm_object(const char *name, unsigned build)
{
	static const uint32_t kinds[] = {NL_MEM_TEXT, NL_MEM_RODATA, NL_MEM_DATA, NL_MEM_INIT_TEXT};
	static const uint32_t old_sizes[] = {OLD_TEXT_SIZE, OLD_RO_SIZE, OLD_SIZE, OLD_INIT_SIZE};
	struct nl_leaf_object o = {.kind = NL_OBJECT_MODULE,
	                           .n_regions = FM_REGIONS,
	                           .build_id_len = 20,
	                           .build_id_region = FM_RODATA,
	                           .build_id_offset = fm_offset(FM_RODATA, FM_NOTE)};
	unsigned i;

	strcpy(o.name, name);
	for (i = 0; i < o.build_id_len; i++)
		o.build_id[i] = fm_byte(name, build, FM_RODATA, FM_NOTE + i);
	for (i = 0; i < FM_PERCPU; i++) {
		o.regions[i] = (struct nl_leaf_region){.kind = kinds[i], .size = sizes[i] + start_of(i)};
		o.regions[i].pointer_at = old ? i == FM_INIT_TEXT ? OLD_INIT : OLD_CORE : M_RUNS + RUN * i + RUN_BASE;
		o.regions[i].size_at = old ? old_sizes[i] : M_RUNS + RUN * i + RUN_SIZE;
	}
	o.regions[FM_PERCPU] = (struct nl_leaf_region){
	        .kind = NL_MEM_PERCPU, .size = PERCPU_SIZE, .pointer_at = PERCPU_AT, .size_at = PERCPU_SIZE_AT};
	return o;
}

uint8_t fm_byte(const char *name, unsigned build, unsigned region, uint32_t offset)
{
	return (uint8_t)(0x40 + name[0] * 11 + build * 29 + region * 71 + offset * 7 + (offset >> 8) * 13);
}

void fm_map(uint64_t va, uint64_t gpa)
{
	uint64_t page = (va - FM_SPACE) / NL_PAGE_SIZE;

	assert_true(page < TABLES * 512);
	put(fg.ram + L1 + 8 * page, gpa ? gpa | 0x3 : 0, 8);
}

static void map(uint64_t va, uint64_t gpa, uint32_t size)
{
	for (uint32_t at = 0; at < size; at += NL_PAGE_SIZE)
		fm_map(va + at, gpa ? gpa + at : 0);
}

uint8_t *fm_at(const struct fm *m, unsigned region, uint32_t offset) { return fg.ram + m->frame[region] + offset; }
uint8_t *fm_struct(const struct fm *m) { return fm_at(m, FM_DATA, FM_STRUCT); }

static void fill_struct(const struct fm *m)
{
	const struct nl_leaf_object o = fm_object(m->name, m->build);
	uint8_t *s = fm_struct(m);
	unsigned i;

	memset(s, 0, FM_MODULE_SIZE);
	put(s + M_STATE, FM_UNFORMED, 4);
	memcpy(s + M_NAME, m->name, sizeof(m->name));
	for (i = 0; i < FM_REGIONS; i++) {
		put(s + o.regions[i].pointer_at, m->base[i] - (i < FM_PERCPU ? start_of(i) : 0), 8);
		put(s + o.regions[i].size_at, o.regions[i].size, 4);
	}
}

/* All of a module, region by region. */
static const uint8_t *contents(const char *name, unsigned build)
{
	static struct {
		char name[NL_OBJECT_NAME_LEN];
		unsigned build;
		uint8_t bytes[FM_SLOT_PAGES * NL_PAGE_SIZE];
	} made[4];
	static unsigned n;
	uint8_t *at;

	for (unsigned i = 0; i < NL_ARRAY_SIZE(made); i++)
		if (!strcmp(made[i].name, name) && made[i].build == build)
			return made[i].bytes;
	strcpy(made[n % NL_ARRAY_SIZE(made)].name, name);
	made[n % NL_ARRAY_SIZE(made)].build = build;
	at = made[n++ % NL_ARRAY_SIZE(made)].bytes;
	for (unsigned region = 0; region < FM_PERCPU; region++)
		for (uint32_t i = 0; i < sizes[region]; i++)
			*at++ = fm_byte(name, build, region, i);
	return made[(n - 1) % NL_ARRAY_SIZE(made)].bytes;
}

struct fm fm_load(const char *name, unsigned build, unsigned va_slot, unsigned frame_slot)
{
	uint64_t va = FM_SPACE + 0x10000 + (uint64_t)va_slot * FM_SLOT_PAGES * NL_PAGE_SIZE;
	uint32_t gpa = (uint32_t)FM_RAM + frame_slot * FM_SLOT_PAGES * NL_PAGE_SIZE;
	const uint8_t *all = contents(name, build);
	struct fm m = {.build = build};
	unsigned i;

	strcpy(m.name, name);
	for (i = 0; i < FM_PERCPU; i++) {
		m.base[i] = va;
		m.frame[i] = gpa;
		map(va, gpa, sizes[i]);
		memcpy(fg.ram + gpa, all, sizes[i]);
		all += sizes[i];
		va += sizes[i];
		gpa += sizes[i];
	}
	m.base[FM_PERCPU] = 0x1000;
	m.va = m.base[FM_DATA] + FM_STRUCT;
	fill_struct(&m);
	return m;
}

/* A node of the list, by the guest's address. */
static uint8_t *node(uint64_t va)
{
	uint64_t page = (va - FM_SPACE) / NL_PAGE_SIZE;

	if (va == FG_LINK + fg.slide + FM_MODULES)
		return fg_image(FM_MODULES);
	return fg.ram + (get64(fg.ram + L1 + 8 * page) & ~0xfffULL) + (va & NL_PAGE_MASK);
}

void fm_list(struct fm *m)
{
	uint64_t head = FG_LINK + fg.slide + FM_MODULES, us = m->va + M_LIST, first = get64(node(head));

	put(fm_struct(m) + M_LIST, first, 8);
	put(fm_struct(m) + M_LIST + 8, head, 8);
	put(node(first) + 8, us, 8);
	put(node(head), us, 8);
	m->listed = true;
}

void fm_unlist(struct fm *m)
{
	uint64_t next = get64(fm_struct(m) + M_LIST), back = get64(fm_struct(m) + M_LIST + 8);

	put(node(back), next, 8);
	put(node(next) + 8, back, 8);
	m->listed = false;
}

void fm_state(struct fm *m, unsigned state) { put(fm_struct(m) + M_STATE, state, 4); }

static const uint8_t *somebody_elses(uint32_t frame)
{
	static uint8_t all[FM_PAGES * NL_PAGE_SIZE];

	for (uint32_t i = 0; !all[0] && i < sizeof(all); i++)
		all[sizeof(all) - 1 - i] = (uint8_t)(0xa1 ^ i * 3 ^ i >> 9);
	return all + (frame - FM_RAM);
}

void fm_reuse(uint32_t frame, unsigned pages) { memcpy(fg.ram + frame, somebody_elses(frame), pages * NL_PAGE_SIZE); }

bool fm_reused(uint32_t frame, unsigned pages)
{
	return !memcmp(fg.ram + frame, somebody_elses(frame), pages * NL_PAGE_SIZE);
}

void fm_init_done(struct fm *m)
{
	put(fm_struct(m) + (old ? OLD_INIT : M_RUNS + RUN * FM_INIT_TEXT + RUN_BASE), 0, 8);
	put(fm_struct(m) + (old ? OLD_INIT_SIZE : M_RUNS + RUN * FM_INIT_TEXT + RUN_SIZE), 0, 4);
	map(m->base[FM_INIT_TEXT], 0, FM_INIT_SIZE);
	m->base[FM_INIT_TEXT] = 0;
	fm_reuse(m->frame[FM_INIT_TEXT], FM_INIT_SIZE / NL_PAGE_SIZE);
}

void fm_free(struct fm *m)
{
	for (unsigned i = 0; i < FM_PERCPU; i++)
		if (m->base[i]) {
			map(m->base[i], 0, sizes[i]);
			m->base[i] = 0;
			fm_reuse(m->frame[i], sizes[i] / NL_PAGE_SIZE);
		}
}

bool fm_hooked(void)
{
	const uint8_t *block = fg.region + NL_REGION_ARENA_DATA + HOOK;

	return *fm_chain() == NL_LINUX_ARENA_DATA + HOOK && get64(block + B_NEXT) == FG_LINK + fg.slide + FM_OTHER &&
	       get64(block + B_CALL) == NL_LINUX_ARENA_TEXT + HOOK;
}

struct nl_context fm_context(void)
{
	struct nl_context c = fg.ctx;

	c.cpl = 0;
	c.rip = NL_LINUX_ARENA_TEXT + HOOK + ASKS;
	c.cr3 = FG_KERNEL + FG_TOP;
	return c;
}

uint64_t fm_tell(uint64_t va, unsigned event)
{
	struct nl_context c = fm_context();
	struct nl_gprs *r = &fg.cpus[0].gprs;

	if (!event)
		return 0;
	*r = (struct nl_gprs){.rax = NL_CALL_MAGIC, .rsi = event, .rdx = va};
	r->rsp = FG_LINK + fg.slide + FG_INIT_STACK + FG_THREAD_SIZE - 128;
	if (!nl_commit_told(&fg.cpus[0], &c))
		return event == FM_COMING && nl_boot.facts.policy.unpatched != NL_UNPATCHED_LET_IN ? 0x8002 : 0;
	return r->rax;
}
