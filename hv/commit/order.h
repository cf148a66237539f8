// SPDX-License-Identifier: Apache-2.0
/*
 * Orders of operators (newleaf/order.h) that are heeded: those of kind NOW. Each asker has one challenge and one order
 * that is read; one that was accepted may wait for its commit, whoever brought it. All want the commit lock.
 */
#pragma once

#include "commit/wish.h"
#include "leaf/order.h"
#include "leaf/signature.h"

/* A challenge. The guest's is another each time, and the one before is void; the wire's stays until an order has used
 * it or ten minutes are over. NL_ENORANDOM. */
enum nl_err nl_order_challenge(enum nl_asker asker, struct nl_challenge *answer);

/* A piece of work on an order of `size` bytes, in a buffer of NL_ORDER_MAX_SIZE. NL_AGAIN, NL_ERATE: come again with
 * the same bytes. NL_OK: accepted; FREEZE, RELEASE and STOP are done, the commit of the others waits for who makes it.
 */
enum nl_err nl_order_take(enum nl_asker asker, const struct nl_order *o, size_t size);

/* Is that the machine, the boot and the challenge that the guest has (nl_order.machine_id and on)? Without the lock:
 * what it misses comes again, what it lets through is asked again. */
bool nl_order_addressed(const uint8_t address[64]);

/* Whose commit waits; NULL: none's. It does for a minute, and only while nothing else changes. */
const struct nl_order *nl_order_waiting(void);

/* Bits of enum nl_guest_may that a waiting order gives the commit that makes `set` of what is applied: to the one that
 * it says and no other. Sets: a bit per entry of the registry. */
uint32_t nl_order_may(uint32_t applied, uint32_t set);

/* Changes whenever one comes that waits, or such a one ends: what was let in, or put on probation, before is so no
 * more.
 */
uint32_t nl_order_serial(void);

/* While one waits: how long what is put on is on probation, whoever makes the commit; else 0. */
uint32_t nl_order_confirm_ms(void);
void nl_order_made(void); /* a commit: none waits any more */

/* The commit of one that wants no agent. */
extern const struct nl_wish nl_order_wish;

void nl_order_forget(void); /* the kernel is gone, and with it what was asked of it */
