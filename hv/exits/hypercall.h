// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's one way to ask for anything: include/newleaf/hypercall.h says what. The caller (hv/exits/exit.c) has
 * checked the proof of root, CPL 3 and the magic value, and steps over the instruction itself.
 */
#pragma once

#include "vendor.h"

void nl_status_now(struct nl_status *s); /* all but `proof`, which is the caller's */

/* Reads cpu->gprs, sets rax, rcx and r8. Nothing that the guest passes is believed. false, without a proof: this was no
 * order that is accepted; nothing was set, and there is no such instruction. */
bool nl_hypercall(struct nl_cpu *cpu, const struct nl_context *ctx, enum nl_proof proof);
