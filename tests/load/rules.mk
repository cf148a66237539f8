# SPDX-License-Identifier: Apache-2.0
# Programs that the real-guest tests run inside the guest: static, one file each but for broad.
LOAD := $(B)/load $(B)/facts $(B)/jumplabels $(B)/sleepers $(B)/pagetables $(B)/broad $(B)/reach $(B)/moduletime \
	$(B)/filler $(B)/blackout $(B)/kexecute $(B)/fentry $(B)/barrier $(B)/hog $(B)/races
ALL += $(LOAD)

$(B)/broad: $(wildcard tests/load/broad_*.c) tests/load/broad.h
$(LOAD): $(B)/%: tests/load/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) -D_GNU_SOURCE -MF $@.d -static -s -o $@ $(filter %.c,$^) -lpthread
