// SPDX-License-Identifier: Apache-2.0
/*
 * commit(expected generation, set of leaves): make exactly this set applied, in one flip. One transaction at a time:
 * PREPARE builds the next generation beside the running one, TRY freezes and flips, ABANDON forgets.
 */
#ifndef HV_COMMIT_H
#define HV_COMMIT_H

#include "core/core.h"
#include "vendor.h"
#include "view/view.h"

/* Takes over *base as the first generation. From then on base edits are made on nl_base_edit_view(). Arena frames must
 * be mapped in it already. */
enum nl_err nl_commit_init(const struct nl_views *views, const struct nl_view *base);

/* The view every CPU must have loaded before it enters; NULL before nl_commit_init. The order of generations is that of
 * their numbers. */
const struct nl_view *nl_current_view(void);
struct nl_view *nl_base_edit_view(void);
const struct nl_views *nl_commit_views(void);

/* A new kernel wrote LSTAR (kexec): its predecessor's text is not there any more. Folds all copies home and forgets the
 * leaves. */
void nl_commit_kernel_gone(struct nl_cpu *cpu, const struct nl_context *ctx);

/* The four steps, by hypercall. Each takes the commit lock and answers NL_EBUSY when another CPU has it. `report` is
 * always filled. */
extern nl_lock_t nl_commit_lock;
enum nl_err nl_commit_prepare(const struct nl_context *ctx, const struct nl_commit_request *request);
enum nl_err nl_commit_try(struct nl_cpu *self, const struct nl_context *ctx, struct nl_commit_report *report);
enum nl_err nl_commit_abandon(
        struct nl_commit_report *report); /* NL_NOTHING: nothing was prepared; the report is of a PREPARE that failed */

/* A base edit of the running view, between commits: what was prepared from the view as it was is dropped. Flushing is
 * the caller's. */
enum nl_err nl_commit_edit_base(enum nl_err (*edit)(struct nl_view *view));

#endif
