// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/witness.c hv/leaf/leaf.c hv/leaf/reloc.c hv/guest/linux/target.c
// length: 9000
// quick: 30000
// reader: a signed status
/*
 * Any bytes as a signed status (newleaf/witness.h), of which the first leaf is compared with one that is good.
 * Signatures are taken for good here, so that what stands behind that check is reached; the form says what may be
 * relied on.
 */
#include "fuzz.h"

#include "core/sha256.h"
#include "leaf/signature.h"
#include "witness.h"

static unsigned checked; /* signatures, of both kinds */

enum nl_err nl_signature_check(const char *domain, const uint8_t sha256[32], const struct nl_signature *s,
                               const struct nl_key *keys, uint32_t n_keys, uint32_t role, uint32_t *known)
{
	(void)sha256, (void)s, (void)role, (void)known;
	FUZZ_CHECK(!keys && !n_keys);
	checked |= !strcmp(domain, NL_DOMAIN_BOOT) ? 1 : !strcmp(domain, NL_DOMAIN_STATUS) ? 2 : 4;
	return NL_OK;
}

/* A sum: what must be read is read. */
void nl_sha256_init(struct nl_sha256 *c) { memset(c, 0, sizeof(*c)); }

void nl_sha256_update(struct nl_sha256 *c, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c->opaque[0] = c->opaque[0] * 31 + ((const uint8_t *)data)[i];
}

void nl_sha256_out(struct nl_sha256 *c, uint8_t out[32])
{
	memset(out, 0, 32);
	memcpy(out, &c->opaque[0], 8);
}

void nl_sha256_of(const void *data, size_t n, uint8_t out[32])
{
	struct nl_sha256 c;

	nl_sha256_init(&c);
	nl_sha256_update(&c, data, n);
	nl_sha256_out(&c, out);
}

static void check_leaf(const struct nl_signed_leaf *l)
{
	FUZZ_CHECK(l->state.condition >= NL_LEAF_VERIFIED && l->state.condition <= NL_LEAF_REVERTED);
	FUZZ_CHECK(strnlen(l->state.id, sizeof(l->state.id)) < sizeof(l->state.id));
	FUZZ_CHECK(strnlen(l->state.key_name, sizeof(l->state.key_name)) < sizeof(l->state.key_name));
}

static void check(const struct nl_signed_status *s, size_t n)
{
	const struct nl_signed_leaf *l = (const struct nl_signed_leaf *)(const void *)(s + 1);

	FUZZ_CHECK(s->head.count <= NL_MAX_LEAVES && s->head.count == s->status.leaves);
	FUZZ_CHECK(nl_signed_status_size(s) + NL_SIGNATURE_LEN == n && n <= NL_SIGNED_MAX_SIZE);
	FUZZ_CHECK(s->status.kernel_build_id_len <= NL_BUILD_ID_MAX && s->witness.boot.boots);
	for (uint32_t i = 0; i < s->head.count; i++)
		check_leaf(&l[i]);
}

/* Nothing is believed that its own fields do not say: half the inputs are asked for what they have. */
static void ask(const struct nl_signed_status *s, uint8_t how)
{
	struct witness_wanted wanted = {.after = how >> 2};
	enum nl_err err;

	if (how & 1) {
		memcpy(wanted.machine_key, s->witness.machine_key, sizeof(wanted.machine_key));
		memcpy(wanted.nonce, s->nonce, sizeof(wanted.nonce));
	}
	checked = 0;
	err = witness_check(s, &wanted);
	FUZZ_CHECK(err == NL_EMACHINEID || checked == 3);
	FUZZ_CHECK(err || (!memcmp(s->nonce, wanted.nonce, 32) && s->witness.boot.boots >= wanted.after &&
	                   !memcmp(s->witness.machine_key, wanted.machine_key, 32) &&
	                   !memcmp(&s->witness.boot, &s->status.boot, sizeof(s->status.boot))));
}

/* One site with a jump into the body and an address in it, wherever the status says that they are. */
static void compare(const struct nl_signed_status *s)
{
	static const struct nl_leaf_site site = {.region = NL_KERNEL_TEXT, .offset = 0x100, .len = 13, .fresh = 13};
	static const struct nl_leaf_reloc relocs[] = {
	        {.where = NL_AT_BYTES, .type = NL_REL_PC32, .symbol = NL_SYM_TEXT, .offset = 13 + 1},
	        {.where = NL_AT_BYTES, .type = NL_REL_ABS64, .symbol = NL_SYM_DATA, .offset = 13 + 5}};
	static const uint8_t bytes[26];
	static const struct nl_leaf_header header = {
	        .sites = {.count = 1},
	        .relocs = {.count = 2},
	        .target.kernel = {.n_regions = NL_KERNEL_REGIONS, .regions[NL_KERNEL_TEXT].base = UINT64_MAX - 0x200}};
	const struct nl_leaf leaf = {.header = &header, .sites = &site, .relocs = relocs, .bytes = bytes};
	enum nl_err err;

	if (!s->head.count)
		return;
	err = witness_bytes(s, (const struct nl_signed_leaf *)(const void *)(s + 1), &leaf);
	FUZZ_CHECK(err == NL_OK || err == NL_EBYTES || err == NL_ERELOC);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	uint8_t how = fuzz_byte(&f);
	size_t n, want = (size_t)fuzz_number(&f, 2) % (NL_SIGNED_MAX_SIZE + 100);
	uint8_t *p = fuzz_bytes(&f, want, &n);
	const struct nl_signed_status *s = (const struct nl_signed_status *)(const void *)p;

	if (!witness_form(p, n)) {
		check(s, n);
		ask(s, how);
		compare(s);
	}
	free(p);
}

void fuzz_seeds(void)
{
	struct {
		struct nl_signed_status s;
		struct nl_signed_leaf leaves[2];
		uint8_t signature[NL_SIGNATURE_LEN];
	} a = {.s = {.head = {NL_STATUS_MAGIC, NL_ABI_VERSION, sizeof(a.s), sizeof(a.leaves[0]), 2},
	             .witness = {.head = {NL_WITNESS_MAGIC, NL_ABI_VERSION, sizeof(a.s.witness), 0, 0},
	                         .boot = {.boots = 1}},
	             .status = {.abi = NL_ABI_VERSION, .size = sizeof(a.s.status), .leaves = 2, .boot = {.boots = 1}}}};
	uint8_t all[3 + sizeof(a)] = {1, sizeof(a) & 0xff, sizeof(a) >> 8};

	a.leaves[0].state.condition = NL_LEAF_APPLIED;
	a.leaves[1].state.condition = NL_LEAF_REVERTED;
	memcpy(all + 3, &a, sizeof(a));
	fuzz_seed(all, sizeof(all));
}
