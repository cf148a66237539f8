# SPDX-License-Identifier: Apache-2.0
# Newleaf. One fragment per room; `make help` lists what a developer does often.
.DEFAULT_GOAL := all
MAKEFLAGS += -rR
B ?= build
CC = gcc
CFLAGS_WARN = -Wall -Wextra -Wmissing-prototypes -Wshadow -Wundef -Werror
CFLAGS_COMMON = -std=gnu11 -O2 -g $(CFLAGS_WARN) -Iinclude -MMD -MP
ALL :=
CHECKS :=
REVIEWS :=
REVIEWS_FULL :=

# What tests say of themselves: `// libs: -lelf` at the top of tests/unit/test_X.c becomes $(says.test_X.libs). Read by
# one command for all of them, since make begins anew for each mutant; a bar stands for a space.
SAYS := $(shell awk 'FNR <= 20 && /^\/\/ [a-z]+: / { name = FILENAME; gsub(/.*\/|\.c$$/, "", name); key = $$2; \
	sub(/:$$/, "", key); sub(/^[^:]*: */, ""); gsub(/ +/, "|"); print name "." key "+=|" $$0 }' \
	$(wildcard tests/unit/test_*.c tests/fuzz/fuzz_*.c))
$(foreach line,$(SAYS),$(eval says.$(subst |, ,$(line))))

-include */rules.mk arch/x86_64/rules.mk tools/*/rules.mk tests/*/rules.mk

.PHONY: all help install clean check tcb
all: $(ALL) ## everything: build/newleaf.efi, build/newleaf, build/newleaf-author

check: $(CHECKS) ## host unit tests under ASan and UBSan

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile */rules.mk arch/*/rules.mk tools/*/rules.mk tests/*/rules.mk 2>/dev/null | \
		sort | awk -F ':.*## ' '{ printf "%-20s %s\n", $$1, $$2 }'

# Copies what is built and builds nothing: `sudo make install` without the KEYS= of the build would make another image.
PREFIX ?= /usr/local
install: ## put the commands, man pages, systemd units and lib/newleaf/newleaf.efi under $(DESTDIR)$(PREFIX)
	install -D -t $(DESTDIR)$(PREFIX)/sbin $(B)/newleaf
	install -D -t $(DESTDIR)$(PREFIX)/bin $(B)/newleaf-author $(B)/newleaf-remote
	install -D -t $(DESTDIR)$(PREFIX)/libexec/newleaf scripts/get-kernel
	install -m 644 -t $(DESTDIR)$(PREFIX)/libexec/newleaf scripts/kernels.table scripts/fixes.table
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(B)/newleaf.1 $(B)/newleaf-author.1 \
		$(B)/newleaf-remote.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/newleaf $(B)/newleaf.efi
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in alive sync log; do sed 's,@PREFIX@,$(PREFIX),' systemd/newleaf-$$unit.service | install -m 644 \
		/dev/stdin $(DESTDIR)$(PREFIX)/lib/systemd/system/newleaf-$$unit.service || exit 1; done

clean: ## remove build/
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
