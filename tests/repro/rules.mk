# SPDX-License-Identifier: Apache-2.0
# Reproducers of fixes, for the guest: one static program.
REPRO := $(B)/repro
ALL += $(REPRO)

$(REPRO): tests/repro/repro.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) -D_GNU_SOURCE -MF $(B)/repro.d -static -s -o $@ $<
