// SPDX-License-Identifier: Apache-2.0
/*
 * status --vex: an OpenVEX document (github.com/openvex/spec, 0.2.0) of the CVEs that applied leaves mitigate. A leaf
 * counts when it is applied and nothing weakens it: the hypervisor has just compared the bytes that run. Of one that is
 * known and does not count, the CVE is said to affect the machine.
 */
#include "facts.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

/* Debian's kernels say the version of their package at the end of uname -v: "... Debian 6.1.176-1 (2026-..)". */
static void product_of(char *out, size_t room)
{
	struct utsname u;
	char version[sizeof(u.version)] = "";
	const char *debian;

	if (uname(&u) != 0) {
		snprintf(out, room, "pkg:generic/linux");
		return;
	}
	debian = strstr(u.version, "Debian ");
	if (debian)
		snprintf(version, sizeof(version), "%.*s", (int)strcspn(debian + 7, " "), debian + 7);
	if (*version)
		snprintf(out, room, "pkg:deb/debian/linux-image-%s@%s", u.release, version);
	else
		snprintf(out, room, "pkg:generic/linux@%s", u.release);
	for (char *p = out; *p; p++) /* purl-spec: '+' is percent-encoded; no room for it in the name's few forms */
		if (*p == '+') {
			memmove(p + 3, p + 1, strlen(p + 1) + 1);
			memcpy(p, "%2B", 3);
		}
}

static bool counts(const struct nl_leaf_state *l) { return l->condition == NL_LEAF_APPLIED && l->note == NL_OK; }

static void statement(struct json *j, const struct nl_leaf_state *l, const char *cve, const char *product)
{
	struct text hash;
	char text[256];

	json_open(j, NULL, '{');
	json_open(j, "vulnerability", '{');
	json_string(j, "name", cve);
	json_close(j, '}');
	json_open(j, "products", '[');
	json_open(j, NULL, '{');
	json_string(j, "@id", product);
	json_open(j, "identifiers", '{');
	json_string(j, "purl", product);
	json_close(j, '}');
	json_close(j, '}');
	json_close(j, ']');
	if (counts(l)) {
		snprintf(text, sizeof(text),
		         "leaf %s version %u (SHA-256 %s) is applied since generation %" PRIu64
		         "; the hypervisor compared the bytes that run",
		         l->id, l->version, text_hex(&hash, l->sha256, 32), l->generation);
		json_string(j, "status", "not_affected");
		json_string(j, "justification", "inline_mitigations_already_exist");
		json_string(j, "impact_statement", text);
	} else {
		snprintf(text, sizeof(text), "newleaf apply %s, or install a fixed kernel", l->id);
		json_string(j, "status", "affected");
		json_string(j, "action_statement", text);
	}
	json_close(j, '}');
}

/* Does another leaf speak of the CVE with more right: an applied one, or the first of the others? */
static bool elsewhere(const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts, size_t n, size_t mine,
                      const struct nl_leaf_fact *cve)
{
	for (size_t i = 0; i < n; i++)
		for (const struct nl_leaf_fact *f = NULL; i != mine && (f = facts_next(&facts[i], f));)
			if (f->kind == NL_FACT_CVE && f->length == cve->length &&
			    !memcmp(f->text, cve->text, f->length) &&
			    (counts(&leaves[i]) != counts(&leaves[mine]) ? counts(&leaves[i]) : i < mine))
				return true;
	return false;
}

bool vex_has_any(const struct nl_leaf_facts *facts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (const struct nl_leaf_fact *f = NULL; (f = facts_next(&facts[i], f));)
			if (f->kind == NL_FACT_CVE)
				return true;
	return false;
}

void print_vex(const struct cli *c, const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts, size_t n)
{
	uint64_t now = text_wall(&c->status.boot, c->status.tsc_now);
	struct json j = {.f = stdout};
	char product[512], id[128];
	struct text t;

	if (c->product)
		snprintf(product, sizeof(product), "%s", c->product);
	else
		product_of(product, sizeof(product) / 3);
	snprintf(id, sizeof(id), "urn:newleaf:vex:%s:%" PRIu64,
	         text_hex(&t, c->status.boot.boot_id, sizeof(c->status.boot.boot_id)), c->status.generation);
	json_open(&j, NULL, '{');
	json_string(&j, "@context", "https://openvex.dev/ns/v0.2.0");
	json_string(&j, "@id", id);
	json_string(&j, "author", "Newleaf " CLI_VERSION);
	json_string(&j, "role", "hypervisor");
	json_time(&j, "timestamp", now);
	json_uint(&j, "version", c->status.generation + 1);
	json_open(&j, "statements", '[');
	for (size_t i = 0; i < n; i++)
		for (const struct nl_leaf_fact *f = NULL; (f = facts_next(&facts[i], f));)
			if (f->kind == NL_FACT_CVE && !elsewhere(leaves, facts, n, i, f)) {
				char cve[NL_FACT_MAX_LEN + 1];

				snprintf(cve, sizeof(cve), "%.*s", f->length, f->text);
				statement(&j, &leaves[i], cve, product);
			}
	json_close(&j, ']');
	json_end(&j);
}

static void label(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '"' || text[i] == '\\')
			putchar('\\');
		putchar(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
	}
}

void print_prometheus(const struct cli *c, const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts,
                      size_t n)
{
	printf("# HELP newleaf_cpus CPUs under the hypervisor.\n# TYPE newleaf_cpus gauge\nnewleaf_cpus %u\n",
	       c->status.cpus_running);
	printf("# HELP newleaf_generation Generation of the nested page tables.\n# TYPE newleaf_generation counter\n"
	       "newleaf_generation %" PRIu64 "\n",
	       c->status.generation);
	printf("# HELP newleaf_journal_entries Newest entry of the journal.\n# TYPE newleaf_journal_entries counter\n"
	       "newleaf_journal_entries %" PRIu64 "\n",
	       c->status.journal_newest);
	printf("# HELP newleaf_leaf_applied Is the leaf applied, with nothing that weakens it?\n"
	       "# TYPE newleaf_leaf_applied gauge\n");
	for (size_t i = 0; i < n; i++) {
		struct text t;

		printf("newleaf_leaf_applied{leaf=\"%s\",version=\"%u\",sha256=\"%s\"} %d\n", leaves[i].id,
		       leaves[i].version, text_hex(&t, leaves[i].sha256, 32), counts(&leaves[i]));
	}
	printf("# HELP newleaf_leaf_hits_total Calls of the leaf's functions, where it counts them.\n"
	       "# TYPE newleaf_leaf_hits_total counter\n");
	for (size_t i = 0; i < n; i++)
		if (leaves[i].counters)
			printf("newleaf_leaf_hits_total{leaf=\"%s\"} %" PRIu64 "\n", leaves[i].id, leaves[i].hits);
	printf("# HELP newleaf_cve_mitigated Is the CVE mitigated by the bytes that run?\n"
	       "# TYPE newleaf_cve_mitigated gauge\n");
	for (size_t i = 0; i < n; i++)
		for (const struct nl_leaf_fact *f = NULL; (f = facts_next(&facts[i], f));)
			if (f->kind == NL_FACT_CVE) {
				printf("newleaf_cve_mitigated{cve=\"");
				label(f->text, f->length);
				printf("\",leaf=\"%s\"} %d\n", leaves[i].id, counts(&leaves[i]));
			}
}
