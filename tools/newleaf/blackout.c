// SPDX-License-Identifier: Apache-2.0
/*
 * What a command cost those who ran beside it: the longest piece for which it took a CPU from everybody else. Measured
 * by the agent (guest-agent/agent.h), said here. Not here: the hypervisor's own stop window and hold.
 */
#include "cli.h"
#include "text.h"

static const char *const pieces[] = {
        [NL_PIECE_GATHER] = "gather",  [NL_CALL_STATUS] = "status",
        [NL_CALL_LEAVES] = "leaves",   [NL_CALL_STAGE] = "stage",
        [NL_CALL_VERIFY] = "verify",   [NL_CALL_PREPARE] = "prepare",
        [NL_CALL_TRY] = "try",         [NL_CALL_ABANDON] = "abandon",
        [NL_CALL_JOURNAL] = "journal", [NL_CALL_EXITS] = "exits",
        [NL_CALL_CONSOLE] = "console", [NL_CALL_ALIVE] = "alive",
        [NL_CALL_FACTS] = "facts",     [NL_CALL_TIMELINE] = "timeline",
        [NL_CALL_SIGNED] = "signed",   [NL_CALL_CHALLENGE] = "challenge",
        [NL_CALL_ORDER] = "order",     [NL_CALL_CONFIRM] = "confirm",
        [NL_PIECE_CHECK] = "check",
};
_Static_assert(NL_ARRAY_SIZE(pieces) == NL_PIECES, "a name for each piece");

static uint64_t ns(const struct cli *c, unsigned piece)
{
	return text_tsc_ns(c->agent.taken[piece], c->status.boot.tsc_hz);
}

/* A gather is longer than the try in its midst: the first of equals is the outer one. */
static unsigned longest(const struct cli *c)
{
	unsigned best = 0;

	for (unsigned i = 1; i < NL_PIECES; i++)
		if (c->agent.taken[i] > c->agent.taken[best])
			best = i;
	return best;
}

const char *cli_blackout(const struct cli *c, struct text *t)
{
	unsigned piece = longest(c);
	struct text time;

	t->s[0] = 0;
	if (ns(c, piece))
		snprintf(t->s, sizeof(t->s), ", blackout %.32s (%s)", text_ns(&time, ns(c, piece)), pieces[piece]);
	return t->s;
}

void cli_blackout_json(const struct cli *c, struct json *j)
{
	unsigned piece = longest(c);

	if (!ns(c, piece))
		return;
	json_uint(j, "blackout_ns", ns(c, piece));
	json_string(j, "blackout_by", pieces[piece]);
	json_open(j, "pieces_ns", '{');
	for (unsigned i = 0; i < NL_PIECES; i++)
		if (ns(c, i))
			json_uint(j, pieces[i], ns(c, i));
	json_close(j, '}');
}
