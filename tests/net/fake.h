// SPDX-License-Identifier: Apache-2.0
/*
 * The core as the stack sees it, for tests: frames and time come from whoever runs this program, over its standard
 * input and output, so that minutes pass in no time and nothing depends on how busy the machine is.
 *
 * To the test, a letter and what belongs to it, little-endian: W u32 (waits for a frame or so many ms), S u16 bytes (a
 * frame it sent), X u64 (gave up, and where), Q u64 u64 (allocations until now; bytes of its own stack that were
 * touched, 0 = not known). From the test, once it waits: F u16 bytes (a frame), T u32 (so many ms later, no frame); and
 * without an end of the wait: A u32 u32 (the u32-th allocation from now fails, and so many more; 0 = none does),
 * B u8 (is the card's ring full?), Q.
 */
#ifndef TESTS_NET_FAKE_H
#define TESTS_NET_FAKE_H

#include "../../net/call.h"

/* net-ip, net-ip6, net-port from the command line; the rest is always the same. */
void fake_begin(struct nl_net_mailbox *m, int argc, char **argv);
struct net_answer fake_call(struct nl_net_mailbox *m, enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx);

/* True: this allocation is to fail. */
bool fake_allocation(void);

/* Bytes of its stack that were touched. */
uint64_t fake_depth(void);

#endif
