// SPDX-License-Identifier: Apache-2.0
/* VMX of the unit tests' CPU: see insn.h. */
#ifndef TESTS_UNIT_SEAM_VMX_INSN_H
#define TESTS_UNIT_SEAM_VMX_INSN_H

#include <newleaf/types.h>

bool insn_vmread(uint64_t field, uint64_t *value);
bool insn_vmwrite(uint64_t field, uint64_t value);
bool insn_vmxon(uint64_t pa);
bool insn_vmclear(uint64_t pa);
bool insn_vmptrld(uint64_t pa);
void insn_vmxoff(void);
void insn_iret(uint64_t cs, uint64_t ss);
bool insn_invept(uint64_t type, uint64_t first);
bool insn_invvpid(uint64_t type, uint64_t first);

#endif
