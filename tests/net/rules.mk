# SPDX-License-Identifier: Apache-2.0
# The network's stack on the host: build/tests/net-host has lwIP's pools as the image has them, build/tests/net-strict
# takes each block from malloc, so that the address sanitizer sees its edges; build/tests/net-image runs the image
# itself. tests/net/run.py gives all three the same frames. In place of HTTP they have says.c, which repeats what it
# was told; the image with HTTP is run as well.
NET_HOST_FLAGS = -std=gnu11 -O1 -g $(UNIT_SANITIZE) -MMD -MP $(NET_INCLUDE) -DMEMP_OVERFLOW_CHECK=2 \
	-DMEM_OVERFLOW_CHECK=1
NET_STRICT_FLAGS = -std=gnu11 -O1 -g $(UNIT_SANITIZE) -MMD -MP $(NET_INCLUDE) -DMEMP_OVERFLOW_CHECK=0 \
	-DMEM_OVERFLOW_CHECK=0 -DMEM_LIBC_MALLOC=1 -DMEMP_MEM_MALLOC=1
NET_HOST_OWN := $(NET_FILES) tests/net/says.c tests/net/host.c tests/net/fake.c
NET_WRAP := -Wl,--wrap=memp_malloc,--wrap=memp_malloc_fn,--wrap=mem_malloc

define net_host # NAME FLAGS
$(B)/tests/$(1)-objects/%.c.o: %.c net/rules.mk tests/net/rules.mk $(LWIP_SRC)/.stamp
	@mkdir -p $$(@D)
	gcc $(CFLAGS_WARN) $$($(2)) -c -o $$@ $$<

$(B)/tests/$(1)-objects/lwip/%.o: net/rules.mk tests/net/rules.mk $(LWIP_SRC)/.stamp
	@mkdir -p $$(@D)
	gcc $$($(2)) -c -o $$@ $(LWIP_SRC)/src/$$*.c

$(B)/tests/$(1): $(NET_HOST_OWN:%=$(B)/tests/$(1)-objects/%.o) $(LWIP_FILES:%=$(B)/tests/$(1)-objects/lwip/%.o)
	gcc $$(UNIT_SANITIZE) $(NET_WRAP) -o $$@ $$^
endef
$(eval $(call net_host,net-host,NET_HOST_FLAGS))
$(eval $(call net_host,net-strict,NET_STRICT_FLAGS))

$(B)/tests/net-image: tests/net/image.c tests/net/fake.c net/call.h include/newleaf/net.h tests/net/fake.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -O1 -g $(CFLAGS_WARN) -Iinclude -o $@ $(filter %.c,$^)

$(B)/net/says.elf: $(NET_OBJS) $(B)/net/tests/net/says.c.o net/stack.lds
	$(NET_LINK)

.PHONY: check-net net-programs
net-programs: $(addprefix $(B)/tests/,net-host net-strict net-image) $(B)/net/says.bin $(NET_IMAGE)
check-net: net-programs ## the network's stack against a small client of the test's own
	@python3 tests/net/run.py $(B)
CHECKS += check-net
