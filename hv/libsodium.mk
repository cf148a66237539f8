# SPDX-License-Identifier: Apache-2.0
# What libsodium has of Ed25519, SHA-512 and SHA-256 (portable code), from Debian's source package with the
# core's own flags: the packaged library uses SSE, the red zone and the stack protector. Of each file only what these
# need is kept. $(SODIUM_HOST) is the same for unit tests. What the library wants from its other files is in
# hv/leaf/signature.c. Debian's patch to that version (CVE-2025-69277) is to a function that is not among these.
SODIUM_SRC := $(B)/libsodium-src
SODIUM_CORE := $(B)/libsodium-core.o
SODIUM_HOST := $(B)/libsodium-host.o
CRYPTO_CFLAGS := -isystem $(SODIUM_SRC)/src/libsodium/include/sodium
CRYPTO_LIBS := $(SODIUM_CORE)
SODIUM_FILES := crypto_core/ed25519/ref10/ed25519_ref10 crypto_hash/sha256/cp/hash_sha256_cp \
	crypto_hash/sha512/cp/hash_sha512_cp crypto_sign/ed25519/ref10/keypair crypto_sign/ed25519/ref10/open \
	crypto_sign/ed25519/ref10/sign crypto_verify/sodium/verify
SODIUM_KEEP := crypto_sign_ed25519_verify_detached crypto_hash_sha256 crypto_hash_sha256_init \
	crypto_hash_sha256_update crypto_hash_sha256_final crypto_sign_ed25519_detached \
	crypto_sign_ed25519_seed_keypair
SODIUM_FLAGS := -std=gnu11 -O2 -g -ffunction-sections -fdata-sections -fno-strict-aliasing -DCONFIGURED=1 \
	-DHAVE_TI_MODE=1 -DNATIVE_LITTLE_ENDIAN=1 -I$(SODIUM_SRC)/src/libsodium/include/sodium \
	-I$(SODIUM_SRC)/src/libsodium/crypto_sign/ed25519/ref10
SODIUM_CORE_FLAGS = $(SODIUM_FLAGS) -ffreestanding -fno-stack-protector -mgeneral-regs-only -mno-red-zone -fno-pic \
	-mcmodel=kernel -fno-asynchronous-unwind-tables -fcf-protection=none $(NO_INDIRECT)

$(SODIUM_SRC)/.stamp: scripts/get-libsodium
	scripts/get-libsodium $(SODIUM_SRC)
	touch $@

$(B)/libsodium-core/%.o: $(SODIUM_SRC)/.stamp hv/libsodium.mk
	@mkdir -p $(@D)
	$(CC) $(SODIUM_CORE_FLAGS) -c $(SODIUM_SRC)/src/libsodium/$*.c -o $@

$(B)/libsodium-host/%.o: $(SODIUM_SRC)/.stamp hv/libsodium.mk
	@mkdir -p $(@D)
	$(CC) $(SODIUM_FLAGS) -c $(SODIUM_SRC)/src/libsodium/$*.c -o $@

$(SODIUM_CORE): $(SODIUM_FILES:%=$(B)/libsodium-core/%.o)
	ld -r --gc-sections $(SODIUM_KEEP:%=-u %) -o $@ $^

$(SODIUM_HOST): $(SODIUM_FILES:%=$(B)/libsodium-host/%.o)
	ld -r --gc-sections $(SODIUM_KEEP:%=-u %) -o $@ $^

# What includes libsodium's headers
SODIUM_USERS := core/sha256 core/sodium leaf/signature leaf/witness
$(SODIUM_USERS:%=$(B)/core/hv/%.c.o) $(SODIUM_USERS:%=$(B)/unit/hv/%.o): $(SODIUM_SRC)/.stamp

$(SODIUM_USERS:%=$(B)/unit/hv/%.o): UNIT_EXTRA := $(CRYPTO_CFLAGS)
$(addprefix $(B)/tests/test_,agentless commit door faults gone journal journal_left leaf leaf_modules list module \
	module_commit module_elsewhere module_hook module_order module_told order order_abuse order_anybody \
	order_askers order_now order_refused own prepare registry signature signed standing standing_hold \
	standing_wish supersede token trial window witness): $(SODIUM_HOST)
