// SPDX-License-Identifier: Apache-2.0
// sources: tests/fuzz/leafmachine.c
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/list.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/view/view.c hv/view/npt.c hv/view/current.c
// sources: hv/core/kept.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c
// sources: hv/commit/trial.c
// sources: tests/unit/fakeguest.c tests/unit/fakemodules.c tests/unit/makeleaf.c tests/unit/host.c
// sources: tests/unit/seam/seam.c
// libs: -lcmocka -lcrypto -Wl,--wrap=nl_phys -Wl,--wrap=nl_room_find -Wl,--wrap=nl_bind
// length: 16384
// quick: 20000
// reader: a leaf
/*
 * Any bytes as a leaf file. What the parser accepts is relocated into buffers of exactly the sizes it promises, so that
 * the sanitizers see a bound that does not hold, and goes its whole way through the core in a machine where a step
 * aside is a fault (leafmachine.h). The mutator keeps the lengths in the header true most of the time, and the kernel's
 * identity, so that what lies behind them is reached; besides, it sets single fields to what is at an edge.
 * FUZZ_LEAVES: a folder of leaves that were built, which become seeds.
 */
#include "fuzz.h"
#include "guest/target.h"
#include "leaf/leaf.h"
#include "leaf/reloc.h"
#include "leafmachine.h"

#include <dirent.h>
#include <stddef.h>

#define LINK 0xffffffff81000000ULL

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static void *copy_of(const void *from, size_t n)
{
	void *p = malloc(n ? n : 1);

	return n ? memcpy(p, from, n) : p;
}

/* An object's part of the body, in memory of just its size: what is relocated lies inside. */
static void relocate_part(const struct nl_leaf *l, const struct nl_placement *at, uint32_t object)
{
	const struct nl_leaf_object *o = nl_leaf_object(l, object);
	uint8_t *text = copy_of(l->text + o->text.offset, o->text.count),
	        *data = copy_of(l->data + o->data.offset, o->data.count);
	enum nl_err err = nl_reloc_body(l, at, object, text, data);

	FUZZ_CHECK(err == NL_OK || err == NL_ERELOC || err == NL_EMODULE);
	free(text);
	free(data);
}

static void relocate(const struct nl_leaf *l)
{
	const struct nl_leaf_header *h = l->header;
	struct nl_place places[NL_LEAF_MAX_OBJECTS] = {0};
	const struct nl_placement at = {.objects = places, .thunks = {LINK, LINK + 64, 32}};
	uint32_t i, k;

	FUZZ_CHECK(h->objects.count < NL_LEAF_MAX_OBJECTS);
	for (i = 0; i <= h->objects.count; i++) {
		places[i] = (struct nl_place){.text = 0xffffffffff800000, .data = 0xffffffffffa00000};
		/* one module is not there, and of the others what the initialiser needed is not */
		for (k = 0; i != 3 && k < nl_leaf_object(l, i)->n_regions; k++)
			if (nl_leaf_object(l, i)->regions[k].kind != NL_MEM_INIT_TEXT)
				places[i].base[k] = i ? 0xffffffffc0000000 + (i * 8 + k) * 0x100000 : LINK;
	}
	for (i = 0; i <= h->objects.count; i++)
		relocate_part(l, &at, i);
	for (i = 0; i < h->sites.count; i++) {
		const struct nl_leaf_site *s = &l->sites[i];
		uint8_t *expected = copy_of(l->bytes + s->expected, s->len),
		        *fresh = copy_of(l->bytes + s->fresh, s->len);

		nl_reloc_site(l, &at, i, expected, fresh);
		free(expected);
		free(fresh);
	}
}

/* With FUZZ_REACHED in the environment, how far the leaves came is told at the end. */
static unsigned long reached[MACHINE_REVERTED + 1];

__attribute__((destructor)) static void tell(void)
{
	if (getenv("FUZZ_REACHED"))
		fprintf(stderr, "leaves: %lu refused, %lu verified, %lu applied, %lu reverted\n", reached[0],
		        reached[1], reached[2], reached[3]);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	uint8_t *file = aligned_alloc(8, (size + 8) & ~(size_t)7);
	struct nl_leaf leaf;
	size_t signed_size = size;

	memcpy(file, bytes, size);
	nl_leaf_split(file, size, &signed_size);
	if (signed_size < size) { /* behind the signed part nothing may be read any more */
		uint8_t *shorter = aligned_alloc(8, (signed_size + 8) & ~(size_t)7);

		memcpy(shorter, file, signed_size);
		free(file);
		file = shorter;
	}
	if (nl_leaf_parse(file, signed_size, &leaf) == NL_OK) {
		relocate(&leaf);
		reached[machine_run(file, signed_size)]++;
	}
	free(file);
}

static size_t valid(uint8_t *out, size_t max, unsigned which)
{
	static uint8_t made[2][NL_LEAF_MAX_SIZE] __attribute__((aligned(8)));
	static size_t n[2];

	if (!n[which])
		n[which] = machine_leaf(made[which], which);
	if (n[which] > max)
		return 0;
	memcpy(out, made[which], n[which]);
	return n[which];
}

static uint32_t next(uint32_t *random) { return (*random = *random * 1664525u + 1013904223u) >> 8; }

/* Where a record of the leaf lies, of any kind, and how long it is. */
static size_t some_record(const uint8_t *data, size_t size, uint32_t *random, size_t *length)
{
	struct nl_leaf_header h;
	const size_t lengths[] = {sizeof(struct nl_leaf_object), sizeof(struct nl_leaf_site),
	                          sizeof(struct nl_leaf_reloc), 1};
	const uint32_t kind = next(random) % 6;
	struct nl_leaf_part part;

	memcpy(&h, data, sizeof(h));
	*length = kind == 4 ? offsetof(struct nl_leaf_header, target) : sizeof(h.target);
	if (kind > 3)
		return kind == 4 ? 0 : offsetof(struct nl_leaf_header, target);
	part = (&h.objects)[kind];
	*length = kind == 3 ? part.count : lengths[kind];
	return part.count ? part.offset + (kind == 3 ? 0 : next(random) % part.count * (uint64_t)lengths[kind]) : size;
}

/* One field of a record becomes what another is, or what lies at an edge. */
static void edge(uint8_t *data, size_t size, uint32_t *random)
{
	static const uint64_t edges[] = {0,      1,          2,          7,          8,        31,
	                                 63,     64,         65,         0xfff,      0x1000,   0x1001,
	                                 0xffff, 0x10000,    0xff8,      0x1fff,     0x200000, 0x80,
	                                 0xff,   0x7fffffff, 0x80000000, 0xffffffff, ~0ULL,    0xfffffffe};
	static const size_t widths[] = {2, 4, 4, 8};
	size_t length, at = some_record(data, size, random, &length), width = widths[next(random) % 4];
	uint64_t v = edges[next(random) % (sizeof(edges) / sizeof(edges[0]))];

	if (at >= size || length > size - at || length < width)
		return;
	at += next(random) % (length / width) * width;
	if (next(random) % 4 == 0)
		memcpy(&v, data + next(random) % (size / width) * width, width);
	if (next(random) % 4 == 0)
		memcpy(&v, data + at, width), v += next(random) % 2 ? 1 : ~0ULL;
	memcpy(data + at, &v, width);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct nl_leaf_header h;
	uint32_t random = seed * 2654435761u;

	if (size < sizeof(h) || seed % 64 == 0)
		size = valid(data, max, seed >> 6 & 1);
	if (seed % 3 == 0) {
		size = LLVMFuzzerMutate(data, size, max);
	} else if (seed % 3 == 1) {
		/* in place: fields change, lengths stay */
		size_t from = (seed >> 8) % (size + 1), n = size - from < 64 ? size - from : 64;
		uint8_t part[64];

		memcpy(part, data + from, n);
		n = LLVMFuzzerMutate(part, n, n);
		memcpy(data + from, part, n);
	} else {
		for (unsigned n = next(&random) % 4, i = 0; i <= n; i++)
			edge(data, size, &random);
	}
	if (size >= sizeof(h) && seed % 16) {
		memcpy(&h, data, sizeof(h));
		h.magic = NL_LEAF_MAGIC;
		h.format = NL_LEAF_FORMAT;
		h.header_size = sizeof(h);
		h.signed_size = (uint32_t)size;
		if (seed % 16 > 1) {
			h.consistency %= 3;
			h.reserved = h.confirm_s = 0;
			memset(h.id, 0, sizeof(h.id));
			memcpy(h.id, "leaf", 4);
		}
		memcpy(data, &h, sizeof(h));
		if (seed % 16 > 2)
			machine_adopt(data, size);
	}
	return size;
}

/* Leaves that were built for kernels, made ones for this machine. */
static void built_leaves(const char *folder)
{
	static uint8_t leaf[NL_LEAF_MAX_SIZE] __attribute__((aligned(8)));
	DIR *d = opendir(folder);
	size_t size, signed_size;
	struct nl_leaf parsed;
	char path[4096];
	FILE *f;

	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		f = fopen(path, "rb");
		size = f ? fread(leaf, 1, sizeof(leaf), f) : 0;
		if (f)
			fclose(f);
		if (!size || nl_leaf_split(leaf, size, &signed_size))
			continue;
		machine_adopt(leaf, signed_size);
		FUZZ_CHECK(!nl_leaf_parse(leaf, signed_size, &parsed));
		fuzz_seed(leaf, signed_size);
	}
	if (d)
		closedir(d);
}

void fuzz_seeds(void)
{
	static uint8_t leaf[NL_LEAF_MAX_SIZE] __attribute__((aligned(8)));
	struct nl_leaf parsed;
	size_t size;

	for (unsigned modules = 0; modules < 2; modules++) {
		size = valid(leaf, sizeof(leaf), modules);
		FUZZ_CHECK(!nl_leaf_parse(leaf, size, &parsed)); /* or they are worth nothing */
		FUZZ_CHECK(machine_run(leaf, size) == MACHINE_REVERTED);
		fuzz_seed(leaf, size);
	}
	if (getenv("FUZZ_LEAVES"))
		built_leaves(getenv("FUZZ_LEAVES"));
}
