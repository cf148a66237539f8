# Load generator for the guest: one static program.
LOAD := $(B)/load
ALL += $(LOAD)

$(LOAD): tests/load/load.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) -D_GNU_SOURCE -MF $(B)/load.d -static -s -o $@ $< -lpthread
