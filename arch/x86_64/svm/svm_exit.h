/*
 * Between svm.c and exit.c.
 */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "svm.h"

void svm_exit(struct nl_cpu *cpu, struct vmcb *v); /* decodes, acts on what is SVM's own, hands the rest to hv_exit */
void svm_open_nmi(struct nl_cpu *cpu);  /* let the guest take an NMI natively */
void svm_close_nmi(struct nl_cpu *cpu);

#endif
