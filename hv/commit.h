/*
 * commit(expected generation, set of leaves): make exactly this set applied, in one flip. Owns the generations, the registry of leaves and the
 * arena. One transaction at a time: PREPARE builds the next generation beside the running one, TRY freezes and flips, ABANDON forgets.
 */
#ifndef HV_COMMIT_H
#define HV_COMMIT_H

#include "view.h"
#include "vendor.h"

/* Takes over *base as the first generation. From then on base edits are made on nl_base_edit_view(). Arena frames must be mapped in it already. */
enum nl_err nl_commit_init(const struct nl_views *views, const struct nl_view *base);

/* The view every CPU must have loaded before it enters. Never NULL after nl_commit_init. */
const struct nl_view *nl_current_view(void);
struct nl_view *nl_base_edit_view(void);

/* A new kernel wrote LSTAR (kexec): its predecessor's text is not there any more. Forgets leaves and copies, back to home frames. */
void nl_commit_kernel_gone(void);

#endif
