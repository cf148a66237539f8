// SPDX-License-Identifier: Apache-2.0
/*
 * The record of state.h.
 */
#include "state.h"

#define RECORD_SIZE(size) ((uint32_t)((size) - sizeof(struct nl_record)))

static uint64_t checksum(const struct nl_state *s, size_t size)
{
	return nl_checksum(&s->list_sequence, size - offsetof(struct nl_state, list_sequence));
}

enum nl_err nl_state_read(const void *found, size_t size, uint32_t attributes, struct nl_state *out)
{
	static const uint32_t sizes[] = {sizeof(*out), NL_STATE_SIZE_1, NL_STATE_SIZE_2};
	const struct nl_state *s = found;
	uint32_t version = size >= sizeof(s->head) && s->head.version < NL_STATE_VERSION ? s->head.version : 0;
	size_t whole = sizes[version];
	const struct nl_record_kind kind = {
	        NL_STATE_MAGIC, version ? version : NL_STATE_VERSION, sizeof(s->head), RECORD_SIZE(whole), 1, 1};
	enum nl_err e = attributes == NL_STATE_ATTRIBUTES ? nl_record_check(&kind, found, size) : NL_ERECORD;

	if (!e && (size != whole || s->checksum != checksum(s, size)))
		e = NL_ERECORD;
	*out = (struct nl_state){0};
	if (!e) /* straight into its place: no copy of the key stays on the stack */
		__builtin_memcpy(out, found, version == 2 ? offsetof(struct nl_state, standing) : size);
	/* Who shall sign no list stays so: else his next one takes the place of the one that says it. */
	for (unsigned i = 0; !e && version == 2 && i < NL_MAX_KEYS; i++) {
		struct nl_key *k = &out->standing.keys[i];

		__builtin_memcpy(k->key, (const uint8_t *)found + offsetof(struct nl_state, standing) + 32 * i, 32);
		k->role = nl_is_leaf(k->key, (const uint8_t[32]){0}) ? 0 : NL_KEY_LOST(NL_ROLE_REVOKE);
	}
	return e;
}

void nl_state_seal(struct nl_state *s)
{
	s->head = (struct nl_record){NL_STATE_MAGIC, NL_STATE_VERSION, sizeof(s->head), RECORD_SIZE(sizeof(*s)), 1};
	s->checksum = checksum(s, sizeof(*s));
}

bool nl_state_rises(const struct nl_state *before, const struct nl_state *now)
{
	return now->security_version > before->security_version || now->list_sequence > before->list_sequence ||
	       nl_checksum(&now->standing, sizeof(now->standing)) !=
	               nl_checksum(&before->standing, sizeof(before->standing));
}
