// SPDX-License-Identifier: Apache-2.0
/*
 * The small verbs that only look: explain, exits, console; and the word on what is not in this version.
 */
#include "cli.h"
#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <newleaf/bootblock.h>

static const char *const cause_labels[NL_CAUSES] = {
#define CAUSE_LABEL(name, label) [NL_CAUSE_##name] = label,
        NL_EXIT_CAUSES(CAUSE_LABEL)
#undef CAUSE_LABEL
};

static const struct cli_error *error_by_name(const char *s)
{
	char *end;
	unsigned long code = strtoul(s, &end, 10);

	for (size_t i = 0; i < cli_n_errors; i++) {
		const char *name = cli_errors[i].name;

		if (!strcasecmp(s, name) || !strcasecmp(s, name + 3) || (name[3] == 'E' && !strcasecmp(s, name + 4)))
			return &cli_errors[i];
		if (name[3] == 'E' && !strncasecmp(s, "NL_", 3) && !strcasecmp(s + 3, name + 4))
			return &cli_errors[i];
		if (isdigit((unsigned char)*s) && !*end && code == (unsigned long)cli_errors[i].code)
			return &cli_errors[i];
	}
	return NULL;
}

int verb_explain(struct cli *c)
{
	const struct cli_error *one = c->n_args ? error_by_name(c->args[0]) : NULL;
	struct json j = {.f = stdout};

	if (c->n_args && !one)
		return cli_fail(c, "nothing explained", NL_EUSAGE, "there is no error %s; newleaf explain lists them",
		                c->args[0]);
	if (c->json) {
		json_document(&j, "explain", "ok");
		json_open(&j, "errors", '[');
	}
	for (size_t i = 0; i < cli_n_errors; i++) {
		const struct cli_error *e = &cli_errors[i];

		if (one && e != one)
			continue;
		if (c->json) {
			json_open(&j, NULL, '{');
			json_string(&j, "code", e->name);
			json_uint(&j, "number", e->code);
			json_uint(&j, "exit", e->exit);
			json_string(&j, "what", e->what);
			json_string(&j, "next", e->next);
			json_close(&j, '}');
		} else if (one) {
			printf("%s (code %d, exit %d)\n  what  %s\n  next  %s\n", e->name, e->code, e->exit, e->what,
			       e->next);
		} else {
			printf("%-16s exit %-2d  %s\n", e->name, e->exit, e->what);
		}
	}
	if (c->json) {
		json_close(&j, ']');
		json_end(&j);
	}
	return NL_EXIT_OK;
}

static int read_exits(struct cli *c, struct nl_exit_counts *counts, uint32_t cpus)
{
	for (uint32_t i = 0; i < cpus; i++) {
		enum nl_err e = nl_agent_exits(&c->agent, i, &counts[i]);

		if (e == NL_EUSAGE) /* known to the firmware, never started: it has left no guest */
			memset(&counts[i], 0, sizeof(counts[i]));
		else if (e != NL_OK)
			return cli_fail_agent(c, "no exit counts", e, NULL);
	}
	return NL_EXIT_OK;
}

static void exits_json(const struct cli *c, const struct nl_exit_counts *counts, const double *seconds, uint32_t cpus)
{
	struct json j = {.f = stdout};

	json_document(&j, "exits", "ok");
	json_uint(&j, "interval_ns", c->interval_ns);
	json_open(&j, "cpus", '[');
	for (uint32_t i = 0; i < cpus; i++) {
		json_open(&j, NULL, '{');
		json_uint(&j, "cpu", i);
		json_open(&j, "count", '{');
		for (unsigned k = 0; k < NL_CAUSES; k++)
			json_uint(&j, cause_labels[k], counts[i].count[k]);
		json_close(&j, '}');
		if (seconds) {
			json_open(&j, "per_second", '{');
			for (unsigned k = 0; k < NL_CAUSES; k++)
				json_number(&j, cause_labels[k],
				            seconds[i] > 0 ? (double)counts[i].count[k] / seconds[i] : 0);
			json_close(&j, '}');
		}
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_end(&j);
}

static void exits_text(const struct nl_exit_counts *counts, const double *seconds, uint32_t cpus)
{
	printf("%-18s", seconds ? "EXITS/s" : "EXITS");
	for (uint32_t i = 0; i < cpus; i++)
		printf("  %9s%-3u", "CPU", i);
	putchar('\n');
	for (unsigned k = 0; k < NL_CAUSES; k++) {
		bool any = false;

		for (uint32_t i = 0; i < cpus; i++)
			any |= counts[i].count[k] != 0;
		if (!any)
			continue;
		printf("%-18s", cause_labels[k]);
		for (uint32_t i = 0; i < cpus; i++) {
			if (seconds)
				printf("  %12.2f", seconds[i] > 0 ? (double)counts[i].count[k] / seconds[i] : 0);
			else
				printf("  %12llu", (unsigned long long)counts[i].count[k]);
		}
		putchar('\n');
	}
}

int verb_exits(struct cli *c)
{
	static struct nl_exit_counts first[NL_MAX_CPUS], counts[NL_MAX_CPUS];
	double seconds[NL_MAX_CPUS] = {0};
	int result = cli_open(c, "no exit counts");
	uint32_t cpus = c->status.cpus_known;

	if (result == NL_EXIT_OK)
		result = read_exits(c, counts, cpus);
	if (result == NL_EXIT_OK && (c->given & OPT_INTERVAL)) {
		uint64_t begin = c->transport->now_ns(c->transport->ctx), now = begin;

		memcpy(first, counts, sizeof(first));
		while (now - begin < c->interval_ns && !cli_cancel) {
			c->transport->pause_ns(c->transport->ctx, c->interval_ns - (now - begin));
			now = c->transport->now_ns(c->transport->ctx);
		}
		result = read_exits(c, counts, cpus);
		for (uint32_t i = 0; i < cpus; i++) {
			for (unsigned k = 0; k < NL_CAUSES; k++)
				counts[i].count[k] -= first[i].count[k];
			seconds[i] = (double)(now - begin) / 1e9;
		}
	}
	if (result != NL_EXIT_OK)
		return result;
	if (c->json)
		exits_json(c, counts, c->given & OPT_INTERVAL ? seconds : NULL, cpus);
	else if (!c->quiet)
		exits_text(counts, c->given & OPT_INTERVAL ? seconds : NULL, cpus);
	return NL_EXIT_OK;
}

int verb_console(struct cli *c)
{
	char text[4096];
	uint64_t from = 0, next;
	size_t n = 1;
	struct json j = {.f = stdout};
	int result = cli_open(c, "no console");

	if (result != NL_EXIT_OK)
		return result;
	if (c->json) {
		json_document(&j, "console", "ok");
		json_open(&j, "text", '[');
	}
	while (n && !cli_cancel) {
		enum nl_err e = nl_agent_console(&c->agent, from, text, sizeof(text) - 1, &n, &next);

		if (e != NL_OK)
			return cli_fail_agent(c, "console not read to its end", e, NULL);
		for (size_t i = 0; i < n; i++)
			if (text[i] != '\n' && text[i] != '\t' && (text[i] < 0x20 || text[i] > 0x7e))
				text[i] = text[i] == '\r' ? ' ' : '?'; /* it goes to a terminal */
		text[n] = 0;
		if (c->json && n)
			json_string(&j, NULL, text);
		else if (!c->quiet)
			fwrite(text, 1, n, stdout);
		if (next <= from)
			break;
		from = next;
	}
	if (c->json) {
		json_close(&j, ']');
		json_end(&j);
	}
	return NL_EXIT_OK;
}

int verb_later(struct cli *c)
{
	return cli_fail(c, "nothing done", NL_EUNSUPPORTED, "newleaf %s (%s) is not in version %s. %s", c->verb->name,
	                c->verb->summary, CLI_VERSION, c->verb->more);
}
