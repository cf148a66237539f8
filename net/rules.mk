# SPDX-License-Identifier: Apache-2.0
# The stack that runs without privilege: lwIP from Debian's source package, our port of it, and HTTP. $(NET_IMAGE) is
# the flat image of include/newleaf/net.h. lwIP is compiled as it is, without our warnings; scripts/tcb and `make check`
# hold the image to its limits. $(NET_FILES) are the same in the host's build (tests/net/rules.mk).
LWIP_SRC := $(B)/lwip-src
NET_IMAGE := $(B)/net/stack.bin
LWIP_FILES := $(addprefix core/,def inet_chksum init ip mem memp netif pbuf tcp tcp_in tcp_out timeouts udp \
	ipv4/dhcp ipv4/etharp ipv4/icmp ipv4/ip4 ipv4/ip4_addr \
	ipv6/ethip6 ipv6/icmp6 ipv6/ip6 ipv6/ip6_addr ipv6/mld6 ipv6/nd6) netif/ethernet
# Found through lwIP's own headers, which are a system's: the compiler does not list them as what an object depends on.
NET_PORT := $(wildcard net/port/*.h net/port/arch/*.h) net/rules.mk $(LWIP_SRC)/.stamp
NET_HTTP := $(wildcard net/http/*.c)
NET_ONLY := net/call.c net/libc.c
NET_FILES := $(filter-out $(NET_ONLY),$(wildcard net/*.c net/port/*.c))
NET_INCLUDE := -Iinclude -Inet -Inet/port -isystem $(LWIP_SRC)/src/include
NET_PLAIN := -std=gnu11 -Os -g -ffreestanding -fno-pic -fno-pie -mcmodel=small -mgeneral-regs-only -mno-red-zone \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -ffunction-sections -fdata-sections \
	-fstack-protector-strong -mstack-protector-guard=global -MMD -MP $(NET_INCLUDE)
NET_OBJS := $(NET_ONLY:%=$(B)/net/%.o) $(NET_FILES:%=$(B)/net/%.o) $(LWIP_FILES:%=$(B)/net/lwip/%.o) \
	$(B)/net/start.S.o
NET_LINK = ld -nostdlib -static --gc-sections -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
	-T net/stack.lds -o $@ $(filter %.o,$^)
ALL += $(NET_IMAGE)

$(LWIP_SRC)/.stamp: scripts/get-lwip
	scripts/get-lwip $(LWIP_SRC)
	touch $@

# What moves every byte is not slowed by a stack protector, nor made of calls to itself.
$(B)/net/net/libc.c.o: NET_EXTRA := -fno-stack-protector -fno-builtin

$(B)/net/%.c.o: %.c $(NET_PORT)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_WARN) $(NET_PLAIN) $(NET_EXTRA) -c -o $@ $<

$(B)/net/lwip/%.o: $(NET_PORT)
	@mkdir -p $(@D)
	$(CC) $(NET_PLAIN) -c -o $@ $(LWIP_SRC)/src/$*.c

$(B)/net/start.S.o: net/start.S
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

$(B)/net/stack.elf: $(NET_OBJS) $(NET_HTTP:%=$(B)/net/%.o) net/stack.lds
	$(NET_LINK)

$(B)/net/%.bin: $(B)/net/%.elf
	objcopy -O binary -j .text -j .rodata -j .data \
		--pad-to $$(( 0x$$(nm $< | sed -n 's/ A image_size//p') + 0x400000 )) $< $@

.PHONY: net
net: $(NET_IMAGE) ## build/net/stack.bin, the unprivileged network stack
