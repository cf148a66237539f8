// SPDX-License-Identifier: Apache-2.0
/* The wire: which driver the card has, and its way into use. What then may be asked of it is in nic.h. */
#pragma once

#include "net/nic.h"

extern const struct nl_nic nl_nic_e1000, nl_nic_virtio;

/* Once, in the core's initialisation, behind nl_hide_card(): driver, attach(), bus mastering. It is broken until
 * start(): a message that it sends before the launch would be the firmware's. With an error the function is as it was,
 * and nl_wire.nic NULL. */
enum nl_err nl_wire_open(const struct nl_wire_card *card);
