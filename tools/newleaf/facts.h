// SPDX-License-Identifier: Apache-2.0
/* What authors say of the leaves, as signed, and the documents for scanners and monitors that are made of it. */
#ifndef NEWLEAF_FACTS_H
#define NEWLEAF_FACTS_H

#include "cli.h"

/* The fact behind that one, of records that came from the hypervisor; NULL: the first, and behind the last, and when
 * the rest makes no sense. */
const struct nl_leaf_fact *facts_next(const struct nl_leaf_facts *f, const struct nl_leaf_fact *before);

/* Of all leaves, in their order; returns NULL and sets *error when they cannot be had. To be freed. */
struct nl_leaf_facts *facts_read(struct cli *c, const struct nl_leaf_state *leaves, size_t n, enum nl_err *error);

/* The modules that a leaf names, and what is so in each since the leaf is on. */
uint32_t facts_modules(const struct nl_leaf_facts *facts);
const char *facts_module_state(const struct nl_leaf_facts *facts, uint32_t i);
/* A line for each that it changes; none for a leaf that is not on, of which nobody follows them. */
void facts_print_modules(const struct nl_leaf_state *l, const struct nl_leaf_facts *facts);

/* OpenVEX 0.2.0: which CVEs the bytes that run mitigate, and which they do not. Its schema wants one CVE at least. */
bool vex_has_any(const struct nl_leaf_facts *facts, size_t n);
void print_vex(const struct cli *c, const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts, size_t n);
/* The text format of Prometheus, for node_exporter's textfile collector. */
void print_prometheus(const struct cli *c, const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts,
                      size_t n);

#endif
