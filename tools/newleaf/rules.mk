# SPDX-License-Identifier: Apache-2.0
# The `newleaf` command: one static binary for the guest and the admin.
ALL += $(B)/newleaf $(B)/newleaf.1 $(B)/newleaf-author.1 $(B)/newleaf-remote.1
NEWLEAF_PARTS := $(filter-out tools/newleaf/main.c tools/newleaf/manual.c,$(wildcard tools/newleaf/*.c))
NEWLEAF_OBJECTS := $(NEWLEAF_PARTS:%.c=$(B)/%.o)

$(B)/tools/newleaf/%.o: tools/newleaf/%.c tools/newleaf/rules.mk guest-agent/rules.mk
	@mkdir -p $(@D)
	$(USER_CC) $(USER_CFLAGS) -c -o $@ $<

$(B)/newleaf: $(B)/tools/newleaf/main.o $(NEWLEAF_OBJECTS) $(B)/libnewleaf-agent.a
	$(USER_CC) $(USER_LDFLAGS) -o $@ $^

# The man pages and the reference pages come from the same tables as the command's answers.
$(B)/newleaf-manual: $(B)/tools/newleaf/manual.o $(NEWLEAF_OBJECTS) $(B)/libnewleaf-agent.a
	$(USER_CC) $(USER_LDFLAGS) -o $@ $^

$(B)/newleaf.1: $(B)/newleaf-manual
	$< man > $@

$(B)/newleaf-author.1: $(B)/newleaf-manual
	$< author > $@

$(B)/newleaf-remote.1: $(B)/newleaf-manual
	$< remote > $@

.PHONY: man docs check-docs
man: $(B)/newleaf.1 $(B)/newleaf-author.1 $(B)/newleaf-remote.1 ## the man pages, from the commands' own tables

docs: $(B)/newleaf-manual ## write docs/reference/cli.md and errors.md from the command's own tables
	$< cli > docs/reference/cli.md
	$< errors > docs/reference/errors.md

CHECKS += check-docs
check-docs: $(B)/newleaf-manual
	@$< cli | cmp - docs/reference/cli.md || { echo "docs/reference/cli.md is stale: make docs"; exit 1; }
	@$< errors | cmp - docs/reference/errors.md || { echo "docs/reference/errors.md is stale: make docs"; exit 1; }
