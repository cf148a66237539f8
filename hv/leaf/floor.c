// SPDX-License-Identifier: Apache-2.0
/* The table of floors: see floor.h. */
#include "leaf/floor.h"
#include "core/core.h"
#include "core/kept.h"

/* Its entry, or the first free one; NULL: neither. */
static struct nl_floor *entry(const char *id)
{
	for (unsigned i = 0; i < NL_MAX_FLOORS; i++)
		if (!nl_kept->floors[i].id[0] || !memcmp(nl_kept->floors[i].id, id, NL_LEAF_ID_LEN))
			return &nl_kept->floors[i];
	return NULL;
}

uint32_t nl_floor_of(const char *id)
{
	const struct nl_floor *f = entry(id);

	return f ? f->version : 0;
}

uint32_t nl_floor_room(void)
{
	uint32_t used = 0;

	while (used < NL_MAX_FLOORS && nl_kept->floors[used].id[0])
		used++;
	return NL_MAX_FLOORS - used;
}

bool nl_floor_raise(const char *id, uint32_t version)
{
	struct nl_floor *f = entry(id);

	if (!f)
		return false;
	memcpy(f->id, id, NL_LEAF_ID_LEN);
	if (version > f->version)
		f->version = version;
	return true;
}
