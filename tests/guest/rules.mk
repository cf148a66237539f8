# SPDX-License-Identifier: Apache-2.0
# The test kernel: build/guest/testkernel.efi, every .c and .S of this folder. `make testkernel` builds it,
# tests/guest/run boots it.
GUEST_CFLAGS = $(CFLAGS_COMMON) -Itests/guest -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 \
	-DGNU_EFI_USE_MS_ABI -ffreestanding -fpic -fshort-wchar -fno-stack-protector -fno-strict-aliasing \
	-fcf-protection=none -mgeneral-regs-only -mno-red-zone \
	-fno-asynchronous-unwind-tables -fno-builtin
GUEST_OBJS := $(patsubst tests/guest/%,$(B)/guest/%.o,$(wildcard tests/guest/*.c tests/guest/*.S))
GUEST_EFI_LIB := /usr/lib

$(B)/guest/%.c.o: tests/guest/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c -o $@ $<

$(B)/guest/%.S.o: tests/guest/%.S
	@mkdir -p $(@D)
	$(CC) -g -MMD -MP -Wa,-I$(B)/guest -c -o $@ $<

# The leaves that the test kernel applies to itself, and the key that they are signed with: a list of its own beside the
# loader, keys.bin, made once.
$(B)/guest/keys.bin: include/newleaf/bootblock.h | $(B)/newleaf-author
	@mkdir -p $(@D)
	rm -f $(B)/guest/test.pem $(B)/guest/test.pub
	$(B)/newleaf-author key new test -o $(B)/guest
	$(B)/newleaf-author key image $(B)/guest/test.pub -o $@

$(B)/guest/commit.leaf $(B)/guest/stand.leaf: $(B)/guest/%.leaf: $(B)/guest/leaf/%.c.o $(B)/guest/keys.bin
	objcopy -O binary -j .leaf $< $@.unsigned
	$(B)/newleaf-author sign $@.unsigned --key $(B)/guest/test.pem -o $@

$(B)/guest/commit_leaf.S.o: $(B)/guest/commit.leaf $(B)/guest/stand.leaf

# The litmus test's has bodies, and its strings stand behind them.
$(B)/guest/litmus.leaf: $(B)/guest/leaf/litmus.c.o $(B)/guest/leaf/litmus_body.S.o $(B)/guest/keys.bin
	objcopy -O binary -j .leaf $< $@.head
	objcopy -O binary -j .body $(B)/guest/leaf/litmus_body.S.o $@.body
	cat $@.head $@.body > $@.unsigned
	$(B)/newleaf-author sign $@.unsigned --key $(B)/guest/test.pem -o $@

$(B)/guest/litmus_text.S.o: $(B)/guest/litmus.leaf

# What a cell is made from.
$(B)/guest/cell.bin: $(B)/guest/cell/image.S.o tests/guest/cell/image.lds
	ld -nostdlib -static --no-warn-rwx-segments -T tests/guest/cell/image.lds -o $(@:.bin=.elf) $<
	objcopy -O binary $(@:.bin=.elf) $@

$(B)/guest/cell_image.S.o: $(B)/guest/cell.bin

$(B)/guest/testkernel.so: $(GUEST_OBJS)
	ld -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined -T $(GUEST_EFI_LIB)/elf_x86_64_efi.lds -o $@ \
		$(GUEST_EFI_LIB)/crt0-efi-x86_64.o $(GUEST_OBJS) -L$(GUEST_EFI_LIB) -lgnuefi

$(B)/guest/testkernel.efi: $(B)/guest/testkernel.so
	objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' -j .reloc \
		--target efi-app-x86_64 --subsystem=10 $< $@

.PHONY: testkernel
testkernel: $(B)/guest/testkernel.efi ## the test kernel, build/guest/testkernel.efi
ALL += $(B)/guest/testkernel.efi

# A firmware that is otherwise: build/guest/firmware.efi, which tests/guest/run --firmware puts before the loader.
$(B)/guest/firmware/%.c.o: GUEST_CFLAGS += -I$(EFI_INC)

$(B)/guest/firmware.so: $(B)/guest/firmware/mp.c.o
	ld -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined -T $(GUEST_EFI_LIB)/elf_x86_64_efi.lds -o $@ \
		$(GUEST_EFI_LIB)/crt0-efi-x86_64.o $< -L$(GUEST_EFI_LIB) -lefi -lgnuefi

$(B)/guest/firmware.efi: $(B)/guest/firmware.so
	objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' -j .reloc \
		--target efi-app-x86_64 --subsystem=10 $< $@
ALL += $(B)/guest/firmware.efi
