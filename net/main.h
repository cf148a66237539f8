// SPDX-License-Identifier: Apache-2.0
/* The stack's life: set up once, then step for ever. The host's build steps it under a test. */
#ifndef NET_MAIN_H
#define NET_MAIN_H

#include "call.h"

_Noreturn void net_entry(enum nl_net_vendor at);

void net_start(void);
void net_step(void); /* waits for a frame or the next timeout, and does all that there is to do then */

#endif
