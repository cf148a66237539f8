// SPDX-License-Identifier: Apache-2.0
/*
 * What every unit test needs: cmocka with the headers it wants before it, and the host's stand-ins for console and
 * panic (host.c). nl_panic ends the test as a failed assertion, unless it is expected:
 * expect_panic(nl_pool_release(NULL)).
 */
#ifndef TESTS_UNIT_HOST_H
#define TESTS_UNIT_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/core.h"

#define expect_panic(call) expect_assert_failure(call)
extern const struct nl_core_header nl_core_header;
extern char host_last_panic[256]; /* the message of the last nl_panic */

/* Random numbers that are the same in every run; HOST_SEED in the environment chooses another sequence. */
void host_seed(uint64_t seed);
uint64_t host_random(void);
static inline uint64_t host_below(uint64_t n) { return host_random() % n; }

#endif
