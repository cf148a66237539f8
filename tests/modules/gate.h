/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test's modules share: a gate where their code waits until the test opens it, and a book in which they write
 * what they saw. Both are kept by the module gate, which stays when the others go.
 */
#ifndef NEWLEAF_TEST_GATE_H
#define NEWLEAF_TEST_GATE_H

#include <linux/errno.h>

#define TOO_FAR 99         /* what each vulnerable function should refuse by -ERANGE, and answers by 0 */
#define KLP_ANSWER (-EDOM) /* by the kernel's own livepatch */

void gate_pass(const char *where);
void gate_say(const char *where, int answer);

#endif
