// SPDX-License-Identifier: Apache-2.0
/* What the instrument's core answers by itself (echo.c); tests/vm/test_wire.py asks. */
#ifndef INSTRUMENT_ECHO_H
#define INSTRUMENT_ECHO_H

#include <stdint.h>

#define ECHO_IP \
	{ \
		10, 0, 9, 2 \
	}
#define ECHO_TYPE 0x88b5  /* of a frame that is sent back */
#define ECHO_PORT 7u      /* net-port: no stack, but this */
#define ECHO_TELL 0x88b6  /* sent back with struct echo_counts behind its head */
#define ECHO_AGAIN 0x88b7 /* the card is started anew */
#define ECHO_QUIET 0x88b8 /* nothing is heard of it any more */
#define ECHO_CLOCK 0x88b9 /* from now on each message asks for the next one, 10 ms behind */

struct echo_counts {
	uint64_t received, sent, refused, lost;
	uint64_t messages, claimed; /* of the card's */
	uint64_t failed;            /* starts */
};

#endif
