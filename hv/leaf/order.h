// SPDX-License-Identifier: Apache-2.0
/* Reads signed orders (newleaf/order.h): pure functions, in the order in which a machine asks, what is cheap first. */
#pragma once

#include <newleaf/bootblock.h>
#include <newleaf/order.h>

struct nl_order_here {                      /* the machine that is asked */
	const struct nl_challenge *address; /* the challenge: zero, none is out */
	const struct nl_policy *policy;
	uint64_t epoch;  /* the lowest that will do */
	uint64_t frozen; /* bits of enum nl_frozen */
};

/* Is it an order, whole and by itself lawful? `file` is 8-byte aligned; after NL_OK every field means what order.h
 * says, and its signatures, if any, begin at nl_order_signed_size. NL_EORDER, NL_ENEWER. */
enum nl_err nl_order_form(const void *file, size_t size);

/* Does it bear that machine, boot and challenge (nl_order.machine_id and on)? Takes as long, however much is right. */
bool nl_order_answers(const uint8_t *address, const struct nl_challenge *c);

/* Is it for this machine, at this moment? The form is good. NL_EMACHINEID, NL_EBOOTID, NL_ECHALLENGE, NL_EEPOCH,
 * NL_EPOLICY, NL_EFROZEN, NL_EGENERATION. */
enum nl_err nl_order_bound(const struct nl_order *o, const struct nl_order_here *here);

bool nl_order_names(const struct nl_order *o, const uint8_t sha256[32]); /* that leaf? The form is good. */
