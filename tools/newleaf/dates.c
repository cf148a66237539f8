// SPDX-License-Identifier: Apache-2.0
/* See dates.h. */
#include "dates.h"
#include "text.h"

#include <string.h>

uint64_t journal_wall(struct journal_clock *k, const struct nl_journal_entry *e)
{
	if (e->event == NL_EV_BOOT) {
		memset(&k->facts, 0, sizeof(k->facts));
		memcpy(&k->facts, e->leaf_sha256, sizeof(e->leaf_sha256));
		memcpy(k->boot_id, e->boot_id, sizeof(k->boot_id));
	}
	return memcmp(k->boot_id, e->boot_id, sizeof(k->boot_id)) ? 0 : text_wall(&k->facts, e->tsc);
}
