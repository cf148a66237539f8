# SPDX-License-Identifier: Apache-2.0
# Intel VMX with EPT; included by arch/x86_64/rules.mk, which compiles and links CORE_SRCS.
VMX_SRCS := $(addprefix arch/x86_64/vmx/,caps.c cell.c ept.c exit.c nl_vmx.c nmi.c state.c vmcs.c entry.S)
