# SPDX-License-Identifier: Apache-2.0
# The guest agent library: built twice, by the guest's static compiler and (from source, by the unit tests) under the
# sanitizers. musl makes the smaller binary; glibc's static archive does as well.
USER_CC := $(or $(shell command -v musl-gcc),gcc)
USER_CFLAGS := $(CFLAGS_COMMON) -Iguest-agent -ffunction-sections -fdata-sections -fno-pie
USER_LDFLAGS := -static -no-pie -pthread -Wl,--gc-sections
AGENT_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard guest-agent/*.c))

$(B)/guest-agent/%.o: guest-agent/%.c guest-agent/rules.mk
	@mkdir -p $(@D)
	$(USER_CC) $(USER_CFLAGS) -c -o $@ $<

$(B)/libnewleaf-agent.a: $(AGENT_OBJECTS)
	rm -f $@
	ar rcs $@ $^

# The unit tests compile these too, each with the headers it lives among.
$(B)/unit/guest-agent/%.o $(B)/unit/tools/newleaf/%.o $(addprefix $(B)/unit/tests/unit/,fake_newleaf.o agent_fixture.o \
	cli_fixture.o): \
	UNIT_EXTRA := -Iguest-agent -Itools/newleaf
