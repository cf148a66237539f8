// SPDX-License-Identifier: Apache-2.0
/*
 * The core's own network card as the guest sees it: an empty slot, where no address leads to anything. The gate of
 * configuration space (hv/exits/config.c) asks here. Not here: the ports of configuration space, and what the card is
 * used for.
 */
#pragma once

#include "net/space.h"
#include "net/wire.h"
#include <newleaf/types.h>

/*
 * Once, behind nl_config_init() and before any guest runs: from now on the card is not there for it. Decoding is off,
 * no INTx, no ROM; ports stay off for ever. With an error it is of no use to anybody, whether the guest sees it or not.
 * NL_ECARD: none is there, or the firmware gave it no place. NL_EUNSUPPORTED: it cannot be hidden. NL_EMACHINE: where
 * this machine has its configuration space in memory is not known.
 */
enum nl_err nl_hide_card(uint16_t function, struct nl_wire_card *card);

bool nl_hides(uint16_t function);
bool nl_hide_meets(uint64_t at, uint64_t size); /* any of its registers in memory */
extern uint64_t nl_hide_nothing;                /* what is read there */

/* What a write to another function's configuration space would put over the card's registers, or NULL. */
const char *nl_hide_refuse(uint16_t function, unsigned reg, unsigned width, uint64_t value);
