# SPDX-License-Identifier: Apache-2.0
# newleaf.efi, with gnu-efi. CORE= and KEYS= choose what it carries; in a built image objcopy --update-section
# .nlkeys=FILE changes the keys (FILE as newleaf-author key image writes it), and .nlpol=FILE the policy.
EFI_LIB ?= /usr/lib
EFI_INC ?= /usr/include/efi
CORE ?= $(B)/core.bin
KEYS ?= $(wildcard $(B)/keys.bin)
EFI_CFLAGS = $(CFLAGS_COMMON) -Iarch/x86_64/include -Ihv -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64 \
	-DGNU_EFI_USE_MS_ABI -ffreestanding -fpic -fshort-wchar -fno-stack-protector -mno-red-zone -mgeneral-regs-only \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none
EFI_OBJS := $(patsubst efi/%,$(B)/efi/%.o,$(wildcard efi/*.c) efi/launch.S efi/sections.S) \
	$(B)/efi/view.c.o $(B)/efi/npt.c.o
ALL += $(B)/newleaf.efi

$(B)/efi/%.c.o: efi/%.c efi/rules.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -c -o $@ $<

$(B)/efi/view.c.o $(B)/efi/npt.c.o: $(B)/efi/%.o: hv/view/% efi/rules.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -c -o $@ $<

$(B)/efi/launch.S.o: efi/launch.S
	@mkdir -p $(@D)
	$(CC) -Iarch/x86_64/include -c -o $@ $<

# What is embedded is named in a file, so that another CORE= or KEYS= is noticed.
$(B)/efi/embedded: FORCE
	@mkdir -p $(@D)
	@echo '$(CORE) $(KEYS)' | cmp -s - $@ || echo '$(CORE) $(KEYS)' > $@

$(B)/efi/sections.S.o: efi/sections.S $(CORE) $(KEYS) $(B)/efi/embedded
	@mkdir -p $(@D)
	$(CC) -DNL_CORE_FILE='"$(CORE)"' $(if $(KEYS),-DNL_KEYS_FILE='"$(KEYS)"') -c -o $@ $<

$(B)/efi/newleaf.so: $(EFI_OBJS)
	ld -nostdlib -znocombreloc -shared -Bsymbolic -T $(EFI_LIB)/elf_x86_64_efi.lds -o $@ \
		$(EFI_LIB)/crt0-efi-x86_64.o $(EFI_OBJS) -L $(EFI_LIB) -lefi -lgnuefi
	@if nm -u $@ | grep .; then echo 'newleaf.efi: undefined symbols: see above' >&2; rm $@; exit 1; fi

$(B)/newleaf.efi: $(B)/efi/newleaf.so
	objcopy -S -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j '.rel*' -j '.rela*' \
		-j .reloc -j .core -j .nlkeys -j .nlpol -j .sbat --output-target pei-x86-64 --subsystem efi-app $< $@
	@$(if $(filter file,$(origin KEYS)),echo "newleaf.efi trusts $(if $(KEYS),$(KEYS) (the demo's key),\
		no key and takes no leaf); make KEYS=FILE for a machine" >&2)

.PHONY: efi FORCE
FORCE:
efi: $(B)/newleaf.efi ## build/newleaf.efi, the loader with the core in it
