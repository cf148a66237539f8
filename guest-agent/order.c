// SPDX-License-Identifier: Apache-2.0
/* Challenges, orders that answer them, and the word that a leaf is good: see agent.h. */
#include "call.h"

#include <string.h>

#define MS 1000000ULL
#define ORDER_LIMIT_NS (60000 * MS)
#define ORDER_PAUSE_NS (100 * MS) /* a second must pass between signatures; nobody tells when it has */

enum nl_err nl_agent_challenge(struct nl_agent *a, struct nl_challenge *out)
{
	enum nl_err e;

	memset(out, 0, sizeof(*out));
	e = nl_agent_exchange(a, NL_CALL_CHALLENGE, out, sizeof(*out), NULL);
	if (e == NL_OK && nl_record_check(NL_CHALLENGE_KIND, out, sizeof(*out)))
		return nl_agent_fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	return e;
}

enum nl_err nl_agent_order(struct nl_agent *a, const void *file, size_t size)
{
	uint64_t until = a->t->now_ns(a->t->ctx) + ORDER_LIMIT_NS;
	uint8_t copy[NL_ORDER_MAX_SIZE];
	enum nl_err e;

	if (!size || size > sizeof(copy))
		return nl_agent_fail(a, NL_EORDER, NL_WHY_NONE);
	memcpy(copy, file, size);
	while ((e = nl_agent_exchange(a, NL_CALL_ORDER, copy, size, NULL)) == NL_AGAIN || e == NL_ERATE) {
		if (a->cancel && *a->cancel)
			return nl_agent_fail(a, NL_EINTERRUPTED, NL_WHY_CANCELLED);
		if (a->t->now_ns(a->t->ctx) > until) /* others carry orders, too */
			return e == NL_ERATE ? e : nl_agent_fail(a, NL_EDEADLINE, NL_WHY_NONE);
		if (e == NL_ERATE)
			a->t->pause_ns(a->t->ctx, ORDER_PAUSE_NS);
	}
	return e;
}

enum nl_err nl_agent_confirm(struct nl_agent *a, const uint8_t sha256[32])
{
	uint8_t copy[32];

	memcpy(copy, sha256, sizeof(copy));
	return nl_agent_exchange(a, NL_CALL_CONFIRM, copy, sizeof(copy), NULL);
}
