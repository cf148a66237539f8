# SPDX-License-Identifier: Apache-2.0
# The network's HTTP server over ordinary sockets, with a core that is none (fake.c): what its tests ask, and the
# client's; and its tests.
HTTP_FILES := $(wildcard net/http/*.c) tests/http/fake.c tests/http/sign.c tests/http/alone.c
http_objs = $(patsubst %.c,$(B)/http/%.o,$(HTTP_FILES) $(1))

$(B)/http/%.o: %.c tests/http/rules.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) $(UNIT_SANITIZE) -c -o $@ $<

# The page is in there as it is; no compiler says so.
$(foreach o,http/net/http/page.o net/net/http/page.c.o fuzz/objects/net/http/page.o unit/net/http/page.o,$(B)/$(o)): \
	net/http/page.html

$(B)/tests/http-host: $(call http_objs,tests/http/host.c)
	@mkdir -p $(@D)
	$(CC) $(UNIT_SANITIZE) -o $@ $^ -lcrypto

# HTTP and lwIP with the same core, from the sources and flags of tests/net/rules.mk.
$(B)/tests/net-core: $(patsubst %,$(B)/tests/net-host-objects/%.o,$(NET_FILES) $(NET_HTTP) tests/net/fake.c \
		tests/http/whole.c tests/http/fake.c tests/http/sign.c $(LWIP_FILES:%=lwip/%))
	@mkdir -p $(@D)
	$(CC) $(UNIT_SANITIZE) -o $@ $^ -lcrypto

.PHONY: check-http-policy
check-http-policy: ## the page's Content-Security-Policy knows its script and its style
	net/http/policy | cmp - net/http/page.h

.PHONY: check-http-spec
check-http-spec: $(B)/tests/http-host ## the same over sockets: each answer is as docs/reference/openapi.yaml says
	tests/http/check.py

.PHONY: check-http-whole
check-http-whole: $(B)/tests/net-core ## HTTP over lwIP: long answers, a leaf's file, clients that stop in the middle
	tests/http/whole.py

CHECKS += check-http-spec check-http-policy check-http-whole

.PHONY: check-http-page
check-http-page: $(B)/tests/http-host ## the page in a browser, if there is Debian's chromium
	tests/http/page.py

REVIEWS_FULL += check-http-page
