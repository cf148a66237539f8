// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf status --signed and --machine-key: what the hypervisor signs, fetched. It is not checked here, where nobody
 * outside could believe it: `newleaf verify-status` does that.
 */
#include "cli.h"
#include "text.h"

#include <errno.h>
#include <string.h>

static bool parse_nonce(const char *text, uint8_t nonce[32])
{
	if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
		return false;
	for (unsigned i = 0; i < 32; i++)
		if (sscanf(text + 2 * i, "%2hhx", &nonce[i]) != 1)
			return false;
	return true;
}

static bool write_out(const char *path, const void *p, size_t n)
{
	bool to_stdout = !strcmp(path, "-"), good;
	FILE *f = to_stdout ? stdout : fopen(path, "we");

	if (!f)
		return false;
	good = fwrite(p, n, 1, f) == 1 && !fflush(f);
	return (to_stdout || !fclose(f)) && good;
}

static void answer(const struct cli *c, const struct nl_witness *w, size_t n)
{
	struct json j = {.f = stdout};
	struct text t;

	if (c->json) {
		json_document(&j, "signed", "ok");
		json_bytes(&j, "machine_key", w->machine_key, sizeof(w->machine_key));
		json_bytes(&j, "machine_id", w->boot.machine_id, sizeof(w->boot.machine_id));
		json_uint(&j, "boot", w->boot.boots);
		json_string(&j, "file", c->out);
		json_uint(&j, "size_bytes", n);
		json_end(&j);
	} else if (c->given & OPT_MACHINE_KEY) {
		printf("%s\n", text_hex(&t, w->machine_key, sizeof(w->machine_key)));
	} else if (!c->quiet && strcmp(c->out, "-")) {
		printf("signed status of boot %u -> %s, %zu bytes\n", w->boot.boots, c->out, n);
	}
}

int status_signed(struct cli *c)
{
	const char *what = "no signed status";
	static union {
		struct nl_signed_status s;
		uint8_t bytes[NL_SIGNED_MAX_SIZE];
	} file;
	uint8_t nonce[32] = {0};
	enum nl_err e;
	size_t n;
	int result;

	if (c->given & OPT_MACHINE_KEY ? c->given & (OPT_SIGNED | OPT_NONCE | OPT_OUT)
	                               : !(c->given & OPT_SIGNED) || !c->nonce || !c->out)
		return cli_fail(c, what, NL_EUSAGE,
		                "--signed, --nonce and --out go together, --machine-key goes alone");
	if (c->nonce && !parse_nonce(c->nonce, nonce))
		return cli_fail(c, what, NL_EUSAGE, "--nonce wants 64 digits, not \"%s\"", c->nonce);
	if (c->json && c->out && !strcmp(c->out, "-"))
		return cli_fail(c, what, NL_EUSAGE, "the standard output is taken by --json");
	result = cli_open_locked(c, what); /* of two who ask at once each would make the other begin anew */
	if (result != NL_EXIT_OK)
		return result;
	e = nl_agent_signed(&c->agent, nonce, &file.s, &n);
	if (e != NL_OK)
		return cli_fail_agent(c, what, e, NULL);
	if (c->out && !write_out(c->out, file.bytes, n))
		return cli_fail(c, what, NL_EENVIRONMENT, "cannot write %s: %s", c->out, strerror(errno));
	answer(c, &file.s.witness, n);
	return NL_EXIT_OK;
}
