// SPDX-License-Identifier: Apache-2.0
/*
 * The signed status (newleaf/witness.h): a key of this boot, for which the machine's key has vouched before the launch,
 * and what it signs.
 */
#pragma once

#include "guest/guest.h"
#include "leaf/signature.h"
#include <newleaf/witness.h>

/* Before the launch. `seed`: of the machine's key, 32 bytes that are the loader's to wipe; nothing of it stays here.
 * Without a number of this boot the witness is none, and nothing is signed. */
void nl_witness_init(const uint8_t *seed);

/*
 * One step towards an answer to that nonce, `now` being the status: one leaf a call, NL_AGAIN, at last the signature;
 * from the start if the nonce is another, or something came or went. NL_OK: *size bytes at *file, until the next call.
 * NL_ENORANDOM; NL_ERATE: this asker's last signature is less than a second old. Wants the commit lock.
 */
enum nl_err nl_witness_sign(enum nl_asker asker, const struct nl_context *ctx, const struct nl_status *now,
                            const uint8_t nonce[32], const void **file, size_t *size);
