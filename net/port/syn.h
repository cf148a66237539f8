// SPDX-License-Identifier: Apache-2.0
/*
 * Handshakes cost nothing until they are finished: a SYN is answered out of its own frame, to where it came from, with
 * a sequence number that says all there is to remember (a cookie). Whoever returns it is really there: then lwIP is
 * shown the SYN that the client had sent, its answer is swallowed, and it gets what the client sent now. No flood of
 * SYNs takes memory, PCBs or neighbours' entries.
 */
#ifndef NET_PORT_SYN_H
#define NET_PORT_SYN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SYN_FRAME = 54 + 32 };

/* If the frame in the mailbox finished a handshake: writes the frame that began it and returns its bytes, else 0. Until
 * syn_replayed, lwIP takes that SYN, and what it answers is to be swallowed. */
size_t syn_replay(uint8_t frame[SYN_FRAME]);
void syn_replayed(void);

/* While one is replayed: the frame by which its sender would have told where it is, or else the first segments of the
 * answer would be lost. Returns its bytes. */
size_t syn_neighbour(uint8_t frame[SYN_FRAME]);
bool syn_replaying(void);

#endif
