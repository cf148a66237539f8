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
$(B)/tests/$(1)-objects/%.c.o: %.c tests/net/rules.mk $(NET_PORT)
	@mkdir -p $$(@D)
	gcc $(CFLAGS_WARN) $$($(2)) -c -o $$@ $$<

$(B)/tests/$(1)-objects/lwip/%.o: tests/net/rules.mk $(NET_PORT)
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

# For the fuzzer (tests/fuzz/fuzz_net.c): everything of the image in one object, blocks from the fuzzer's own malloc,
# no check sums, and variables in sections that it can put back.
NET_FUZZ := $(B)/fuzz/net-stack.o
NET_FUZZ_FLAGS = -std=gnu11 -O1 -g $(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link -fno-omit-frame-pointer -MMD -MP \
	$(NET_INCLUDE) -include tests/fuzz/net_memory.h -DMEMP_MEM_MALLOC=1 -DMEMP_OVERFLOW_CHECK=0 \
	-DMEM_OVERFLOW_CHECK=0 -DCHECKSUM_CHECK_IP=0 -DCHECKSUM_CHECK_TCP=0 -DCHECKSUM_CHECK_UDP=0 \
	-DCHECKSUM_CHECK_ICMP=0 -DCHECKSUM_CHECK_ICMP6=0
NET_FUZZ_OBJS := $(patsubst %,$(B)/fuzz/net/%.o,$(NET_FILES) $(NET_HTTP)) $(LWIP_FILES:%=$(B)/fuzz/net/lwip/%.o)

$(B)/fuzz/net/%.c.o: %.c tests/net/rules.mk $(NET_PORT)
	@mkdir -p $(@D)
	$(FUZZ_CLANG) $(NET_FUZZ_FLAGS) -c -o $@ $<

$(B)/fuzz/net/lwip/%.o: tests/net/rules.mk $(NET_PORT)
	@mkdir -p $(@D)
	$(FUZZ_CLANG) $(NET_FUZZ_FLAGS) -c -o $@ $(LWIP_SRC)/src/$*.c

$(B)/fuzz/net/net/http/page.c.o: net/http/page.html

$(NET_FUZZ): $(NET_FUZZ_OBJS)
	ld -r -o $@.all $^
	objcopy --rename-section .data=net_data,alloc,load,data,contents \
		--rename-section .bss=net_bss,alloc,load,data,contents $@.all $@

$(B)/fuzz/fuzz_net: $(NET_FUZZ)

.PHONY: net-broken
net-broken: net-programs ## break the network's stack in one place after the other: each must turn its test red
	python3 tests/net/broken.py $(B)
REVIEWS_FULL += net-broken
