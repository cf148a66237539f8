// SPDX-License-Identifier: Apache-2.0
/*
 * What the ways of newleaf log share: log.c reads the hypervisor's journal, logkeep.c puts it into a file, logverify.c
 * reads such a file.
 */
#ifndef NEWLEAF_LOG_H
#define NEWLEAF_LOG_H

#include "cli.h"
#include "journal.h"

/* Of entries that are asked for at once; and between two looks: the hypervisor has no way to wake a reader. */
#define LOG_BATCH (NL_CALL_MAX_BUFFER / sizeof(struct nl_journal_entry))
#define LOG_FOLLOW_NS 500000000ULL

/* A line or a document, or nothing with -q; wall: when it was, 0 = not known. */
void log_print(const struct cli *c, const struct nl_journal_entry *e, uint64_t wall);

int log_keep(struct cli *c);
int log_verify(struct cli *c);

#endif
