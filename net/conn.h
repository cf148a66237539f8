// SPDX-License-Identifier: Apache-2.0
/*
 * Between TCP and HTTP. TCP's side accepts connections, holds each to its limits, and calls the functions http_*,
 * which HTTP's side defines: no others, one at a time, never from within one another, and only for a slot between its
 * http_open and its http_closed. HTTP knows nothing of lwIP, and TCP nothing of what the bytes mean.
 *
 * The order in a connection's life: http_open; then, as often as there is reason, http_take (bytes came, or those not
 * taken before are offered again) and http_give (there is room towards the client); at last http_closed, whatever
 * ended it: an end that HTTP said, the client's, or a limit of these.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONN_SLOTS 8u        /* connections at once: 0..CONN_SLOTS-1; when all are taken, the oldest silent one goes */
#define CONN_PIECE 1460u     /* most bytes that http_take is offered and http_give is asked for at once */
#define CONN_IDLE_MS 5000u   /* without a byte from the client, or one of ours that it acknowledged */
#define CONN_TOTAL_MS 60000u /* from the handshake to the last byte, however lively */
#define CONN_BUSY_MS 10u     /* until a busy connection is asked again */

/* A client is there. */
void http_open(unsigned slot);

/* The client's next n bytes, at least one. Returns how many were taken: the rest is offered again, with what came since
 * behind it, after at most CONN_BUSY_MS; meanwhile the client's window closes. After http_give said CONN_END whatever
 * comes is thrown away by the caller. */
size_t http_take(unsigned slot, const uint8_t *bytes, size_t n);

/* The client sends no more (FIN). It may still wait for its answer. */
void http_eof(unsigned slot);

enum conn_give {
	CONN_IDLE, /* nothing to say until more bytes come */
	CONN_BUSY, /* something is to come, but not yet (NL_AGAIN): ask again in CONN_BUSY_MS */
	CONN_MORE, /* *n bytes were written, and more follows: ask again as soon as there is room */
	CONN_END   /* *n bytes were written, maybe none, and they are the last: close when they are acknowledged */
};

/* The next bytes for the client into out[0..room), 1 <= room <= CONN_PIECE; *n = 0 before the call. Asked in order;
 * what was written once is kept by TCP until it is acknowledged and never asked for again. */
enum conn_give http_give(unsigned slot, uint8_t *out, size_t room, size_t *n);

/* It is over: the slot and everything of it is free. */
void http_closed(unsigned slot);

#endif
