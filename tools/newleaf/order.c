// SPDX-License-Identifier: Apache-2.0
/* newleaf challenge and newleaf carry: the guest's part in an operator's order. Made and signed it is elsewhere. */
#include "cli.h"
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

static void tell(const struct cli *c, const struct nl_order *o)
{
	static const char *const verbs[] = NL_ORDER_NAMES;
	const char *verb = o->what < NL_ORDER_VERBS ? verbs[o->what] : "?";

	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "carry", "ok");
		json_string(&j, "order", verb);
		json_bool(&j, "waiting", nl_order_commits(o));
		json_end(&j);
	} else if (!c->quiet && !nl_order_commits(o)) {
		printf("order %s: accepted, and done\n", verb);
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
	return anybody_carries(file, size) ? NL_OK : NL_EROOT;
}

int verb_carry(struct cli *c)
{
	const char *what = "order not carried out";
	bool root = !cli_uid();
	uint8_t *file;
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
	e = carry(c, file, size, root);
	if (e == NL_OK)
		tell(c, (const struct nl_order *)(const void *)file);
	free(file);
	if (e != NL_OK && !root)
		return cli_fail(c, what, e, "it was not accepted, and only root is told why");
	return e == NL_OK ? NL_EXIT_OK : cli_fail_agent(c, what, e, NULL);
}
