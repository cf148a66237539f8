# SPDX-License-Identifier: Apache-2.0
# Programs that run inside a guest on Newleaf, as root, started by the runs on the emulators: static, so that a busybox
# initramfs holds them.
ALL += $(B)/guest/regs $(B)/guest/garbage $(B)/guest/token $(B)/guest/corpus $(B)/guest/first

$(B)/guest/first: USER_LDFLAGS += -nostartfiles

$(B)/guest/%: tests/guest-user/%.c $(B)/libnewleaf-agent.a tests/guest-user/rules.mk guest-agent/rules.mk
	@mkdir -p $(@D)
	$(USER_CC) $(USER_CFLAGS) $(USER_LDFLAGS) -o $@ $< $(B)/libnewleaf-agent.a
