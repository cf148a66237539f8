// SPDX-License-Identifier: Apache-2.0
/* The one network interface of lwIP: frames between its buffers and the mailbox, each copied once and checked first. */
#ifndef NET_PORT_WIRE_H
#define NET_PORT_WIRE_H

#include "../settings.h"

#include <stdint.h>

bool wire_start(const struct nl_net_config *c, const struct settings *s);

/* Takes the frame of that many bytes out of the mailbox. */
void wire_receive(uint64_t bytes);

/* The frame in the mailbox's send[] leaves. False: the card takes none now. */
bool wire_send(size_t bytes);

/* Nothing of the addresses is under way: timers may be a second late. */
bool wire_quiet(void);

#endif
