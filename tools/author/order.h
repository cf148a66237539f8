// SPDX-License-Identifier: Apache-2.0
/* Who has signed an order: as the hypervisor asks, in one piece. What it is: hv/leaf/order.h. */
#ifndef NEWLEAF_AUTHOR_ORDER_H
#define NEWLEAF_AUTHOR_ORDER_H

#include "leaf/order.h"

/* The form is good: have `needed` different operators of these keys signed it, and is no signature wrong? *good: how
 * many have. NL_EUNSIGNED, NL_EORDER (malformed), NL_ESIGNATURE, NL_EKEY, NL_EQUORUM. */
enum nl_err order_signed(const void *file, size_t size, const struct nl_key *keys, uint32_t n_keys, uint32_t needed,
                         uint32_t *good);

#endif
