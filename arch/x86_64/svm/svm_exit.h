// SPDX-License-Identifier: Apache-2.0
/*
 * Between svm.c and exit.c.
 */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "svm.h"

void svm_exit(struct nl_cpu *cpu, struct vmcb *v); /* decodes, acts on what is SVM's own, hands the rest to hv_exit */
void svm_open_nmi(struct nl_cpu *cpu);             /* let the guest take an NMI natively */
void svm_close_nmi(struct nl_cpu *cpu);

struct svm_nmi {
	bool taken; /* an NMI came */
	bool kick;  /* it was ours */
	bool guest; /* the guest's, or the hardware's: to be passed on */
};

/*
 * Run `with` (or nothing) with GIF open, so that what is pending reaches the core, and say what an NMI that came stood
 * for. The flags that say so are taken only when an NMI was seen: one that is still on its way keeps its meaning.
 */
void svm_take_pending(struct nl_cpu *cpu, void (*with)(void), struct svm_nmi *out);

#endif
