# SPDX-License-Identifier: Apache-2.0
# newleaf-author: the authoring companion, for the author's machine; shared libraries are fine there.
AUTHOR_SRC := $(wildcard tools/author/*.c) hv/leaf/leaf.c hv/leaf/order.c hv/guest/linux/target.c \
	hv/leaf/reloc.c hv/leaf/signature.c hv/core/sha256.c hv/core/sodium.c tools/newleaf/sha256.c \
	tools/newleaf/journal.c tools/newleaf/logfile.c efi/conf.c efi/netconf.c
AUTHOR_OBJ := $(AUTHOR_SRC:%.c=$(B)/author/%.o)
AUTHOR_LIBS := -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis -lcrypto

$(B)/author/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_COMMON) -Ihv -Itools/author $(CRYPTO_CFLAGS) -c -o $@ $<

$(B)/author/tools/author/compile.o: tools/author/prelude.h

.PHONY: author
author: $(B)/newleaf-author ## build/newleaf-author: makes, signs and examines leaves

$(AUTHOR_OBJ): $(SODIUM_SRC)/.stamp

$(B)/newleaf-author: $(AUTHOR_OBJ) $(SODIUM_HOST)
	$(CC) -o $@ $^ $(AUTHOR_LIBS)

ALL += $(B)/newleaf-author
