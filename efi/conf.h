// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf.conf: what the administrator may say on the (writable, unsigned) EFI system partition. The parser is pure C
 * and runs on the host under test. Not here: reading the file (files.c), and what it may say at all (policy.c).
 */
#pragma once

#include <newleaf/types.h>

#define NL_CONF_MAX_SIZE 65536u   /* bytes of the file */
#define NL_CONF_UNSAID UINT32_MAX /* whatever the image allows */

struct nl_conf {
	char next[256];         /* EFI program to start, with backslashes; empty = the default list */
	char options[2048];     /* its load options; empty = none */
	uint32_t halt_on_error; /* on-error halt */
	uint32_t no_launch;     /* launch no: boot the OS without Newleaf */
	uint32_t guest_may;     /* bits of enum nl_guest_may; NL_CONF_UNSAID */
	uint32_t deadline_ms;   /* 0 = unsaid */
	uint32_t console_port;  /* 0 = none */
	uint32_t boot_tries;    /* unfinished boots before the loader steps aside; 0 = do not count */
};

/* `error`: a known key with a malformed value; else a warning. `key` is NUL-terminated and printable. */
typedef void nl_conf_report(void *ctx, bool error, unsigned line, const char *key, const char *what);

void nl_conf_defaults(struct nl_conf *conf);

/* Parses all of text; reports as it goes. Returns the number of errors; malformed values leave the field as it was. */
unsigned nl_conf_parse(struct nl_conf *conf, const char *text, size_t len, nl_conf_report *report, void *ctx);
