// SPDX-License-Identifier: Apache-2.0
/* See module_model.h. */
#include "module_model.h"
#include "module_fixture.h"
#include "commit/quiesce.h"
#include "core/cpu.h"
#include "leaf/registry.h"
#include <sys/mman.h>

#define READER 0x100ULL /* of the chain's semaphore */
#define SWEEP_FROM 8u
#define NOTIFY_BAD 0x8002u

enum verdict { NONE, ON, OFF };

/* All that is modelled; static, so that snapshots have it. */
static struct loader {
	enum phase phase;
	unsigned va_slot, frame_slot;
	bool hooked; /* our block was in the chain when it was entered */
	/* A leaf that goes on or off between a refusal and GOING finds a module that it is not told of again: until the
	 * next one of its name is told, what stands there can be what no leaf expects. That is named, and passes. */
	bool haunted;
	bool bad;         /* its text is not what a leaf expects, */
	uint8_t bytes[5]; /* but this */
	enum look at_going;
	struct fm f;
} loaders[2];
static bool on, was_on;           /* the leaf; and once, some leaf with modules */
static enum verdict prepared;     /* what the agent believes */
static unsigned events;           /* steps of modules since */
static unsigned left_behind;      /* parts of bodies */
static struct nl_run parts[2][2]; /* that were bound after the last step, of both leaves */
static bool refuse;               /* a CPU stands badly */
static bool with_zero;            /* another leaf, over alpha, is always on */
static uint8_t both[2][32];       /* the hashes of the leaf and of the other one */
static uint8_t shadow[MODEL_FRAMES];
static uint8_t text[5];
static const char *const names[] = {"alpha", "beta"};

/* What was done so far; not in snapshots. */
static struct trace {
	const char *told[4096];
	unsigned n;
} * trace;

static void wrong(const char *what, int line)
{
	fprintf(stderr, "%d: does not hold: %s\nafter:", line, what);
	for (unsigned i = trace->n > 40 ? trace->n - 40 : 0; i < trace->n; i++)
		fprintf(stderr, " %s,", trace->told[i]);
	fprintf(stderr, "\n");
	fail();
}
#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			wrong(#condition, __LINE__); \
	} while (0)

static void said(const char *what)
{
	if (trace->n == NL_ARRAY_SIZE(trace->told)) {
		memmove(trace->told, trace->told + 2048, 2048 * sizeof(trace->told[0]));
		trace->n = 2048;
	}
	trace->told[trace->n++] = what;
}

static void asked(struct nl_cpu *cpu)
{
	nl_held[cpu->index] = (struct nl_held){.cpl = refuse ? 0 : 3, .rip = 0x1000};
	cpu->request = (cpu->request & ~3u) | (refuse ? 3 : 2);
}
static const struct nl_vendor vendor = {.name = "FAKE", .paging = "NPT", .kick = asked};

static enum look seen(const struct loader *l)
{
	if (!l->bad)
		return looks(&l->f);
	return memcmp(fm_at(&l->f, FM_TEXT, MODULE_SITE), l->bytes, 5) ? NEITHER : ORIGINAL;
}

static bool in_memory(const struct loader *l) { return l->phase != ABSENT; }
static bool state_is_in(const struct loader *l) { return l->phase >= COMING && l->phase <= LIVE; }
static bool goes(const struct loader *l) { return l->phase == LEAVING || l->phase == GOING_CHAIN || l->phase == DEAD; }

/* Is that byte of the frames a site of a module that is there? */
static bool is_site(uint32_t at, int only)
{
	for (int i = 0; i < 2; i++) {
		const struct loader *l = &loaders[i];

		if (!state_is_in(l) || (only >= 0 && only != i))
			continue;
		if (at - (l->f.frame[FM_TEXT] - FM_RAM + MODULE_SITE) < 5 ||
		    (l->f.base[FM_INIT_TEXT] && at - (l->f.frame[FM_INIT_TEXT] - FM_RAM + INIT_SITE) < 5) ||
		    at - (l->f.frame[FM_RODATA] - FM_RAM + MODULE_DATA) < 8)
			return true;
	}
	return false;
}

/* After a step of the hypervisor, which may have written to the sites of `only`, -1: of all, -2: of none. */
static void frames_hold(int only)
{
	if (!memcmp(shadow, fg.ram + FM_RAM, MODEL_FRAMES))
		return;
	for (uint32_t at = 0; at < MODEL_FRAMES; at++)
		HOLDS(shadow[at] == fg.ram[FM_RAM + at] || (only != -2 && is_site(at, only)));
	memcpy(shadow, fg.ram + FM_RAM, MODEL_FRAMES);
}

/* `in_vain`: parts that were made for a module that was then refused; they count as left behind. */
static void parts_hold(bool told, unsigned in_vain)
{
	unsigned fresh = in_vain;
	uint64_t bound = 0;

	for (unsigned leaf = 0; leaf < 1u + with_zero; leaf++) {
		const struct nl_entry *e = nl_registry_find(both[leaf]);

		for (unsigned i = 0; i < e->facts.n_modules; i++) {
			const struct nl_run *now = &e->objects[i + 1].text, *then = &parts[leaf][i];

			fresh += e->ever_applied && then->size && (now->offset != then->offset || !now->size);
			parts[leaf][i] = *now;
			bound += now->size;
		}
		bound += e->objects[0].text.size;
	}
	if (told && left_behind >= SWEEP_FROM && text_free() == MODEL_HALF - bound - fresh * (uint64_t)PART) {
		/* Nobody was inside, and so they are used again: nobody may still want to go in. */
		for (unsigned i = 0; i < 2; i++)
			HOLDS((loaders[i].phase != LEAVING && loaders[i].phase != GOING_CHAIN) ||
			      seen(&loaders[i]) == ORIGINAL);
		left_behind = 0;
	}
	left_behind += fresh;
	HOLDS(text_free() == MODEL_HALF - bound - left_behind * (uint64_t)PART);
}

static void all_holds(void)
{
	HOLDS(image_looks() == (on ? PATCHED : ORIGINAL));
	HOLDS(!memcmp(fg_image(TEXT_SITE), text, 5));
	HOLDS(!was_on || fm_hooked());
	HOLDS(was_on || *fm_chain() == FG_LINK + SLIDE + FM_OTHER);
	for (unsigned i = 0; i < 2; i++) {
		const struct loader *l = &loaders[i];
		enum look look = on ? PATCHED : ORIGINAL;

		if (l->phase >= READY && l->phase <= LIVE) {
			HOLDS(seen(l) ==
			      look); /* one that cannot be patched and a leaf that is on exclude each other */
			HOLDS(!l->f.base[FM_INIT_TEXT] || init_looks(&l->f) == look);
			HOLDS(!with_zero || i || data_looks(&l->f) == PATCHED);
		}
		if (goes(l)) /* its exit function, or what else of it still runs */
			HOLDS(seen(l) == l->at_going);
	}
}

static void enters_chain(struct loader *l)
{
	*fm_rwsem() += READER;
	l->hooked = fm_hooked();
}

static void frees(struct loader *l, bool filled)
{
	uint8_t was[MODEL_FRAMES];

	fm_state(&l->f, FM_UNFORMED);
	fm_unlist(&l->f);
	memcpy(was, fg.ram + FM_RAM, MODEL_FRAMES);
	fm_free(&l->f);
	if (!filled) /* it lies there, and nobody has used it yet */
		memcpy(fg.ram + FM_RAM, was, MODEL_FRAMES);
	l->phase = ABSENT;
}

static void fails(struct loader *l)
{
	l->at_going = seen(l);
	fm_state(&l->f, FM_GOING);
	l->phase = LEAVING;
}

/* A step of a module; `way`: of several. false: it cannot be taken. */
static bool module_steps(unsigned i, unsigned way)
{
	static const char *const told[PHASES][2][5] = {
	        [ABSENT] = {{"A loads", "A loads", "A loads", "A loads"}, {"B loads", "B loads", "B loads", "B loads"}},
	        [UNFORMED] = {{"A COMING", "A fails early", "A COMING, differs"},
	                      {"B COMING", "B fails early", "B COMING, differs"}},
	        [COMING] = {{"A chain"}, {"B chain"}},
	        [CHAIN] = {{"A told"}, {"B told"}},
	        [OTHERS] = {{"A others", "A refused"}, {"B others", "B refused"}},
	        [ROLLBACK] = {{"A rollback"}, {"B rollback"}},
	        [REFUSED] = {{"A fails"}, {"B fails"}},
	        [READY] = {{"A params", "A params fail"}, {"B params", "B params fail"}},
	        [PARAMS] = {{"A init", "A init fails"}, {"B init", "B init fails"}},
	        [RETURNED] = {{"A init freed"}, {"B init freed"}},
	        [LIVE] = {{"A GOING"}, {"B GOING"}},
	        [LEAVING] = {{"A going chain"}, {"B going chain"}},
	        [GOING_CHAIN] = {{"A told going"}, {"B told going"}},
	        [DEAD] = {{"A freed, reused", "A freed, left"}, {"B freed, reused", "B freed, left"}},
	};
	struct loader *l = &loaders[i];
	const struct loader *other = &loaders[!i];
	int wrote = -2;
	bool tells = false, refused = false;

	if (way > 3 || !told[l->phase][i][way])
		return false;
	if (l->phase == ABSENT && in_memory(other) &&
	    (other->va_slot == (way & 1) || other->frame_slot == (way >> 1 & 1)))
		return false;
	said(told[l->phase][i][way]);
	events++;
	switch (l->phase) {
	case ABSENT:
		l->va_slot = way & 1;
		l->frame_slot = way >> 1 & 1;
		l->f = fm_load(names[i], 0, l->va_slot, l->frame_slot);
		memset(fm_at(&l->f, FM_TEXT, MODULE_SITE), 0, 5);
		fm_list(&l->f);
		l->phase = UNFORMED;
		break;
	case UNFORMED:
		if (way == 1) {
			frees(l, true);
			break;
		}
		l->bad = way == 2;
		for (uint32_t k = 0; k < 5; k++)
			*fm_at(&l->f, FM_TEXT, MODULE_SITE + k) = l->bytes[k] =
			        fm_byte(names[i], 0, FM_TEXT, MODULE_SITE + k) ^ l->bad;
		fm_state(&l->f, FM_COMING);
		l->phase = COMING;
		break;
	case COMING:
		enters_chain(l);
		l->phase = CHAIN;
		break;
	case CHAIN:
		memcpy(shadow, fg.ram + FM_RAM, MODEL_FRAMES);
		refused = l->hooked && on && l->bad;
		if (l->hooked)
			HOLDS(fm_tell(l->f.va, FM_COMING) == (refused ? NOTIFY_BAD : 0));
		tells = l->hooked;
		wrote = (int)i;
		l->haunted &= !l->hooked;
		l->phase = OTHERS;
		if (!refused)
			break;
		*fm_rwsem() -= READER; /* nobody else has been told, or is to be */
		l->phase = REFUSED;
		break;
	case OTHERS:
		if (way) {
			l->phase = ROLLBACK;
			break;
		}
		*fm_rwsem() -= READER;
		l->phase = READY;
		break;
	case ROLLBACK:
		memcpy(shadow, fg.ram + FM_RAM, MODEL_FRAMES);
		if (l->hooked)
			HOLDS(fm_tell(l->f.va, FM_GOING) == 0);
		tells = l->hooked;
		*fm_rwsem() -= READER;
		l->haunted = true;
		l->phase = REFUSED;
		break;
	case REFUSED:
		fails(l);
		l->phase = DEAD; /* nobody is told any more */
		break;
	case READY:
	case PARAMS:
		if (way) {
			fails(l);
			break;
		}
		if (l->phase == PARAMS)
			fm_state(&l->f, FM_LIVE);
		l->phase++;
		break;
	case RETURNED:
		fm_init_done(&l->f);
		l->phase = LIVE;
		break;
	case LIVE:
		fails(l);
		break;
	case LEAVING:
		enters_chain(l);
		l->phase = GOING_CHAIN;
		break;
	case GOING_CHAIN:
		memcpy(shadow, fg.ram + FM_RAM, MODEL_FRAMES);
		if (l->hooked)
			HOLDS(fm_tell(l->f.va, FM_GOING) == 0);
		tells = l->hooked;
		*fm_rwsem() -= READER;
		l->phase = DEAD;
		break;
	case DEAD:
		frees(l, !way);
		break;
	case PHASES:
		break;
	}
	if (tells)
		frames_hold(wrote);
	else
		memcpy(shadow, fg.ram + FM_RAM, MODEL_FRAMES);
	parts_hold(tells, refused ? 1 + (with_zero && !i) : 0);
	return true;
}

static bool passes(enum nl_err err)
{
	if (err == NL_EBYTES &&
	    ((loaders[0].bad && state_is_in(&loaders[0])) || (loaders[1].bad && state_is_in(&loaders[1]))))
		return true;
	return (err == NL_EBYTES || err == NL_EPROBED) && (loaders[0].haunted || loaders[1].haunted);
}

static void prepares(void)
{
	/* the other leaf, if it is on, stays */
	const void *set = on ? (const void *)both[1] : (const void *)both;
	enum nl_err err = prepare(set, on ? with_zero : 1 + with_zero, UINT64_MAX);

	frames_hold(-2);
	HOLDS(err == NL_OK || passes(err));
	if (err)
		return;
	prepared = on ? OFF : ON;
	events = 0;
}

static void tries(bool badly)
{
	bool held = *fm_rwsem() != 0 && !fm_hooked();
	enum nl_err err;

	refuse = badly;
	err = try_it();
	refuse = false;
	if (badly || (err == NL_AGAIN && prepared == ON && held)) {
		HOLDS(err == NL_AGAIN || (err == NL_ESTALE && events));
		if (err == NL_ESTALE)
			prepared = NONE;
		frames_hold(-2);
		return;
	}
	if (err == NL_ESTALE || passes(err)) {
		HOLDS(events);
		prepared = NONE;
		frames_hold(-2);
		return;
	}
	HOLDS(err == NL_OK);
	frames_hold(-1);
	on = prepared == ON;
	was_on |= on;
	prepared = NONE;
	for (unsigned i = 0; i < 2; i++) /* but for one that has been told to go, and runs no more */
		HOLDS(!state_is_in(&loaders[i]) || loaders[i].phase == REFUSED ||
		      seen(&loaders[i]) == (on && !loaders[i].bad ? PATCHED : ORIGINAL));
}

static bool agent_steps(unsigned way)
{
	static const char *const told[] = {"prepares", "tries", "tries, refused", "abandons", "verifies"};

	enum nl_err err;

	if ((way == 0) != (prepared == NONE) && way != 4)
		return false;
	if (way == 4 && on)
		return false;
	said(told[way]);
	memcpy(shadow, fg.ram + FM_RAM, MODEL_FRAMES);
	if (way == 0) {
		prepares();
	} else if (way == 1 || way == 2) {
		tries(way == 2);
	} else if (way == 3) {
		err = call(NL_CALL_ABANDON, 0, 0, 0, 0);
		HOLDS(err == NL_OK || (err == NL_NOTHING && events));
		prepared = NONE;
		frames_hold(-2);
	} else {
		err = verify(); /* what was staged last */
		HOLDS(err == NL_OK || passes(err));
		frames_hold(-2);
	}
	parts_hold(false, 0);
	return true;
}

bool model_steps(unsigned action)
{
	bool hooked = fm_hooked(), held = *fm_rwsem() != 0;

	if (action < 8 ? !module_steps(action / 4, action % 4) : !agent_steps(action - 8))
		return false;
	HOLDS(hooked || !fm_hooked() || !held);
	all_holds();
	return true;
}

static uint64_t mixed(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15ULL ^ h >> 29; }

uint64_t model_key(void)
{
	uint64_t h = mixed(loaders[0].haunted * 64 + loaders[1].haunted * 32 + prepared * 8 + on * 4 + was_on * 2 +
	                           (events != 0),
	                   *fm_rwsem() * 64 + left_behind);

	for (unsigned i = 0; i < 2; i++) {
		const struct loader *l = &loaders[i];

		h = mixed(h, l->phase);
		if (in_memory(l))
			h = mixed(h, l->va_slot | l->frame_slot << 1 | l->hooked << 2 | seen(l) << 3 | l->bad << 9 |
			                     data_looks(&l->f) << 5 | l->at_going << 7);
		h = mixed(h, fg.ram[FM_RAM + i * FM_SLOT_PAGES * NL_PAGE_SIZE + MODULE_SITE]);
	}
	for (unsigned leaf = 0; leaf < 1u + with_zero; leaf++) {
		const struct nl_entry *e = nl_registry_find(both[leaf]);

		for (unsigned i = 0; i < e->facts.n_modules; i++)
			h = mixed(h, e->objects[i + 1].va ^ e->facts.modules[i].state << 2 ^
			                     (e->objects[i + 1].at.base[FM_INIT_TEXT] != 0));
		for (unsigned i = 0; i < e->n_sites; i++)
			h = mixed(h, e->sites[i].gpa + e->sites[i].len);
		h = mixed(h, nl_pinned >> (e - nl_registry) & 1);
	}
	return h;
}

void model_begin(const struct beginning *b)
{
	const struct nl_leaf_object o[] = {fm_object("alpha", 0), fm_object("beta", 0)};

	trace = mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(trace != MAP_FAILED);
	memset(loaders, 0, sizeof(loaders));
	memset(parts, 0, sizeof(parts));
	on = was_on = refuse = false;
	prepared = NONE;
	events = left_behind = 0;
	with_zero = b->zero;
	memcpy(text, fg_image(TEXT_SITE), 5);
	nl_n_cpus = 2;
	fg.cpus[1] = (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = ~0ULL};
	nl_cpus[1] = &fg.cpus[1];
	nl_vendor = &vendor;
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_REFUSE;
	if (b->zero) { /* over data of alpha alone */
		leaf_modules("zero", 1, o, 1, WITH_DATA);
		m.sites[0] = m.sites[1];
		m.sites[0].expected = 0;
		m.sites[0].fresh = 8;
		m.n_sites = 1;
		m.relocs[0] = m.relocs[--m.n_relocs]; /* what the other site wanted */
		memmove(m.bytes, m.bytes + 10, m.n_bytes = 16);
		assert_int_equal(verify_leaf(both[1]), NL_OK);
		assert_int_equal(commit((const void *)(both + 1), 1), NL_OK);
		was_on = true;
	}
	leaf_modules("one", 1, o, 2, WITH_IMAGE | WITH_INIT);
	assert_int_equal(verify_leaf(both[0]), NL_OK);
	memcpy(shadow, fg.ram + FM_RAM, MODEL_FRAMES);
	parts_hold(false, 0);
	if (b->left_behind)
		HOLDS(agent_steps(0) && agent_steps(1));
	while (left_behind < b->left_behind)
		for (unsigned k = 0; k == 0 || loaders[0].phase != ABSENT; k++)
			HOLDS(model_steps(0));
	for (unsigned i = 0; i < 2; i++)
		while (loaders[i].phase != b->phases[i])
			HOLDS(model_steps(4 * i + (i && loaders[i].phase == ABSENT ? 3 : 0)));
}

unsigned model_told(void) { return trace->n; }
void model_forget(unsigned told) { trace->n = told; }
enum phase model_phase(unsigned i) { return loaders[i].phase; }

void model_end(void)
{
	call(NL_CALL_ABANDON, 0, 0, 0, 0);
	munmap(trace, sizeof(*trace));
}
