// SPDX-License-Identifier: Apache-2.0
/* What main.c knows of connections; conn.h is what HTTP does. */
#ifndef NET_CONN_TCP_H
#define NET_CONN_TCP_H

#include <stdbool.h>
#include <stdint.h>

bool conn_start(uint16_t port);
void conn_poll(void);    /* everything there is to do now */
uint32_t conn_due(void); /* ms until there is something to do without a frame */
bool conn_none(void);

#endif
