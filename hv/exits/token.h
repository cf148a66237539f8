// SPDX-License-Identifier: Apache-2.0
/*
 * The second proof of root, where lockdown closes the ports: a token that the guest's kernel reads from a private MSR
 * for a holder of CAP_SYS_RAWIO, and that user mode presents once (include/newleaf/hypercall.h).
 */
#pragma once

#include "vendor.h"

/* A new token for this CPU; the one before is void. false: policy or machine have none, the MSR does not exist. */
bool nl_token_make(struct nl_cpu *cpu, uint64_t *token);
/* Was it this CPU's, in time, for this kernel, and never spent? A wrong one is counted and changes nothing else. */
bool nl_token_spend(struct nl_cpu *cpu, uint64_t token);
void nl_tokens_forget(void); /* another kernel begins: all that are out are void */
