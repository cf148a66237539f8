// SPDX-License-Identifier: Apache-2.0
/* SVM of the unit tests' CPU: see insn.h. */
#ifndef TESTS_UNIT_SEAM_SVM_INSN_H
#define TESTS_UNIT_SEAM_SVM_INSN_H

#include <newleaf/types.h>

void insn_clgi(void);
void insn_stgi(void);
void insn_vmload(uint64_t vmcb);
void insn_vmsave(uint64_t vmcb);

#endif
