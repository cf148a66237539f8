// SPDX-License-Identifier: Apache-2.0
/*
 * The instructions of SVM, one inline function each; VMRUN is in entry.S (svm_enter).
 */
#pragma once

#include <newleaf/types.h>

static inline void insn_clgi(void) { __asm__ volatile("clgi" ::: "memory"); }
/* what is pending comes before it returns */
static inline void insn_stgi(void) { __asm__ volatile("stgi; nop" ::: "memory"); }
static inline void insn_vmload(uint64_t vmcb) { __asm__ volatile("vmload %0" ::"a"(vmcb) : "memory"); }
static inline void insn_vmsave(uint64_t vmcb) { __asm__ volatile("vmsave %0" ::"a"(vmcb) : "memory"); }
