// SPDX-License-Identifier: Apache-2.0
/* Room for bodies and files: see room.h. */
#include "leaf/room.h"
#include "core/core.h"

struct nl_entry nl_registry[NL_MAX_LEAVES];
uint32_t nl_pinned;

#define ALIGN 64u
#define HALF (NL_REGION_ARENA_DATA - NL_REGION_ARENA_TEXT - NL_ARENA_OWN)
#define STORE (1u << 20)

_Static_assert(HALF >= STORE && ALIGN >= NL_PART_ALIGN, "one way to look for room");

/* Parts that a module has left behind. Each that is bound has its place here already: it always can be left behind. */
#define MAX_STALE (2 * NL_MAX_LEAVES * (NL_LEAF_MAX_OBJECTS - 1))
static struct nl_stale {
	struct nl_run text, data;
	const struct nl_binding *whose;
} stale[MAX_STALE];
#define MAX_OWN 16u /* of one object: who makes it come again and again takes no other's place */
static uint32_t n_stale;

static uint8_t store[STORE]
        __attribute__((aligned(64))); /* files of leaves with modules: their relocations are needed again */

static const struct nl_run *run_of(const struct nl_entry *e, uint32_t i, enum nl_room in)
{
	if (in == NL_ROOM_FILES)
		return &e->file;
	return in == NL_ROOM_TEXT ? &e->objects[i].text : &e->objects[i].data;
}

/* The first run of an entry that shares bytes with [at, at+size). */
static const struct nl_run *in_the_way(const struct nl_entry *e, enum nl_room in, uint64_t at, uint64_t size)
{
	uint32_t n = in == NL_ROOM_FILES ? 1 : e->n_objects;

	for (uint32_t i = 0; i < n; i++) {
		const struct nl_run *r = run_of(e, i, in);

		if (r->size && at < (uint64_t)r->offset + r->size && r->offset < at + size)
			return r;
	}
	return NULL;
}

static const struct nl_run *taken(const struct nl_entry *fresh, enum nl_room in, uint64_t at, uint64_t size)
{
	const struct nl_run *r = in_the_way(fresh, in, at, size);

	for (uint32_t i = 0; !r && i < NL_MAX_LEAVES; i++)
		if (nl_registry[i].used)
			r = in_the_way(&nl_registry[i], in, at, size);
	for (uint32_t i = 0; !r && in != NL_ROOM_FILES && i < n_stale; i++) {
		const struct nl_run *s = in == NL_ROOM_TEXT ? &stale[i].text : &stale[i].data;

		if (s->size && at < (uint64_t)s->offset + s->size && s->offset < at + size)
			r = s;
	}
	return r;
}

/* First fit. `fresh`: an entry that need not be in the registry yet. */
bool nl_room_find(const struct nl_entry *fresh, enum nl_room in, uint64_t size, struct nl_run *out)
{
	uint64_t at = 0, all = in == NL_ROOM_FILES ? STORE : HALF;
	const struct nl_run *r;

	size = (size + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	if (size > all)
		return false;
	while (size && (r = taken(fresh, in, at, size)))
		at = (uint64_t)r->offset + r->size;
	if (at > all - size)
		return false;
	*out = (struct nl_run){(uint32_t)at, (uint32_t)size};
	return true;
}

uint64_t nl_room_free(enum nl_room in)
{
	uint64_t left = HALF;
	uint32_t i, j;

	for (i = 0; i < NL_MAX_LEAVES; i++)
		for (j = 0; nl_registry[i].used && j < nl_registry[i].n_objects; j++)
			left -= run_of(&nl_registry[i], j, in)->size;
	for (i = 0; i < n_stale; i++)
		left -= in == NL_ROOM_TEXT ? stale[i].text.size : stale[i].data.size;
	return left;
}

void *nl_room_at(enum nl_room in, uint32_t offset)
{
	if (in == NL_ROOM_FILES)
		return store + offset;
	return nl_phys(
	        HPA(nl_boot.region + (in == NL_ROOM_TEXT ? NL_REGION_ARENA_TEXT : NL_REGION_ARENA_DATA) + offset));
}

void nl_room_leave(const struct nl_binding *b)
{
	NL_ASSERT(n_stale < MAX_STALE);
	stale[n_stale++] = (struct nl_stale){b->text, b->data, b};
}

void nl_room_forget(void) { n_stale = 0; }

bool nl_room_for_part(const struct nl_entry *fresh, const struct nl_binding *b)
{
	uint32_t i, j, n = n_stale, own = 0;

	for (i = 0; i < n_stale; i++)
		own += stale[i].whose == b;

	for (i = 0; i <= NL_MAX_LEAVES; i++) {
		const struct nl_entry *e = i < NL_MAX_LEAVES ? &nl_registry[i] : fresh;

		for (j = 1; e->used == (i < NL_MAX_LEAVES) && j < e->n_objects; j++)
			n += e->objects[j].va != 0;
	}
	return n <= MAX_STALE && own < MAX_OWN;
}

uint32_t nl_room_watch(uint64_t arena, struct nl_watch *watches)
{
	uint32_t i, n = n_stale < NL_MAX_LEAVES ? n_stale : NL_MAX_LEAVES;

	for (i = 0; i < n; i++) {
		uint64_t start = arena + stale[i].text.offset;

		/* who stands at its very first byte is in it, too */
		watches[i] = (struct nl_watch){.start = start - 1, .end = start + stale[i].text.size, .leaf = i};
	}
	return n;
}

void nl_room_reuse(uint32_t n, const uint32_t *old)
{
	uint32_t i, kept = 0;

	for (i = 0; i < n_stale; i++)
		if (i >= n || old[i])
			stale[kept++] = stale[i];
	n_stale = kept;
}
