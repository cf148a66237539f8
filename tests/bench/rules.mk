# SPDX-License-Identifier: Apache-2.0
# Ways to patch, compared (docs/explanation/bench.md).
$(B)/bench/work: tests/bench/work.c tests/modules/bench/bench.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) -D_GNU_SOURCE -MF $@.d -static -s -o $@ $< -lpthread

# Starts Linux at the same instruction in every run.
$(B)/bench/steady.so: $(B)/guest/firmware/steady.c.o
	@mkdir -p $(@D)
	ld -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined -T $(GUEST_EFI_LIB)/elf_x86_64_efi.lds -o $@ \
		$(GUEST_EFI_LIB)/crt0-efi-x86_64.o $< -L$(GUEST_EFI_LIB) -lefi -lgnuefi

$(B)/bench/steady.efi: $(B)/bench/steady.so
	objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' -j .reloc \
		--target efi-app-x86_64 --subsystem=10 $< $@

ALL += $(B)/bench/work # also of the test blackout-failing

.PHONY: check-bench bench
check-bench: ## the statistics of the comparisons, campaigns that merge, and figures
	python3 tests/bench/test_bench.py && python3 tests/bench/test_report.py && python3 tests/bench/test_stale.py

CHECKS += check-bench

# The builds that scripts/test begins with come first.
bench: $(B)/bench/work $(B)/bench/steady.efi ## ways to patch compared in the same boots: 20 minutes; writes build/bench
	python3 tests/bench/bench.py icount --jobs 2
	python3 tests/bench/bench.py smp --jobs 2
	python3 tests/bench/bench.py ends --jobs 2 --units 3
	python3 tests/bench/report.py $(B)/bench/icount.json $(B)/bench/smp.json $(B)/bench/ends.json --out $(B)/bench
