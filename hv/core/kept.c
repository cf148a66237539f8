// SPDX-License-Identifier: Apache-2.0
/* What outlives a warm reset: see kept.h. */
#include "core/kept.h"
#include "core/core.h"
#include "x86.h"

static struct nl_kept none; /* until there is a place that lasts */
struct nl_kept *nl_kept = &none;
const uint8_t *nl_kept_on[NL_MAX_LEAVES];
static uint32_t alive;

/* A reset does not write caches back. */
void nl_kept_seal(void)
{
	nl_kept->magic = NL_KEPT_MAGIC;
	nl_kept->checksum = nl_kept_checksum(nl_kept);
	x86_flush(nl_kept, sizeof(*nl_kept));
}

void nl_kept_init(struct nl_kept *k)
{
	nl_kept = k;
	memcpy(k->boot_id, nl_boot.facts.boot_id, sizeof(k->boot_id));
	nl_kept_seal();
}

bool nl_kept_alive(void) { return !__atomic_exchange_n(&alive, 1, __ATOMIC_SEQ_CST); }

void nl_kept_forget(void)
{
	memset(nl_kept_on, 0, sizeof(nl_kept_on));
	__atomic_store_n(&alive, 0, __ATOMIC_SEQ_CST);
}

void nl_kept_panic(void)
{
	for (unsigned i = 0; i < NL_MAX_LEAVES && !__atomic_load_n(&alive, __ATOMIC_SEQ_CST); i++)
		if (nl_kept_on[i])
			nl_lock_out(nl_kept->lockouts, nl_kept_on[i], NL_LOCKOUT_PANIC);
	nl_kept_seal();
}
