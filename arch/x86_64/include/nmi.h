// SPDX-License-Identifier: Apache-2.0
/*
 * Kicks and NMIs, on both vendors alike: every NMI leaves the guest, and each that the core takes is either a kick of
 * ours or one to be given to the guest.
 */
#pragma once

#include "vendor.h"

/* Make a CPU (also this one) leave the guest soon. One is in flight at most; one that is not needed does no harm. */
void nmi_kick(struct nl_cpu *cpu);
/* An NMI has come to this CPU: cpu->nmi_pending says whether the guest is to get one. true: it was our kick, or our
 * network's. */
bool nmi_taken(struct nl_cpu *cpu);
