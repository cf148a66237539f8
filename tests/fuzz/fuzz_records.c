// SPDX-License-Identifier: Apache-2.0
// sources: efi/keylist.c efi/policy.c efi/netconf.c efi/state.c hv/leaf/list.c hv/leaf/floor.c hv/core/kept.c
// sources: hv/leaf/leaf.c hv/guest/linux/target.c
// length: 4096
// quick: 50000
/*
 * Any bytes as a record (newleaf/record.h): a list of keys, the policy, the machine's state, the signed list. The
 * signature of the latter is taken for good here, so that what stands behind that check is reached.
 */
#include "fuzz.h"

#include "core/core.h"
#include "core/kept.h"
#include "keylist.h"
#include "leaf/floor.h"
#include "leaf/list.h"
#include "leaf/signature.h"
#include "policy.h"
#include "state.h"

struct nl_boot_block nl_boot;
void (*seam_flushed)(const void *p, size_t size);

enum nl_err nl_signatures_find(const void *block, size_t size, const struct nl_signature **first, uint32_t *count)
{
	static const struct nl_signature none;
	volatile uint8_t last = size ? ((const uint8_t *)block)[size - 1] : 0; /* it can be read */

	(void)last;
	*first = &none;
	*count = 1;
	return NL_OK;
}

enum nl_err nl_check_step(struct nl_check *c)
{
	volatile uint8_t last = c->size ? ((const uint8_t *)c->file)[c->size - 1] : 0; /* all of it can be read */

	(void)last;
	FUZZ_CHECK(c->signed_size <= c->size);
	c->known = c->n_known = 1;
	return NL_OK;
}

enum nl_err nl_check_whole(struct nl_check *c) { return nl_check_step(c); }

void nl_key_id(const uint8_t key[32], uint8_t id[32]) { memcpy(id, key, 32); }

static void warn(const char *what) { FUZZ_CHECK(*what); }

static void try_list(const void *p, size_t n)
{
	uint8_t name[32] = {0}, id[NL_LEAF_ID_LEN] = "a";
	enum nl_err err;

	memset(nl_kept, 0, sizeof(*nl_kept));
	err = nl_list_take(p, n, 3);
	FUZZ_CHECK(err == nl_list_error() && (err == NL_OK) == (nl_list_sequence() >= 3));
	FUZZ_CHECK(nl_floor_room() == NL_MAX_FLOORS && (err == NL_OK || !nl_list_floor((const char *)id)));
	FUZZ_CHECK(nl_list_bars(name, false) != NL_ELIST || err != NL_OK);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	struct nl_conf conf;
	struct nl_policy policy;
	struct nl_state state;
	uint8_t what = fuzz_byte(&f);
	size_t n;
	uint8_t *p = fuzz_bytes(&f, 2048, &n);

	memset(&nl_boot, 0, sizeof(nl_boot));
	switch (what & 3) {
	case 0:
		nl_keys_add(&nl_boot, p, n);
		FUZZ_CHECK(nl_boot.facts.n_keys <= NL_MAX_KEYS);
		for (uint32_t i = 0; i < nl_boot.facts.n_keys; i++)
			FUZZ_CHECK(nl_boot.keys[i].role && !(nl_boot.keys[i].role & ~NL_ROLES) &&
			           memchr(nl_boot.keys[i].name, 0, sizeof(nl_boot.keys[i].name)));
		break;
	case 1:
		conf = (struct nl_conf){.console = 1, .guest_may = NL_CONF_UNSAID};
		nl_policy_make(p, n, what & 4, &conf, &policy, warn);
		FUZZ_CHECK(policy.deadline_ms >= 1 && policy.deadline_ms <= 10000 && policy.signatures >= 1 &&
		           policy.signatures <= NL_MAX_KEYS && !(policy.guest_may & ~15u) &&
		           !(policy.order_may & ~15u) && !(policy.net_may & ~7u) &&
		           policy.operators <= NL_MAX_SIGNATURES && !(policy.proofs & ~3u));
		break;
	case 2:
		if (!nl_state_read(p, n, NL_STATE_ATTRIBUTES, &state)) {
			struct nl_state again = state;

			nl_state_seal(&again);
			FUZZ_CHECK(!memcmp(&again.checksum, &state.checksum, sizeof(state) - sizeof(state.head)));
		}
		break;
	default:
		try_list(p, n);
	}
	free(p);
}

static void seed(uint8_t what, const void *p, size_t n)
{
	uint8_t all[4096] = {what};

	memcpy(all + 1, p, n);
	fuzz_seed(all, n + 1);
}

void fuzz_seeds(void)
{
	struct {
		struct nl_record head;
		struct nl_key keys[2];
	} keys = {{NL_KEYS_MAGIC, NL_KEYS_KIND->version, sizeof(struct nl_record), sizeof(struct nl_key), 2},
	          {{.role = 1, .name = "one"}, {.role = 4, .name = "two"}}};
	struct {
		struct nl_record head;
		struct nl_policy policy;
	} policy = {{NL_POLICY_MAGIC, 1, sizeof(struct nl_record), sizeof(struct nl_policy), 1},
	            {.guest_may = 3, .deadline_ms = 10000, .proofs = 3, .signatures = 1}};
	struct {
		struct nl_list head;
		struct nl_list_entry entries[4];
	} list = {{{NL_LIST_MAGIC, 1, sizeof(struct nl_list), sizeof(struct nl_list_entry), 4}, 9},
	          {{1, 0, {1}}, {2, 0, {2}}, {3, 7, "alpha"}, {4, 0, {4}}}};
	struct nl_state state = {.security_version = 1, .list_sequence = 9};

	nl_state_seal(&state);
	seed(0, &keys, sizeof(keys));
	seed(1, &policy, sizeof(policy));
	seed(2, &state, sizeof(state));
	seed(3, &list, sizeof(list));
}
