# SPDX-License-Identifier: Apache-2.0
# Fuzzing, by clang's libFuzzer. Every tests/fuzz/fuzz_X.c becomes build/fuzz/fuzz_X; lines at its top name what it is
# linked with, as in tests/unit/rules.mk:
#     // sources: hv/leaf/leaf.c        the product's own files
#     // libs: -lelf
#     // length: 8192                   of the longest input
#     // quick: 10000                   inputs that the checks try: a second or so
#     // reader: leaf                   reads what strangers write: scripts/test gives it 10 seconds
# `make fuzz` runs each for FUZZ_SECONDS, one after another, `make fuzz-X` one. Corpora grow in build/fuzz/corpus/X from
# seeds that the target makes; what was found lies in build/fuzz/X-*. The checks try the same few inputs each time,
# and scripts/test others each time.
FUZZ_SECONDS ?= 60
FUZZ_CLANG ?= clang
# A real kernel adds seeds: one that scripts/get-kernel has fetched, if any.
FUZZ_CACHE := $(or $(NEWLEAF_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/newleaf)
FUZZ_KERNEL ?= $(lastword $(sort $(wildcard $(FUZZ_CACHE)/kernels/*/boot/vmlinuz-*)))
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_PLAIN := -std=gnu11 -O2 -g $(CFLAGS_WARN) -fno-omit-frame-pointer -MMD -MP -Itests/unit/seam -Iinclude -Ihv \
	-Iarch/x86_64/include -Itests/unit -Itests/fuzz -Itools/author -Iefi
FUZZ_CFLAGS := $(FUZZ_PLAIN) -O1 $(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link
fuzz_object = $(B)/fuzz/objects/$(1:.c=.o)
fuzz_says = $(says.fuzz_$(1).$(2))

$(B)/fuzz/objects/%.o: %.c tests/fuzz/rules.mk
	@mkdir -p $(@D)
	$(FUZZ_CLANG) $(FUZZ_CFLAGS) -c -o $@ $<

# Oracles and fakes are not under test: no way through them is worth a new input, and they shall be quick.
$(B)/fuzz/objects/tests/unit/%.o: tests/unit/%.c tests/fuzz/rules.mk
	@mkdir -p $(@D)
	$(FUZZ_CLANG) $(FUZZ_PLAIN) -c -o $@ $<

define fuzz_target
$(B)/fuzz/fuzz_$(1): $(foreach f,tests/fuzz/fuzz_$(1).c tests/fuzz/fuzz.c $(call fuzz_says,$(1),sources), \
		$(call fuzz_object,$(f)))
	$(FUZZ_CLANG) $(FUZZ_SANITIZE) -fsanitize=fuzzer -o $$@ $$^ $(call fuzz_says,$(1),libs)

.PHONY: fuzz-$(1) fuzz-quick-$(1)
fuzz-$(1): $(B)/fuzz/fuzz_$(1)
	FUZZ_KERNEL=$(FUZZ_KERNEL) tests/fuzz/run $$< $$(FUZZ_SECONDS) $(call fuzz_says,$(1),length)
fuzz-quick-$(1): $(B)/fuzz/fuzz_$(1)
	@tests/fuzz/run --quick $$< $(call fuzz_says,$(1),quick) $(call fuzz_says,$(1),length)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_target,$(t))))

FUZZ_READERS := $(foreach t,$(FUZZ_TARGETS),$(if $(call fuzz_says,$(t),reader),$(t)))

.PHONY: fuzz fuzzers check-fuzz fuzz-readers
fuzz: $(addprefix fuzz-,$(FUZZ_TARGETS)) ## every fuzz target under libFuzzer for FUZZ_SECONDS (60)
fuzzers: $(addprefix $(B)/fuzz/fuzz_,$(FUZZ_TARGETS))
check-fuzz: $(addprefix fuzz-quick-,$(FUZZ_TARGETS)) ## every fuzz target with a few thousand inputs
fuzz-readers: FUZZ_SECONDS = 6
fuzz-readers: $(addprefix fuzz-,$(FUZZ_READERS)) ## those that read what strangers write, for FUZZ_SECONDS (6)

CHECKS += check-fuzz
REVIEWS += fuzz-readers
