# SPDX-License-Identifier: Apache-2.0
# Programs that the real-guest tests run inside the guest: static, one file each.
LOAD := $(B)/load $(B)/facts $(B)/jumplabels $(B)/sleepers $(B)/pagetables $(B)/broad $(B)/reach
ALL += $(LOAD)

$(LOAD): $(B)/%: tests/load/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) -D_GNU_SOURCE -MF $@.d -static -s -o $@ $< -lpthread
