// SPDX-License-Identifier: Apache-2.0
/* The way of the card into use: see wire.h. */
#include "net/wire.h"
#include "net/card.h"

#define COMMAND 4u
#define COMMAND_ON (1u << 1 | 1u << 10) /* memory, no INTx; no ports, by which some cards show their registers, too */
#define COMMAND_MASTER (1u << 2)

enum nl_err nl_wire_open(const struct nl_wire_card *card)
{
	uint32_t before = nl_config_peek(card->function, COMMAND, 2);
	enum nl_err err;

	nl_config_poke(card->function, COMMAND, 2, COMMAND_ON);
	nl_wire.nic = &nl_nic_e1000;
	err = nl_wire.nic->attach(card);
	if (err == NL_EUNSUPPORTED) {
		nl_wire.nic = &nl_nic_virtio;
		err = nl_wire.nic->attach(card);
	}
	if (!err) /* it is silent: from here on it may reach memory */
		nl_config_poke(card->function, COMMAND, 2, COMMAND_ON | COMMAND_MASTER);
	nl_wire.broken = true;
	if (err) {
		nl_config_poke(card->function, COMMAND, 2, before);
		nl_wire.nic = NULL;
	}
	return err;
}
