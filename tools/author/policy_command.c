// SPDX-License-Identifier: Apache-2.0
/* `policy new|show`: the section .nlpol of an image (struct nl_policy, include/newleaf/bootblock.h). */
#include "author.h"
#include "commands.h"

#include <newleaf/bootblock.h>
#include <newleaf/order.h>
#include <newleaf/signature.h>

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* As efi/sections.S says them; check-policy compares. */
static const struct nl_policy built = {
        .guest_may = NL_GUEST_MAY_ALL,
        .deadline_ms = 10000,
        .security_version = 1,
        .proofs = NL_PROOF_PORT | NL_PROOF_TOKEN,
        .signatures = 1,
        .confirm_ms = 600000,
};

enum form { NUMBER, BITS, ONE };
static const struct {
	const char *name;
	size_t at;
	enum form form;
	uint32_t min, max;    /* of NUMBER */
	const char *words[4]; /* of BITS, from bit 0 on, and of ONE, from 0 on */
} fields[] = {
#define AT(field) offsetof(struct nl_policy, field)
        {"guest-may", AT(guest_may), BITS, 0, 0, {"apply", "revert", "confirm", "agentless"}},
        {"deadline-ms", AT(deadline_ms), NUMBER, 1, 10000, {0}},
        {"conf-may", AT(conf_may), BITS, 0, 0, {"options", "console"}},
        {"security-version", AT(security_version), NUMBER, 0, UINT32_MAX, {0}},
        {"proofs", AT(proofs), BITS, 0, 0, {"port", "token"}},
        {"signatures", AT(signatures), NUMBER, 1, NL_MAX_SIGNATURES, {0}},
        {"without-list", AT(without_list), ONE, 0, 0, {"no-leaf", "go-on", "no-launch"}},
        {"unpatched", AT(unpatched), ONE, 0, 0, {"let-in", "refuse"}},
        {"operators", AT(operators), NUMBER, 0, NL_MAX_SIGNATURES, {0}},
        {"order-may", AT(order_may), BITS, 0, 0, {"now", "standing", "keys", "agentless"}},
        {"confirm-ms", AT(confirm_ms), NUMBER, 0, NL_ORDER_MAX_CONFIRM_MS, {0}},
        {"net-may", AT(net_may), BITS, 0, 0, {"metrics", "read", "orders"}},
};

static uint32_t *value_of(struct nl_policy *p, size_t field)
{
	return (uint32_t *)(void *)((uint8_t *)p + fields[field].at);
}

static uint32_t word(size_t field, const char *text, size_t n)
{
	uint32_t i = 0;

	while (i < NL_ARRAY_SIZE(fields[0].words) && fields[field].words[i]) {
		if (strlen(fields[field].words[i]) == n && !memcmp(fields[field].words[i], text, n))
			return i;
		i++;
	}
	usage_error("policy", xformat("--%s does not know %.*s", fields[field].name, (int)n, text));
}

static void set(struct nl_policy *p, size_t field, const char *text)
{
	uint32_t *v = value_of(p, field);
	char *end = NULL;

	if (fields[field].form == NUMBER) {
		unsigned long long n = strtoull(text, &end, 10);

		if (*text < '0' || *text > '9' || *end || n < fields[field].min || n > fields[field].max)
			usage_error("policy", xformat("--%s takes a number from %u to %u", fields[field].name,
			                              fields[field].min, fields[field].max));
		*v = (uint32_t)n;
	} else if (fields[field].form == ONE) {
		*v = word(field, text, strlen(text));
	} else {
		for (*v = 0; strcmp(text, "none") && *text; text += *text == ',') {
			size_t n = strcspn(text, ",");

			*v |= 1u << word(field, text, n);
			text += n;
		}
	}
}

static void show_value(size_t field, uint32_t v)
{
	const char *between = "";

	printf("%-16s ", fields[field].name);
	if (fields[field].form == NUMBER)
		printf("%u", v);
	else if (fields[field].form == ONE)
		printf("%s",
		       v < NL_ARRAY_SIZE(fields[0].words) && fields[field].words[v] ? fields[field].words[v] : "?");
	else if (!v)
		printf("none");
	else
		for (uint32_t i = 0; i < 32; i++)
			if (v >> i & 1) {
				bool known = i < NL_ARRAY_SIZE(fields[0].words) && fields[field].words[i];

				printf("%s%s", between, known ? fields[field].words[i] : "?");
				between = ",";
			}
	printf("\n");
}

static int policy_show(const char *path)
{
	struct buf file = file_read(path, 4096);
	enum nl_err err = nl_record_check(NL_POLICY_KIND, file.p, file.n);
	struct nl_policy p = {0};
	size_t n;

	if (err)
		refuse(err, "%s is no policy that this version reads", path);
	n = ((const struct nl_record *)(const void *)file.p)->record_size;
	memcpy(&p, nl_record_at(file.p, 0), n < sizeof(p) ? n : sizeof(p));
	for (size_t i = 0; i < NL_ARRAY_SIZE(fields); i++)
		show_value(i, *value_of(&p, i));
	return NL_EXIT_OK;
}

static int policy_new(const struct nl_policy *p, const char *output)
{
	struct nl_record head = {NL_POLICY_MAGIC, 1, sizeof(head), sizeof(*p), 1};
	struct buf out = {0};

	if (p->order_may && !p->operators)
		usage_error("policy", "--order-may says nothing while --operators is 0");
	buf_add(&out, &head, sizeof(head));
	buf_add(&out, p, sizeof(*p));
	file_write(output, out.p, out.n, 0644);
	return NL_EXIT_OK;
}

int command_policy(int argc, char **argv)
{
	struct option options[NL_ARRAY_SIZE(fields) + 2] = {{"output", required_argument, NULL, 'o'}};
	struct nl_policy p = built;
	const char *output = NULL;
	bool said = false;
	int c;

	for (size_t i = 0; i < NL_ARRAY_SIZE(fields); i++)
		options[i + 1] = (struct option){fields[i].name, required_argument, NULL, 256 + (int)i};
	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'o') {
			output = optarg;
		} else if (c >= 256) {
			set(&p, (size_t)c - 256, optarg);
			said = true;
		} else {
			usage_error("policy", "an option is not understood");
		}
	}
	if (argc - optind == 1 && output && !strcmp(argv[optind], "new"))
		return policy_new(&p, output);
	if (argc - optind == 2 && !output && !said && !strcmp(argv[optind], "show"))
		return policy_show(argv[optind + 1]);
	usage_error("policy", "new -o FILE, or show FILE");
}
