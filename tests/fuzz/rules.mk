# SPDX-License-Identifier: Apache-2.0
# Fuzzing, by clang's libFuzzer. Not part of `make check`: it runs for FUZZ_SECONDS and keeps what it found in build/fuzz/.
FUZZ_SECONDS ?= 60

$(B)/fuzz/fuzz_leaf: tests/fuzz/fuzz_leaf.c hv/leaf/leaf.c hv/leaf/reloc.c hv/guest/target.c hv/guest/linux/target.c hv/leaf/leaf.h hv/leaf/reloc.h include/newleaf/leaf.h tests/fuzz/rules.mk
	@mkdir -p $(@D)/corpus
	clang -std=gnu11 -O1 -g $(CFLAGS_WARN) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude -Ihv -o $@ $(filter %.c,$^)

.PHONY: fuzz
fuzz: $(B)/fuzz/fuzz_leaf ## the leaf parser under libFuzzer for FUZZ_SECONDS (60)
	$(B)/fuzz/fuzz_leaf -max_len=8192 -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$(B)/fuzz/ $(B)/fuzz/corpus
