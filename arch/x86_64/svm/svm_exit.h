// SPDX-License-Identifier: Apache-2.0
/*
 * Between svm.c, exit.c and nmi.c.
 */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "svm.h"

void svm_exit(struct nl_cpu *cpu, struct vmcb *v); /* decodes, acts on what is SVM's own, hands the rest to hv_exit */

extern bool svm_a20_gate; /* an emulator's: address line 20 can be switched off */

/* nmi.c */
void svm_open(struct nl_cpu *cpu, void (*with)(void)); /* run `with` (or nothing) with GIF open: what waits comes */
void svm_nmi_before_entry(struct nl_cpu *cpu);         /* the guest's, if one waits and may come */
void svm_nmi_reset(struct nl_cpu *cpu);                /* INIT: nothing waits, nothing is blocked */
void svm_iret(struct nl_cpu *cpu);                     /* an IRET is about to be executed while NMIs are blocked */
void svm_step_exception(struct nl_cpu *cpu, uint8_t vector);
void svm_undo_step(struct nl_cpu *cpu); /* before any event that the guest may see */

#endif
