// SPDX-License-Identifier: Apache-2.0
/*
 * The calls of the agent that ask and change nothing but what is told: journal, timeline, counts, console, the signed
 * status, that the guest is up. Status and leaves, which commits want as well: agent.c.
 */
#include "agent.h"
#include "call.h"

#include <newleaf/bootblock.h>

#include <string.h>

#define MS 1000000ULL
#define SIGNED_LIMIT_NS (120000 * MS) /* a leaf a call, also on a slow emulator */
#define RATE_POLL_NS (50 * MS)

enum nl_err nl_agent_journal(struct nl_agent *a, uint64_t from_seq, struct nl_journal_entry *out, size_t max, size_t *n,
                             uint64_t *newest)
{
	uint64_t count = from_seq;
	enum nl_err e;

	*n = 0;
	*newest = 0;
	if (max > NL_CALL_MAX_BUFFER / sizeof(*out))
		max = NL_CALL_MAX_BUFFER / sizeof(*out);
	e = nl_agent_call(a, NL_CALL_JOURNAL, out, max * sizeof(*out), &count, newest);
	if (e != NL_OK)
		return e;
	if (count > max)
		return nl_agent_fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	*n = count; /* bytes stay as they came: the caller checks the hash chain over them */
	return NL_OK;
}

enum nl_err nl_agent_timeline(struct nl_agent *a, uint64_t from_seq, struct nl_step_record *out, size_t max, size_t *n,
                              uint64_t *newest)
{
	uint64_t count = from_seq, seq = from_seq;
	enum nl_err e;

	*n = 0;
	*newest = 0;
	if (max > NL_AGENT_STEPS_A_CALL)
		max = NL_AGENT_STEPS_A_CALL;
	e = nl_agent_call(a, NL_CALL_TIMELINE, out, max * sizeof(*out), &count, newest);
	if (e != NL_OK)
		return e;
	if (count > max)
		return nl_agent_fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	for (size_t i = 0; i < count; seq = out[i++].seq + 1)
		if (out[i].seq < seq || !out[i].seq || out[i].seq > *newest || out[i].cpu >= NL_MAX_CPUS ||
		    out[i].step >= NL_N_STEPS)
			return nl_agent_fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	*n = count;
	return NL_OK;
}

enum nl_err nl_agent_exits(struct nl_agent *a, uint32_t cpu, struct nl_exit_counts *out)
{
	uint64_t rcx = cpu;

	return nl_agent_call(a, NL_CALL_EXITS, out, sizeof(*out), &rcx, NULL);
}

enum nl_err nl_agent_console(struct nl_agent *a, uint64_t from, char *out, size_t max, size_t *n, uint64_t *next)
{
	uint64_t bytes = from;
	enum nl_err e;

	*n = 0;
	*next = 0;
	e = nl_agent_call(a, NL_CALL_CONSOLE, out, max, &bytes, next);
	if (e != NL_OK)
		return e;
	if (bytes > max)
		return nl_agent_fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	*n = bytes;
	return NL_OK;
}

enum nl_err nl_agent_alive(struct nl_agent *a) { return nl_agent_call(a, NL_CALL_ALIVE, NULL, 0, NULL, NULL); }

enum nl_err nl_agent_signed(struct nl_agent *a, const uint8_t nonce[32], struct nl_signed_status *out, size_t *n)
{
	uint64_t until = a->t->now_ns(a->t->ctx) + SIGNED_LIMIT_NS, bytes = 0;
	enum nl_err e = NL_AGAIN;

	do {
		if (a->cancel && *a->cancel)
			return nl_agent_fail(a, NL_EINTERRUPTED, NL_WHY_CANCELLED);
		if (a->t->now_ns(a->t->ctx) > until)
			return nl_agent_fail(a, NL_EDEADLINE, NL_WHY_NONE);
		if (e == NL_ERATE) /* one a second, whoever asks */
			a->t->pause_ns(a->t->ctx, RATE_POLL_NS);
		memset(out, 0, NL_SIGNED_MAX_SIZE);
		memcpy(out, nonce, 32);
		e = nl_agent_exchange(a, NL_CALL_SIGNED, out, NL_SIGNED_MAX_SIZE, &bytes);
	} while (e == NL_AGAIN || e == NL_ERATE);
	if (e != NL_OK)
		return e;
	*n = bytes;
	if (nl_record_check(NL_SIGNED_STATUS_KIND, out, NL_SIGNED_MAX_SIZE) || memcmp(out->nonce, nonce, 32) ||
	    out->head.head_size != sizeof(*out) || out->head.record_size != sizeof(struct nl_signed_leaf) ||
	    bytes != nl_signed_status_size(out) + NL_SIGNATURE_LEN)
		return nl_agent_fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	return NL_OK;
}
