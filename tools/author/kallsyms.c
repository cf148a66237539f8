// SPDX-License-Identifier: Apache-2.0
/*
 * Decodes kallsyms without help: the token index is recognised by its shape (256 ascending 16-bit offsets that agree
 * with the strings before it), the rest is found from there and believed only if every marker agrees with the names
 * and the addresses ascend. Written by scripts/kallsyms.c of Linux; read like kernel/kallsyms.c does. What differs:
 *
 *     tables are aligned to   8 bytes, or 4 where no entry has 8 (7.x)
 *     offsets stand           before the names (until 6.3), or behind the token index
 *     an offset counts from   a base behind the offsets, or its own place (7.x, which has no base)
 *
 * The letter before a name is what the linker knew of a section's flags (7.x: `T` for data, too). What
 * it is of, nothing tells by it; a capital is for what others can link to, W for a weak function (patch_global.c).
 */
#include "kallsyms.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS 256
#define MARKER_STEP 256 /* one marker per so many names */
#define SYMBOLS_MIN 16u
#define SYMBOLS_MAX (1u << 22)
#define NAMES_TRIED (1u << 30) /* against a file made to be searched for ever: a real one needs a hundredth */
#define TOKEN_MAX 1024u
#define KERNEL_HALF 0xffffffff80000000ULL

struct tables {
	const uint8_t *bytes;
	size_t n;
	uint64_t va;                     /* of bytes[0] */
	size_t align;                    /* of each table */
	size_t token_table, token_index; /* offsets */
	size_t names;
	uint32_t count;
};

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static size_t up(const struct tables *t, size_t v) { return (v + t->align - 1) & ~(t->align - 1); }

/* Is there a token index at `at`, and where does its table start? */
static bool token_index_at(const uint8_t *b, size_t n, size_t at, size_t *table)
{
	size_t end = at, start;

	if (at + TOKENS * 2 > n || get16(b + at) != 0)
		return false;
	for (size_t i = 1; i < TOKENS; i++)
		if (get16(b + at + 2 * i) <= get16(b + at + 2 * i - 2) + 1)
			return false;
	while (end && at - end < 8 && !b[end - 1])
		end--;
	if (!end || end == at) /* the last token ends with a NUL */
		return false;
	start = end;
	while (start && b[start - 1]) {
		if (end - --start > TOKEN_MAX)
			return false;
	}
	if (start < get16(b + at + 2 * (TOKENS - 1)))
		return false;
	start -= get16(b + at + 2 * (TOKENS - 1));
	for (size_t i = 0; i + 1 < TOKENS; i++) {
		size_t token = start + get16(b + at + 2 * i), next = start + get16(b + at + 2 * i + 2);

		if (strnlen((const char *)b + token, next - token) != next - token - 1)
			return false;
	}
	*table = start;
	return true;
}

/* Length of one compressed name (ULEB128 of two bytes at most) and where its bytes start; 0 = does not fit. */
static size_t name_length(const uint8_t *b, size_t n, size_t *at)
{
	size_t length;

	if (*at >= n)
		return 0;
	length = b[(*at)++];
	if (length & 0x80) {
		if (*at >= n)
			return 0;
		length = (length & 0x7f) | (size_t)b[(*at)++] << 7;
	}
	return length <= n - *at ? length : 0;
}

/*
 * Do `count` names start at `at`, followed by markers that agree with each 256th of them, and these by the token table?
 * Since 6.2 the order by name stands between, three bytes for each. Without the last condition a few small numbers
 * among the names pass for another, shorter table.
 */
static bool names_at(const struct tables *t, size_t at, uint32_t count, uint64_t *budget)
{
	const uint8_t *b = t->bytes;
	size_t limit = t->token_table, here = at, length, markers, n_markers = (count + MARKER_STEP - 1) / MARKER_STEP;

	for (uint32_t i = 0; i < count; i++) {
		length = name_length(b, limit, &here);
		if (!length || *budget < 2)
			return false;
		here += length;
		--*budget;
	}
	markers = up(t, here);
	here = up(t, markers + 4 * n_markers);
	if (here != limit && up(t, here + 3 * (size_t)count) != limit)
		return false;
	here = at;
	for (uint32_t i = 0; i < count; i++) {
		if (i % MARKER_STEP == 0 && get32(b + markers + 4 * (i / MARKER_STEP)) != here - at)
			return false;
		length = name_length(b, limit, &here); /* moves `here` to the name itself */
		here += length;
	}
	return true;
}

static bool find_names(struct tables *t, uint64_t *budget)
{
	for (size_t at = t->token_table & ~(t->align - 1); at >= t->align && *budget; at -= t->align, --*budget) {
		uint32_t count = get32(t->bytes + at - t->align);

		if (count < SYMBOLS_MIN || count > SYMBOLS_MAX || count > t->token_table - at)
			continue;
		if (names_at(t, at, count, budget)) {
			t->names = at;
			t->count = count;
			return true;
		}
	}
	return false;
}

/* Offsets and base: negative offsets count down from base - 1 (CONFIG_KALLSYMS_ABSOLUTE_PERCPU), others are absolute.
 */
static bool addresses_at(const struct tables *t, size_t offsets, size_t base_at, struct ksym *sym)
{
	uint64_t base, last = 0;
	bool negative = false;

	if (base_at + 8 > t->n || offsets + 4 * (size_t)t->count > t->n)
		return false;
	memcpy(&base, t->bytes + base_at, 8);
	if (base < KERNEL_HALF || base & 0xfff)
		return false;
	for (uint32_t i = 0; i < t->count && !negative; i++)
		negative = (int32_t)get32(t->bytes + offsets + 4 * i) < 0;
	for (uint32_t i = 0; i < t->count; i++) {
		int32_t o = (int32_t)get32(t->bytes + offsets + 4 * i);

		sym[i].va = !negative ? base + (uint32_t)o : o < 0 ? base - 1 - (uint64_t)(int64_t)o : (uint64_t)o;
		if (sym[i].va < last)
			return false;
		last = sym[i].va;
	}
	return true;
}

/* Each offset counts from where it stands. All of them are places of the image, so none leads out of the upper 2 GiB.
 */
static bool relative_addresses_at(const struct tables *t, size_t offsets, struct ksym *sym)
{
	uint64_t last = KERNEL_HALF;

	if (offsets + 4 * (size_t)t->count > t->n)
		return false;
	for (uint32_t i = 0; i < t->count; i++) {
		size_t at = offsets + 4 * (size_t)i;

		sym[i].va = t->va + at + (uint64_t)(int64_t)(int32_t)get32(t->bytes + at);
		if (sym[i].va < last)
			return false;
		last = sym[i].va;
	}
	return true;
}

static bool find_addresses(const struct tables *t, struct ksym *sym)
{
	size_t size = up(t, 4 * (size_t)t->count), behind = up(t, t->token_index + TOKENS * 2);
	size_t before = up(t, 8) + t->align + size; /* offsets, base, count, names */

	if (t->names >= before && addresses_at(t, t->names - before, t->names - before + size, sym))
		return true;
	return addresses_at(t, behind, behind + size, sym) || relative_addresses_at(t, behind, sym);
}

static void decode_names(const struct tables *t, struct ksym *sym)
{
	size_t at = t->names;

	for (uint32_t i = 0; i < t->count; i++) {
		size_t length = name_length(t->bytes, t->n, &at), used = 0;
		char name[1024];

		for (size_t j = 0; j < length; j++) {
			const char *token = (const char *)t->bytes + t->token_table +
			                    get16(t->bytes + t->token_index + 2 * t->bytes[at + j]);

			for (; *token && used + 1 < sizeof(name); token++)
				name[used++] = *token;
		}
		name[used] = 0;
		sym[i].type = name[0];
		sym[i].name = xformat("%s", name[0] ? name + 1 : name);
		at += length;
	}
}

static const struct kallsyms *sorting;

static int by_name(const void *a, const void *b)
{
	const struct ksym *x = &sorting->sym[*(const uint32_t *)a], *y = &sorting->sym[*(const uint32_t *)b];
	int order = strcmp(x->name, y->name);

	return order ? order : x->va < y->va ? -1 : x->va > y->va;
}

static void decode(struct kallsyms *out, const struct tables *t)
{
	out->n = t->count;
	decode_names(t, out->sym);
	out->by_name = xalloc(out->n * sizeof(*out->by_name));
	for (uint32_t i = 0; i < out->n; i++)
		out->by_name[i] = i;
	sorting = out;
	qsort(out->by_name, out->n, sizeof(*out->by_name), by_name);
}

bool kallsyms_decode(struct kallsyms *out, const uint8_t *bytes, size_t n, uint64_t va)
{
	struct tables t = {.bytes = bytes, .n = n, .va = va};
	uint64_t budget = NAMES_TRIED;

	for (size_t at = 0; at + TOKENS * 2 <= n; at += 4) {
		if (!token_index_at(bytes, n, at, &t.token_table))
			continue;
		t.token_index = at;
		for (t.align = 8; t.align >= 4; t.align /= 2) {
			if (at % t.align || !find_names(&t, &budget))
				continue;
			out->sym = xalloc(t.count * sizeof(*out->sym));
			if (find_addresses(&t, out->sym)) {
				decode(out, &t);
				return true;
			}
			free(out->sym);
		}
	}
	return false;
}

size_t kallsyms_find(const struct kallsyms *s, const char *name, size_t position, const struct ksym **found)
{
	size_t low = 0, end = s->n - s->n_hidden, high = end, addresses = 0;
	uint64_t last = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(s->sym[s->by_name[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < end && !strcmp(s->sym[s->by_name[low]].name, name); low++) {
		const struct ksym *sym = &s->sym[s->by_name[low]];

		if (addresses && sym->va == last)
			continue;
		last = sym->va;
		if (++addresses == position)
			*found = sym;
	}
	return addresses;
}

/* Index of the first symbol above va. */
static size_t above(const struct kallsyms *s, uint64_t va)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->sym[middle].va <= va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct ksym *kallsyms_next(const struct kallsyms *s, uint64_t va)
{
	size_t i = above(s, va);

	return i < s->n ? &s->sym[i] : NULL;
}

const struct ksym *kallsyms_at(const struct kallsyms *s, uint64_t va)
{
	size_t i = above(s, va);

	return i ? &s->sym[i - 1] : NULL;
}
