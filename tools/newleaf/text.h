// SPDX-License-Identifier: Apache-2.0
/*
 * Figures as people read them, and a small JSON writer. Both know nothing of verbs.
 */
#ifndef NEWLEAF_TEXT_H
#define NEWLEAF_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <newleaf/bootblock.h>

/* Each returns its buffer, so that several fit in one printf. */
struct text {
	char s[160];
};
const char *text_ns(struct text *t, uint64_t ns);                        /* 214 us, 6.1 ms, 1.2 s */
const char *text_age(struct text *t, uint64_t ns);                       /* 41s, 2m, 3h, 5d */
const char *text_uptime(struct text *t, uint64_t ns);                    /* 3 min */
const char *text_count(struct text *t, uint32_t n);                      /* -: UINT32_MAX, not counted */
const char *text_bytes(struct text *t, uint64_t bytes);                  /* 412 B, 1.5 MiB */
const char *text_hex(struct text *t, const void *bytes, size_t n);       /* 0f1f44 */
const char *text_hex_brief(struct text *t, const void *bytes, size_t n); /* 3f9c..a1 */
const char *text_time(struct text *t, uint64_t unix_ns);                 /* RFC 3339, UTC, milliseconds */
uint64_t text_tsc_ns(uint64_t ticks, uint64_t hz);                       /* 0 if hz is unknown */
/* When the TSC stood so: nanoseconds since 1970, UTC. 0: the firmware's clock, or the TSC's rate, is not known. */
uint64_t text_wall(const struct nl_boot_facts *b, uint64_t tsc);

/* symbol.c: function+0x5, or the bare address where names are hidden. */
const char *text_symbol(struct text *t, uint64_t address);

struct json {
	FILE *f;
	bool comma;
};
void json_open(struct json *j, const char *key, char bracket); /* key NULL in arrays and at the top */
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value); /* NULL: null */
void json_uint(struct json *j, const char *key, uint64_t value);
void json_count(struct json *j, const char *key, uint32_t value); /* null if UINT32_MAX: not counted */
void json_bool(struct json *j, const char *key, bool value);
void json_address(struct json *j, const char *key, uint64_t value);            /* "0x..." */
void json_bytes(struct json *j, const char *key, const void *bytes, size_t n); /* hex; null if n is 0 */
void json_time(struct json *j, const char *key, uint64_t unix_ns);             /* null if 0 */
void json_number(struct json *j, const char *key, double value);
/* {"schema":"newleaf.X/1","result":"...": left open */
void json_document(struct json *j, const char *schema, const char *result);
void json_end(struct json *j); /* } and newline */

#endif
