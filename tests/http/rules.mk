# SPDX-License-Identifier: Apache-2.0
# The network's HTTP server over ordinary sockets, with a core that is none (fake.c): what its tests ask, and the
# client's.
HTTP_FILES := $(wildcard net/http/*.c) tests/http/fake.c tests/http/host.c
HTTP_OBJS := $(HTTP_FILES:%.c=$(B)/http/%.o)

$(B)/http/%.o: %.c tests/http/rules.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) $(UNIT_SANITIZE) -Inet -Inet/http -Itests/http -c -o $@ $<

# The page is in there as it is; no compiler says so.
$(B)/http/net/http/page.o $(B)/net/net/http/page.c.o $(B)/unit/net/http/page.o $(B)/fuzz/objects/net/http/page.o: \
	net/http/page.html

$(B)/tests/http-host: $(HTTP_OBJS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_SANITIZE) -o $@ $^ -lcrypto
