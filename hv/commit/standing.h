// SPDX-License-Identifier: Apache-2.0
/*
 * Which standing order is in force (newleaf/order.h), and what is remembered of keys: taken before the launch, of what
 * the loader found, or later by hypercall, with the commit lock held. docs/explanation/orders.md says why so.
 */
#pragma once

#include "commit/wish.h"
#include "leaf/order.h"
#include "leaf/signature.h"

extern struct nl_standing_state nl_standing; /* as NL_CALL_STATUS answers it */

/* What has it carried out, as soon as a kernel is there; and for each kernel anew: nl_standing_come. */
extern const struct nl_wish nl_standing_wish;
void nl_standing_come(void);

/*
 * No program runs before it: one begins with a page fault at CPL 3, since kernels map programs as they are touched, and
 * as long as nl_standing_holds says so these exit and are not given to the guest, who goes on with all else: its
 * interrupts come between one try of the instruction and the next. Until the order is carried out or given up; for its
 * deadline at most, from the first one on (nl_standing_hold). Not for an order that came by hypercall. No lock.
 */
bool nl_standing_holds(void);
void nl_standing_hold(void);

void nl_standing_recall(void); /* in front of the list: what each key may by now */
typedef enum nl_err nl_order_taker(enum nl_asker, const struct nl_order *, size_t); /* nl_order_take */
void nl_standing_take(nl_order_taker *take); /* behind it. nl_boot.standing: what the next boot must know */

/* What is taken is the very file that the machine knows: nothing is asked of its epoch and its keys, since it may have
 * distrusted who signed it. */
extern bool nl_standing_known;

/* An order whose form, address and signatures (by those of our keys, a bit each) are good takes the place of the one in
 * force, and what it says of keys counts. NL_EKEYREVOKED: the list has revoked too many who signed it; NL_EQUORUM: it
 * leaves too few operators; NL_EKEY: it distrusts one that nobody knows; NL_ENOMEM: too many keys. Nothing has changed
 * then. */
enum nl_err nl_standing_accept(const struct nl_order *o, size_t size, uint32_t signed_by);

/* Journals what became of an order, of whatever kind; `ended`: NL_ORDER_ENDED for one that had been accepted, else 0.
 */
void nl_order_note(const struct nl_order *o, enum nl_err err, const uint8_t *sha256, uint64_t ended);
