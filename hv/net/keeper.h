// SPDX-License-Identifier: Apache-2.0
/*
 * The keeper of the network: brings card, stack and door together, lets the stack run on whatever CPU is on its way
 * into the guest when there is something for it to do, bounds what that costs the guest, and starts it anew when it
 * dies. The network is off, and nothing of this runs, unless newleaf.conf names a card (net-nic).
 */
#pragma once

#include <newleaf/errors.h>

/* Once, on the boot CPU, behind nl_config_init: from then on the guest has no such card. */
void nl_net_hide(void);

/* And behind machine_init. Without a network, for whatever reason, the machine is
 * as if none had been asked for; the reason is journaled. */
struct nl_status;
void nl_net_init(void (*status)(struct nl_status *)); /* who fills one */
