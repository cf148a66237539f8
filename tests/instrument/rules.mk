# SPDX-License-Identifier: Apache-2.0
# A second build of the core, from the same files: build/instrument/newleaf.efi. Functions that single files call are
# renamed there, and what is in this folder stands in their place (litmus.c, races.c). The product is built without it
# and is byte-identical with and without.
I := $(B)/instrument
LOOKING := hv/guest/guestmem.c hv/guest/guest.c $(patsubst %,hv/guest/linux/%.c,tasks held hidden) \
	hv/commit/window.c hv/commit/plan.c hv/leaf/registry.c
STEPPING := hv/commit/commit.c hv/commit/module.c hv/commit/gone.c hv/commit/quiesce.c hv/exits/exit.c
INSTRUMENTED := $(LOOKING) $(STEPPING) hv/guest/linux/kernel.c hv/main.c hv/exits/hypercall.c hv/view/base.c
INSTRUMENT_SRCS := $(wildcard tests/instrument/*.c)
INSTRUMENT_OBJS := $(patsubst %,$(B)/core/%.o,$(filter-out $(INSTRUMENTED),$(CORE_SRCS))) \
	$(patsubst %,$(I)/%.o,$(INSTRUMENTED) $(INSTRUMENT_SRCS))

STEP := -Dnl_step=race_step
LOOK := -include tests/instrument/fails.h
$(patsubst %,$(I)/%.o,$(LOOKING)): RENAMES = $(LOOK)
$(I)/hv/commit/commit.c.o: RENAMES = $(STEP) -Dnl_pool_page=race_pool_page \
	-Dnl_freeze=lit_freeze -Dnl_thaw=lit_thaw -Dnl_publish_view=lit_publish_view
$(I)/hv/commit/module.c.o: RENAMES = $(STEP) $(LOOK)
$(I)/hv/commit/gone.c.o: RENAMES = $(STEP)
$(I)/hv/commit/quiesce.c.o: RENAMES = $(STEP) -include tests/instrument/answers.h
$(I)/hv/guest/linux/kernel.c.o: RENAMES = -Dnl_linux_scan=lit_scan
$(I)/hv/view/base.c.o: RENAMES = -Dnl_pool_tables=race_pool_tables
$(I)/hv/exits/exit.c.o: RENAMES = $(STEP) -Dnl_current_view=lit_current_view -Dhv_exit=lit_core_exit \
	-Dnl_hypercall=race_hypercall -Dnl_commit_told=race_told -Dapic_deliver_init=dead_deliver_init
# What it says it is, on the console and to `newleaf status`.
$(I)/hv/main.c.o $(I)/hv/exits/hypercall.c.o: RENAMES = -include tests/instrument/version.h \
	-Dnl_net_hide=echo_net_hide -Dnl_net_init=echo_net_init

$(I)/%.c.o: %.c tests/instrument/rules.mk
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(RENAMES) -c -o $@ $<

$(I)/core.bin: arch/x86_64/core.lds $(INSTRUMENT_OBJS) $(CRYPTO_LIBS)
	ld -nostdlib -static --no-warn-rwx-segments -z max-page-size=4096 -T arch/x86_64/core.lds -o $(I)/core.elf \
		$(INSTRUMENT_OBJS) $(CRYPTO_LIBS)
	objcopy -O binary $(I)/core.elf $@

# It is no product, also where somebody signs it by mistake: .sbat, without which shim starts nothing, is left out, and
# its security version is below the floor of each machine that has launched a product under Secure Boot.
$(I)/sections.S: efi/sections.S tests/instrument/rules.mk
	@mkdir -p $(@D)
	sed 's|\.long [0-9]* \(/\* security_version:\)|.long 0 \1|' $< > $@

$(I)/sections.S.o: $(I)/sections.S $(I)/core.bin $(KEYS) $(B)/efi/embedded
	$(CC) -DNL_CORE_FILE='"$(I)/core.bin"' $(if $(KEYS),-DNL_KEYS_FILE='"$(KEYS)"') -c -o $@ $<

$(I)/newleaf.so: $(filter-out $(B)/efi/sections.S.o,$(EFI_OBJS)) $(I)/sections.S.o
	ld -nostdlib -znocombreloc -shared -Bsymbolic -T $(EFI_LIB)/elf_x86_64_efi.lds -o $@ \
		$(EFI_LIB)/crt0-efi-x86_64.o $^ -L $(EFI_LIB) -lefi -lgnuefi

$(I)/newleaf.efi: $(I)/newleaf.so
	objcopy -S -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j '.rel*' -j '.rela*' \
		-j .reloc -j .core -j .nlkeys -j .nlpol --output-target pei-x86-64 --subsystem efi-app $< $@

.PHONY: check-instrument
check-instrument: $(B)/newleaf.efi $(I)/newleaf.efi ## the instrument cannot be started by shim, nor pass for a product
	tests/instrument/apart $^

CHECKS += check-instrument

.PHONY: instrument
instrument: $(I)/newleaf.efi ## build/instrument/newleaf.efi, which can do without its freeze, to show what it is for
ALL += $(I)/newleaf.efi
