// SPDX-License-Identifier: Apache-2.0
/*
 * commit(expected generation, set of leaves): make exactly this set applied, in one flip. One transaction at a time:
 * PREPARE builds the next generation beside the running one, some pages a call (NL_AGAIN: the same again); TRY freezes
 * and flips, ABANDON forgets.
 */
#pragma once

#include "core/core.h"
#include "vendor.h"
#include "view/current.h"

/* Takes over *base as the first generation. Arena frames must be mapped in it already. */
void nl_commit_init(const struct nl_view *base);

/* The CPU, in this context, is about to write LSTAR. If a new kernel begins by it (kexec, a crash kernel), its
 * predecessor's text is not there any more: folds all copies home and forgets the leaves. */
void nl_commit_kernel_gone(struct nl_cpu *cpu, const struct nl_context *ctx, uint64_t lstar);

/* The steps, by hypercall, with nl_generation_lock held. `report` is always filled. */
enum nl_err nl_commit_prepare(struct nl_cpu *self, const struct nl_context *ctx,
                              const struct nl_commit_request *request);
enum nl_err nl_commit_try(struct nl_cpu *self, const struct nl_context *ctx, struct nl_commit_report *report);
/* NL_NOTHING: nothing was prepared; the report is of a PREPARE that failed. */
enum nl_err nl_commit_abandon(struct nl_cpu *self, struct nl_commit_report *report);

/* A commit of the core's own, without an agent, on a CPU on its way into the guest, at any CPL: all steps in this one
 * call, with some tries and pauses between them. Whatever an agent has prepared is dropped, and it is told. NL_AGAIN:
 * somebody was in the way, who may go; the `last` time the answer is who. confirm_ms: as an order says that wants it.
 */
enum nl_err nl_commit_own(struct nl_cpu *self, const struct nl_context *ctx, uint32_t set, uint32_t confirm_ms,
                          bool last);

/*
 * A CPU at CPL 0 asks by CPUID: is it a tenant's hook, which tells of a module that comes or goes? Then the leaves that
 * name it follow, rax is the answer, and the guest goes on so many bytes behind the CPUID's beginning. 0: it is none,
 * or there is nobody to answer. module.c
 */
unsigned nl_commit_told(struct nl_cpu *self, const struct nl_context *ctx);

/* For module.c, which holds the lock: what is prepared is not true any more. TRY answers NL_ESTALE. */
void nl_commit_drop(void);
