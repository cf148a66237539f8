// SPDX-License-Identifier: Apache-2.0
/*
 * How new each leaf has been since boot: versions never go down. Kept apart from the registry, because that is
 * forgotten with the kernel, and a guest kernel can pretend to be another. Callers hold the commit lock.
 */
#ifndef HV_FLOOR_H
#define HV_FLOOR_H

#include <newleaf/leaf.h>

#define NL_MAX_FLOORS 128u /* ids that can be applied between two boots of the machine */

struct nl_floor {
	char id[NL_LEAF_ID_LEN]; /* empty: free, and so are all behind it */
	uint32_t version;        /* the highest that was applied */
};
extern struct nl_floor nl_floors[NL_MAX_FLOORS];

const struct nl_floor *nl_floor_find(const char *id);  /* NULL: never applied */
uint32_t nl_floor_room(void);                          /* for how many ids more */
bool nl_floor_raise(const char *id, uint32_t version); /* false: no room */

#endif
