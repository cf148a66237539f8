# SPDX-License-Identifier: Apache-2.0
# The core: build/core.bin, a flat binary that the loader carries. Everything in hv/ and arch/ is compiled with
# CORE_CFLAGS.
-include hv/libsodium.mk arch/x86_64/vmx/vmx.mk

CORE_CFLAGS = $(CFLAGS_COMMON) -Ihv -Iarch/x86_64/include -Iarch/x86_64/svm -Iarch/x86_64/vmx -ffreestanding \
	-fno-stack-protector -mgeneral-regs-only -mno-red-zone \
	-fno-pic -mcmodel=kernel -fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none \
	$(NO_INDIRECT) $(CRYPTO_CFLAGS)
# No indirect branch that predicts: an ordinary user can train the predictor and make the core exit (CPUID), and the
# core maps all of memory.
THUNKS = $(if $(findstring clang,$(CC)),-mretpoline,-mindirect-branch=thunk-inline -mindirect-branch-register)
NO_INDIRECT = $(THUNKS) -fno-jump-tables
SVM_SRCS := $(addprefix arch/x86_64/svm/,svm.c exit.c nmi.c cell.c entry.S)
CORE_SRCS := $(wildcard hv/*.c hv/*/*.c hv/*/*/*.c hv/*/*.S arch/x86_64/*.c arch/x86_64/*.S) $(SVM_SRCS) $(VMX_SRCS)
CORE_OBJS := $(patsubst %,$(B)/core/%.o,$(CORE_SRCS))

$(B)/core/%.c.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) -c -o $@ $<

$(B)/core/%.S.o: %.S
	@mkdir -p $(@D)
	$(CC) -g -MMD -MP -Iarch/x86_64/include $(S_EXTRA) -c -o $@ $<

# The network's stack, which the core carries without trusting it (net/).
$(B)/core/hv/net/image.S.o: S_EXTRA = -DNET_IMAGE='"$(NET_IMAGE)"'
$(B)/core/hv/net/image.S.o: $(NET_IMAGE)

$(B)/core.elf: arch/x86_64/core.lds $(CORE_OBJS) $(CRYPTO_LIBS)
	ld -nostdlib -static --no-warn-rwx-segments -z max-page-size=4096 -T arch/x86_64/core.lds -o $@ \
		$(CORE_OBJS) $(CRYPTO_LIBS)

# The promise behind the guest's untouched FPU state: no SIMD or x87 register, no %fs access, and (an interrupt may come
# at any time) nothing below the stack pointer, anywhere in the core.
$(B)/core.bin: $(B)/core.elf
	@objdump -d --no-show-raw-insn $< | awk '/%(xmm|ymm|zmm|mm[0-7]|st\(|fs:)/ || \
		(/-0x[0-9a-f]+\(%rsp\)/ && !/ lea /) { print; bad = 1 } END { exit bad }' || \
		{ echo 'the core uses FPU, SIMD, %fs or the red zone: see above' >&2; exit 1; }
	objcopy -O binary $< $@
