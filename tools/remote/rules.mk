# SPDX-License-Identifier: Apache-2.0
# newleaf-remote, which newleaf --host calls. A program of its own: it wants libcurl, which the static command of the
# guest shall not have in it, and none of what newleaf-author wants for kernels. What both know of orders, statuses and
# keys is one code: objects of newleaf-author's build.
REMOTE_SRC := $(wildcard tools/remote/*.c)
REMOTE_SHARED := $(patsubst %,tools/author/%.c,author escape keys leafcheck leafcheck_target leaffile named order \
	refuse witness) hv/leaf/leaf.c hv/leaf/order.c hv/leaf/reloc.c hv/leaf/signature.c hv/guest/linux/target.c \
	hv/core/sha256.c hv/core/sodium.c tools/newleaf/sha256.c tools/newleaf/journal.c
REMOTE_OBJ := $(REMOTE_SRC:%.c=$(B)/author/%.o)

$(REMOTE_OBJ): $(SODIUM_SRC)/.stamp

$(B)/newleaf-remote: $(REMOTE_OBJ) $(REMOTE_SHARED:%.c=$(B)/author/%.o) $(SODIUM_HOST)
	$(CC) -o $@ $^ -pthread -lcurl -lcrypto

ALL += $(B)/newleaf-remote
