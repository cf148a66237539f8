// SPDX-License-Identifier: Apache-2.0
/* The core's own commits (commit/wish.h). */
#pragma once

#include "commit/wish.h"

/* For hv_before_entry, before nl_quiesce_answer: when nl_own_due says so, makes such a commit or tries to. Without the
 * lock. */
void nl_own_commit(struct nl_cpu *cpu);
