// SPDX-License-Identifier: Apache-2.0
/* Trying something that may be refused, without ending the command: a refusal ends a process, so it gets one of its
 * own. */
#ifndef NEWLEAF_AUTHOR_ATTEMPT_H
#define NEWLEAF_AUTHOR_ATTEMPT_H

#include "author.h"

struct attempt {
	int exit;   /* enum nl_exit: 0 = it was done */
	char *why;  /* the refusal's reason in one line; NULL = none was given */
	char *code; /* NL_E...; NULL = it ended in another way, and exit says how */
};

struct attempt attempt(void (*what)(const void *with), const void *with);

#endif
