// SPDX-License-Identifier: Apache-2.0
/*
 * `newleaf` run in this process on a fake hypervisor (fake_newleaf.h): what it said, and its JSON against the schemas.
 */
#ifndef TESTS_UNIT_CLI_FIXTURE_H
#define TESTS_UNIT_CLI_FIXTURE_H

#include "host.h"
#include <limits.h>
#include "cli.h"
#include "fake_newleaf.h"

extern char dir[];                                                 /* of files, and for the lock */
extern char path_a[PATH_MAX], path_b[PATH_MAX], path_a2[PATH_MAX]; /* leaves: alpha, beta, alpha again */
extern char out[1 << 16], err[1 << 16];                            /* what the command said */
extern struct fake *f;

#define newleaf(...) run((const char *[]){"newleaf", __VA_ARGS__, NULL})
int run(const char **args);

void slurp(const char *name, char *to, size_t size); /* a file of dir */

/* out[] is one JSON document for each line; each holds the schema. */
void assert_schema(const char *name);

#define assert_says(where, text) \
	do { \
		if (!strstr(where, text)) \
			fail_msg("\"%s\" is not in: %s", text, where); \
	} while (0)

int set_up_group(void **state);
int tear_down_group(void **state);
int set_up(void **state);

#endif
