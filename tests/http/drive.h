// SPDX-License-Identifier: Apache-2.0
/*
 * TCP's part of a connection (net/conn.h) for tests: bytes in, in pieces of any size; the answer out; each rule of the
 * contract that HTTP could break is checked on the way.
 */
#ifndef TESTS_HTTP_DRIVE_H
#define TESTS_HTTP_DRIVE_H

#include "../../net/conn.h"

struct drive {
	unsigned slot;
	const uint8_t *in;
	size_t n, at; /* given, and taken */
	bool open, told_eof, ended;
	char out[1 << 16];
	size_t n_out;
};

extern uint64_t drive_now; /* milliseconds; net_now() */

void drive_open(struct drive *d, unsigned slot, const void *in, size_t n);
/* Offers at most `piece` bytes, asks for at most `room`; false: nothing moved, or it has ended. */
bool drive_step(struct drive *d, size_t piece, size_t room);
/* Until the answer is complete, or nothing moves any more though the clock goes on for a minute. */
void drive_all(struct drive *d, size_t piece, size_t room);
void drive_close(struct drive *d);
/* Of the last answer (not 100 Continue); 0 = there is none. Aborts if it is malformed. */
unsigned drive_status(const struct drive *d);

#endif
