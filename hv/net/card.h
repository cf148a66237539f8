// SPDX-License-Identifier: Apache-2.0
/*
 * What the drivers of network cards share: capabilities, where registers are mapped, which frames are taken.
 */
#pragma once

#include "net/io.h"
#include "net/nic.h"
#include "net/space.h"

/* Each capability, whatever the list looks like: no more than fit. */
unsigned nl_card_next(uint16_t function, unsigned at); /* 0: the first; returns 0 behind the last */
#define NL_EACH_CAPABILITY(at, function) \
	for (unsigned at = 0, left = 48; left-- && (at = nl_card_next((function), at)) != 0;)
#define NL_CAPABILITY_MSI 0x05
#define NL_CAPABILITY_VENDOR 0x09
#define NL_CAPABILITY_MSIX 0x11

/* false: the card has no such capability, or shall not send messages. */
bool nl_card_use_messages(const struct nl_wire_card *card, uint8_t capability);

/* Registers, uncacheable. NULL: this BAR has no such piece (it is the card's own word for it), or no room is left. */
volatile void *nl_card_map(const struct nl_wire_card *card, unsigned bar, uint64_t offset, uint64_t size);

/* A buffer in which the card says are so many bytes, into `frame`: what such a frame has, 0 = it is not for us. */
unsigned nl_card_take(void *frame, const void *buffer, uint64_t bytes);
void nl_card_wait(unsigned us);
