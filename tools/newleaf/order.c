// SPDX-License-Identifier: Apache-2.0
/* newleaf challenge and newleaf carry: the guest's part in an operator's order. Made and signed it is elsewhere. */
#include "cli.h"
#include "sha256.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uid_t (*cli_uid)(void) = geteuid;

static bool is_named(const struct nl_status *s)
{
	static const uint8_t nobody[sizeof(s->boot.machine_id)];

	return memcmp(s->boot.machine_id, nobody, sizeof(nobody));
}

static int write_challenge(struct cli *c, const char *what, const struct nl_challenge *challenge)
{
	const char *path = c->args[0];
	bool out = !strcmp(path, "-");
	int fd = out ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = fd < 0 ? -1 : write(fd, challenge, sizeof(*challenge));
	int kept = errno;

	if (fd >= 0 && !out && close(fd))
		n = -1;
	if (n == sizeof(*challenge))
		return NL_EXIT_OK;
	return cli_fail(c, what, NL_EENVIRONMENT, "cannot write %s: %s", path, strerror(kept));
}

int verb_challenge(struct cli *c)
{
	const char *what = "no challenge";
	struct nl_challenge challenge;
	struct text t;
	int result = cli_open(c, what);
	enum nl_err e;

	if (result != NL_EXIT_OK)
		return result;
	if (!c->status.boot.policy.operators || !(c->status.boot.policy.order_may & NL_ORDER_MAY_NOW))
		return cli_fail(c, what, NL_EPOLICY, "the policy of this machine takes no orders of kind now");
	if (!is_named(&c->status))
		return cli_fail(c, what, NL_ENORANDOM, "this machine has no name that lasts");
	e = nl_agent_challenge(&c->agent, &challenge);
	if (e != NL_OK)
		return cli_fail_agent(c, what, e, NULL);
	result = write_challenge(c, what, &challenge);
	if (result != NL_EXIT_OK || !strcmp(c->args[0], "-"))
		return result;
	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "challenge", "ok");
		json_bytes(&j, "machine_id", challenge.machine_id, sizeof(challenge.machine_id));
		json_bytes(&j, "boot_id", challenge.boot_id, sizeof(challenge.boot_id));
		json_bytes(&j, "challenge", challenge.challenge, sizeof(challenge.challenge));
		json_uint(&j, "generation", challenge.generation);
		json_end(&j);
	} else if (!c->quiet) {
		printf("challenge of machine %s, generation %llu -> %s\n",
		       text_hex(&t, challenge.machine_id, sizeof(challenge.machine_id)),
		       (unsigned long long)challenge.generation, c->args[0]);
	}
	return NL_EXIT_OK;
}

#define DONE_LIMIT_NS 75000000000ULL /* it waits for a minute at most */
#define DONE_PAUSE_NS 20000000ULL

/* What became of an order that the hypervisor carries out by itself; entries of the journal from `from` on say it. What
 * stands before its acceptance is others', and so is what is said of another order. */
static enum nl_err await(struct cli *c, const struct nl_order *o, uint64_t from)
{
	const struct nl_transport *t = c->transport;
	uint64_t until = t->now_ns(t->ctx) + DONE_LIMIT_NS, newest;
	struct nl_journal_entry e;
	bool accepted = false;
	uint8_t sha256[32];
	enum nl_err err;
	size_t n;

	cli_sha256(o, nl_order_signed_size(o), sha256);
	while (!(err = nl_agent_status(&c->agent, &c->status)) && c->status.orders & NL_ORDER_WAITS) {
		if (t->now_ns(t->ctx) > until || cli_cancel)
			return NL_EDEADLINE;
		t->pause_ns(t->ctx, DONE_PAUSE_NS);
	}
	while (!err && !(err = nl_agent_journal(&c->agent, from, &e, 1, &n, &newest)) && n) {
		bool its = e.event == NL_EV_ORDER && !memcmp(e.leaf_sha256, sha256, sizeof(sha256));

		if (its && e.error)
			return e.error == NL_NOTHING ? NL_OK : (enum nl_err)e.error;
		if (accepted && e.event == NL_EV_COMMIT)
			return NL_OK;
		accepted |= its;
		from = e.seq + 1;
	}
	return err ? err : NL_EUNKNOWN_LEAF; /* its time was over */
}

static bool waits(struct cli *c)
{
	return !nl_agent_status(&c->agent, &c->status) && c->status.orders & NL_ORDER_WAITS;
}

/* One that the hypervisor knew already needs no bringing, and the order may have been carried out before that is tried:
 * then nobody lets it in any more, and the journal says what became of it. */
static int bring(struct cli *c, const char *path, bool by_itself)
{
	const char *what = "order accepted, and a leaf not brought";
	struct cli_leaf_file f = {.path = path};
	enum nl_err e = cli_read_file(path, NL_LEAF_MAX_SIZE, &f.bytes, &f.size);
	int result = NL_EXIT_OK;

	if (e == NL_EENVIRONMENT)
		return cli_fail(c, what, e, "cannot read %s: %s", path, strerror(errno));
	e = e ? e : nl_agent_verify(&c->agent, f.bytes, f.size, &f.report);
	if (e == NL_EPOLICY && by_itself && !waits(c))
		e = NL_NOTHING;
	if (e != NL_OK && e != NL_NOTHING)
		result = cli_fail_agent(c, what, e, &f);
	free(f.bytes);
	return result;
}

/* Behind its acceptance: its leaves, since nobody else may let them in, and its end. */
static int follow(struct cli *c, const struct nl_order *o, uint64_t from)
{
	bool by_itself = nl_order_commits(o) && o->flags & NL_ORDER_AGENTLESS;
	int result = NL_EXIT_OK;
	enum nl_err e;

	for (int i = 1; i < c->n_args && result == NL_EXIT_OK; i++)
		result = bring(c, c->args[i], by_itself);
	if (result != NL_EXIT_OK)
		return result;
	if (!by_itself)
		return NL_EXIT_OK;
	e = await(c, o, from);
	return e ? cli_fail(c, "order accepted, and not carried out", e, "newleaf log says what was in the way")
	         : NL_EXIT_OK;
}

static void tell(const struct cli *c, const struct nl_order *o, bool root)
{
	bool waits = nl_order_commits(o) && !(o->flags & NL_ORDER_AGENTLESS);
	static const char *const verbs[] = NL_ORDER_NAMES;
	const char *verb = o->what < NL_ORDER_VERBS ? verbs[o->what] : "?";

	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "carry", "ok");
		json_string(&j, "order", verb);
		json_bool(&j, "waiting", waits);
		json_end(&j);
	} else if (!c->quiet && !waits) {
		printf("order %s: accepted%s\n", verb,
		       root || !nl_order_commits(o) ? ", and done" : "; the hypervisor carries it out by itself");
	} else if (!c->quiet) {
		printf("order %s: accepted; its commit waits for a minute: newleaf %s, with exactly its leaves\n", verb,
		       verb);
	}
}

/* Who is not root asks as anybody, and is told nothing but that it was accepted. */
static enum nl_err carry(struct cli *c, const void *file, size_t size, bool root)
{
	if (root)
		return nl_agent_order(&c->agent, file, size);
	return anybody_carries(file, size);
}

int verb_carry(struct cli *c)
{
	const char *what = "order not carried out";
	bool root = !cli_uid();
	uint8_t *file;
	uint64_t from;
	size_t size;
	int result = root ? cli_open(c, what) : NL_EXIT_OK;
	enum nl_err e;

	if (result != NL_EXIT_OK)
		return result;
	e = cli_read_file(c->args[0], NL_ORDER_MAX_SIZE, &file, &size);
	if (e == NL_EENVIRONMENT)
		return cli_fail(c, what, e, "cannot read %s: %s", c->args[0], strerror(errno));
	if (e != NL_OK || size < sizeof(struct nl_order)) {
		free(file);
		return cli_fail(c, what, NL_EORDER, "%s has not the size of an order", c->args[0]);
	}
	if (root && ((const struct nl_order *)(const void *)file)->kind == NL_ORDER_STANDING) {
		result = carry_standing(c, file, size);
		free(file);
		return result;
	}
	from = root ? c->status.journal_newest + 1 : 0;
	e = carry(c, file, size, root);
	if (e != NL_OK)
		result = root ? cli_fail_agent(c, what, e, NULL)
		              : cli_fail(c, what, e, "it was not accepted, and only root is told why");
	else if (root)
		result = follow(c, (const struct nl_order *)(const void *)file, from);
	if (result == NL_EXIT_OK)
		tell(c, (const struct nl_order *)(const void *)file, root);
	free(file);
	return result;
}
