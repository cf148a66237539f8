// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf.conf: what the administrator may say on the (writable, unsigned) EFI system partition. The parser is pure C
 * and runs on the host under test. Not here: reading the file (files.c), and what it may say at all (policy.c).
 */
#pragma once

#include <newleaf/bootblock.h>

#include "net.h"

#define NL_CONF_MAX_SIZE 65536u   /* bytes of the file */
#define NL_CONF_UNSAID UINT32_MAX /* whatever the image allows */

struct nl_conf {
	char next[256];         /* EFI program to start, with backslashes; empty = the default list */
	char options[2048];     /* its load options; empty = none */
	uint32_t halt_on_error; /* on-error halt */
	uint32_t no_launch;     /* launch no: boot the OS without Newleaf */
	uint32_t guest_may;     /* bits of enum nl_guest_may; NL_CONF_UNSAID */
	uint32_t deadline_ms;   /* 0 = unsaid */
	uint32_t console;       /* 1 = com1 ...; 0 = none */
	uint32_t boot_tries;    /* unfinished boots before the loader steps aside; 0 = do not count */
	struct nl_net_conf net;
	uint32_t wrong;   /* the last line with a malformed value of a known key, or no text; 0 = none */
	uint32_t unknown; /* the last line with a key that is none */
};
#define NL_CONF_DEFAULTS \
	((struct nl_conf){.boot_tries = 2, .guest_may = NL_CONF_UNSAID, .net = {.port = 9947, .may = NL_CONF_UNSAID}})

/* Parses all of text, which has a NUL behind it and is used up; `wrong` values leave the field as it was. */
void nl_conf_parse(struct nl_conf *conf, char *text, size_t size);
