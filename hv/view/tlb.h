// SPDX-License-Identifier: Apache-2.0
/*
 * What a CPU must forget before it enters the guest again: the one decision about translation caches, in the words that
 * both vendors share. tests/unit/test_tlb.c holds it against a model of caches that keep everything until they are
 * told.
 *
 *          tags of a cached translation      NL_FLUSH_ROOT                   NL_FLUSH_GUEST
 *   VMX    VPID, PCID and EPT root           INVEPT single-context           INVEPT all-context and INVVPID all-context
 *   SVM    ASID alone                        as NL_FLUSH_GUEST               TLB_CONTROL = 3, or 1 without FlushByAsid
 *
 * (SDM vol. 3, 29.4; APM vol. 2, 15.16.) One VPID or ASID serves all generations: the guest's own INVLPG reaches only
 * the current one.
 */
#ifndef HV_TLB_H
#define HV_TLB_H

enum nl_flush_scope {
	NL_FLUSH_ROOT,  /* what was cached through the root that is being loaded, and where roots are no tag: everything
	                   of the guest */
	NL_FLUSH_GUEST, /* everything of the guest, through whichever root */
};

enum nl_flush_reason {
	NL_ROOT_LOADED, /* another root than at the last entry */
	NL_BASE_EDITED, /* tables that several views share were changed in place */
	NL_CPU_STARTED, /* the CPU has come under the hypervisor, or out of INIT: what it holds is from another life */
};

/* A loaded root is flushed even when its view is new: its page may have been a released view's root, and the pool does
 * not tell. */
static inline enum nl_flush_scope nl_flush_for(enum nl_flush_reason why)
{
	return why == NL_ROOT_LOADED ? NL_FLUSH_ROOT : NL_FLUSH_GUEST;
}

#endif
