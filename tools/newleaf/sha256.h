// SPDX-License-Identifier: Apache-2.0
/*
 * SHA-256 (FIPS 180-4) of one buffer: checks the journal's chain on the reader's side. The hypervisor has its own; this
 * is not in the trusted base.
 */
#ifndef NEWLEAF_SHA256_H
#define NEWLEAF_SHA256_H

#include <stddef.h>
#include <stdint.h>

void cli_sha256(const void *data, size_t size, uint8_t out[32]);

#endif
