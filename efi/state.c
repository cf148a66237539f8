// SPDX-License-Identifier: Apache-2.0
/*
 * The record of state.h.
 */
#include "state.h"

#define RECORD_SIZE (sizeof(struct nl_state) - sizeof(struct nl_record))

static uint64_t checksum(const struct nl_state *s)
{
	return nl_checksum(&s->list_sequence, sizeof(*s) - offsetof(struct nl_state, list_sequence));
}

enum nl_err nl_state_read(const void *found, size_t size, uint32_t attributes, struct nl_state *out)
{
	static const struct nl_record_kind kind = {NL_STATE_MAGIC, 1, sizeof(struct nl_record), RECORD_SIZE, 1, 1};
	enum nl_err e = attributes == NL_STATE_ATTRIBUTES ? nl_record_check(&kind, found, size) : NL_ERECORD;

	if (!e && (size != sizeof(*out) || ((const struct nl_state *)found)->checksum != checksum(found)))
		e = NL_ERECORD;
	*out = (struct nl_state){0};
	if (!e) /* straight into its place: no copy of the key stays on the stack */
		*out = *(const struct nl_state *)found;
	return e;
}

void nl_state_seal(struct nl_state *s)
{
	s->head = (struct nl_record){NL_STATE_MAGIC, 1, sizeof(struct nl_record), RECORD_SIZE, 1};
	s->checksum = checksum(s);
}

bool nl_state_rises(const struct nl_state *before, const struct nl_state *now)
{
	return now->security_version > before->security_version || now->list_sequence > before->list_sequence;
}
