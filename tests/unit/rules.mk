# SPDX-License-Identifier: Apache-2.0
# Host unit tests: every tests/unit/test_X.c becomes build/tests/test_X. Lines at the top of the file name what it is
# linked with:
#     // sources: hv/view/view.c hv/view/npt.c      files under test (not hv/core/string.c: the host has its own)
#     // libs: -lcrypto                   host libraries
#     // cflags: -DFOO                    whatever else the test itself needs
# host.c stands in for console and panic, seam/ for the CPU. `make check` runs all of them, `make check-X` one.
UNIT_TESTS := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
UNIT_OPTIMIZE := -O1 -g
UNIT_CFLAGS := -std=gnu11 $(UNIT_OPTIMIZE) $(CFLAGS_WARN) $(UNIT_SANITIZE) -Itests/unit/seam -Iinclude -Ihv \
	-Iarch/x86_64/include -Iarch/x86_64/vmx -Iarch/x86_64/svm -Itests/unit -MMD -MP
UNIT_HOST := tests/unit/host.c tests/unit/seam/seam.c
unit_says = $(says.test_$(1).$(2))
unit_object = $(B)/unit/$(1:.c=.o)
unit_objects = $(foreach f,$(1),$(call unit_object,$(f)))

$(B)/unit/%.o: %.c tests/unit/rules.mk
	@mkdir -p $(@D)
	gcc $(UNIT_CFLAGS) $(UNIT_EXTRA) -c -o $@ $<

define unit_test
$(B)/unit/tests/unit/test_$(1).o: UNIT_EXTRA := $(call unit_says,$(1),cflags)
$(B)/tests/test_$(1): $(call unit_objects,tests/unit/test_$(1).c $(UNIT_HOST) $(call unit_says,$(1),sources))
	@mkdir -p $$(@D)
	gcc $$(UNIT_SANITIZE) $$(UNIT_LINK) -o $$@ $$^ -lcmocka $(call unit_says,$(1),libs)
.PHONY: check-$(1)
check-$(1): $(B)/tests/test_$(1)
	$$<
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_test,$(t))))

.SECONDARY:
.PHONY: unit-tests
unit-tests: $(addprefix $(B)/tests/test_,$(UNIT_TESTS))

CHECKS += $(addprefix check-,$(UNIT_TESTS))

tcb: ## lines of the trusted base; fails when it is over its limit
	@scripts/tcb
