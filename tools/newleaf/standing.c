// SPDX-License-Identifier: Apache-2.0
/* See standing.h. */
#include "standing.h"
#include "sha256.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const struct standing_leaf *l, const uint8_t name[32])
{
	struct nl_leaf_header h;
	uint8_t sha256[32];

	if (l->size < sizeof(h))
		return false;
	memcpy(&h, l->bytes, sizeof(h));
	if (h.signed_size < sizeof(h) || h.signed_size > l->size)
		return false;
	cli_sha256(l->bytes, h.signed_size, sha256);
	return !memcmp(sha256, name, 32);
}

uint8_t *standing_place(const struct nl_order *o, size_t size, const struct standing_leaf *leaves, size_t n,
                        size_t *out)
{
	struct nl_order_place *p = calloc(1, NL_FILE_MAX_SIZE);
	size_t at = sizeof(*p), j;

	if (!p)
		return NULL;
	memcpy(p->bytes, o, size);
	p->size = size;
	for (uint32_t i = 0; i < o->head.count && nl_order_entry(o, i)->what == NL_ORDER_LEAF; i++) {
		for (j = 0; j < n && !is_named(&leaves[j], nl_order_entry(o, i)->name); j++)
			;
		if (j == n || i >= NL_MAX_LEAVES || leaves[j].size > NL_FILE_MAX_SIZE - at) {
			free(p);
			return NULL;
		}
		memcpy((uint8_t *)p + at, leaves[j].bytes, leaves[j].size);
		p->leaves[i].base = at;
		p->leaves[i].size = leaves[j].size;
		at = (at + leaves[j].size + 7) & ~(size_t)7;
	}
	*out = at;
	return (uint8_t *)p;
}

/* What can be read of a place's order; NULL: it is none. */
static const struct nl_order *order_in(const uint8_t *place, size_t size)
{
	const struct nl_order_place *p = (const void *)place;

	if (size < sizeof(*p) || p->size < sizeof(p->order) || p->size > sizeof(p->bytes) ||
	    nl_record_check(NL_ORDER_RECORD, p, p->size))
		return NULL;
	return &p->order;
}

int standing_free(const struct nl_standing_state *s, const uint8_t *const places[2], const size_t sizes[2])
{
	const struct nl_order *o[2] = {order_in(places[0], sizes[0]), order_in(places[1], sizes[1])};
	uint64_t rotation = 0; /* epoch */

	for (unsigned i = 0; i < 2; i++)
		if (o[i] && o[i]->epoch > s->floor && o[i]->epoch <= s->epoch && o[i]->head.count &&
		    nl_order_entry(o[i], o[i]->head.count - 1)->what != NL_ORDER_LEAF &&
		    (!rotation || o[i]->epoch < rotation))
			rotation = o[i]->epoch;
	for (int i = 0; i < 2; i++)
		if (!o[i] || ((!s->epoch || o[i]->epoch != s->epoch) && (!rotation || o[i]->epoch != rotation)))
			return i;
	return -1;
}
