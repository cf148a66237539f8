# SPDX-License-Identifier: Apache-2.0
# BearSSL's ECDSA P-256 verification and SHA-256, from Debian's source package with the core's own flags: the packaged
# archive uses SSE, the red zone and the stack protector. $(BEARSSL_HOST) is the same for unit tests.
BEARSSL_SRC := $(B)/bearssl-src
BEARSSL_CORE := $(B)/libbearssl-core.a
BEARSSL_HOST := $(B)/libbearssl-host.a
CRYPTO_CFLAGS := -isystem $(BEARSSL_SRC)/inc
CRYPTO_LIBS := $(BEARSSL_CORE)
BEARSSL_FILES := codec/ccopy codec/dec32be codec/enc32be ec/ec_p256_m31 ec/ec_secp256r1 ec/ec_secp384r1 \
	ec/ec_secp521r1 ec/ecdsa_i31_bits ec/ecdsa_i31_vrfy_raw hash/sha2small int/i31_add int/i31_bitlen \
	int/i31_decmod int/i31_decode int/i31_encode int/i31_fmont int/i31_iszero int/i31_modpow int/i31_montmul \
	int/i31_muladd int/i31_ninv31 int/i31_rshift int/i31_sub int/i31_tmont int/i32_div32
BEARSSL_CORE_FLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-stack-protector -mgeneral-regs-only -mno-red-zone -fno-pic \
	-mcmodel=kernel \
	-fno-asynchronous-unwind-tables
BEARSSL_HOST_FLAGS := -std=gnu11 -O2 -g

$(BEARSSL_SRC)/.stamp: scripts/get-bearssl
	scripts/get-bearssl $(BEARSSL_SRC)
	touch $@

$(B)/bearssl-core/%.o: $(BEARSSL_SRC)/.stamp hv/bearssl.mk
	@mkdir -p $(@D)
	$(CC) $(BEARSSL_CORE_FLAGS) -I$(BEARSSL_SRC)/inc -I$(BEARSSL_SRC)/src -c $(BEARSSL_SRC)/src/$*.c -o $@

$(B)/bearssl-host/%.o: $(BEARSSL_SRC)/.stamp hv/bearssl.mk
	@mkdir -p $(@D)
	$(CC) $(BEARSSL_HOST_FLAGS) -I$(BEARSSL_SRC)/inc -I$(BEARSSL_SRC)/src -c $(BEARSSL_SRC)/src/$*.c -o $@

$(BEARSSL_CORE): $(BEARSSL_FILES:%=$(B)/bearssl-core/%.o)
	rm -f $@ && ar rcs $@ $^

$(BEARSSL_HOST): $(BEARSSL_FILES:%=$(B)/bearssl-host/%.o)
	rm -f $@ && ar rcs $@ $^

# What includes bearssl.h
BEARSSL_USERS := core/sha256 leaf/signature
$(BEARSSL_USERS:%=$(B)/core/hv/%.c.o) $(BEARSSL_USERS:%=$(B)/unit/hv/%.o): $(BEARSSL_SRC)/.stamp

$(BEARSSL_USERS:%=$(B)/unit/hv/%.o): UNIT_EXTRA := $(CRYPTO_CFLAGS)
$(addprefix $(B)/tests/test_,commit journal leaf registry token window): $(BEARSSL_HOST)
