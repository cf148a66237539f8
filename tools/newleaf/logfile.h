// SPDX-License-Identifier: Apache-2.0
/*
 * The journal in a file, over boots: a head (record.h), and entries as the hypervisor gave them, each with a checksum
 * of its own. Each goes down to the disk before the next one is written, so that a machine that loses its power leaves
 * no more than the last one half written: it is cut off, and asked for again. Whatever else is damaged stays, and is
 * named.
 */
#ifndef NEWLEAF_LOGFILE_H
#define NEWLEAF_LOGFILE_H

#include "journal.h"

#define LOGFILE_MAGIC 0x4c4e524a4c4eULL /* "NLJRNL" */
#define LOGFILE_KIND \
	(&(const struct nl_record_kind){LOGFILE_MAGIC, 1, sizeof(struct nl_record), sizeof(struct logfile_record), 0, \
	                                0})

struct logfile_record {
	struct nl_journal_entry entry;
	uint64_t checksum; /* nl_checksum() of it: against chance, as the chain is against malice */
};

struct logfile {
	uint64_t records; /* any may be damaged */
	uint64_t torn;    /* bytes behind them: half written */
};

/* `size` bytes of a file, 8-byte aligned. NL_ERECORD: it holds no journal, NL_ENEWER; *f is all zero then. */
enum nl_err logfile_read(const void *bytes, uint64_t size, struct logfile *f);
/* Entry i of f->records. False: damaged. */
bool logfile_entry(const void *bytes, uint64_t i, struct nl_journal_entry *e);
uint64_t logfile_size(uint64_t records); /* bytes of so many, with the head */

/* Behind so many records, down to the disk; or (false, with errno) not at all. */
bool logfile_append(int fd, uint64_t records, const struct nl_journal_entry *e);

#endif
