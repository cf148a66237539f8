// SPDX-License-Identifier: Apache-2.0
/* An agent that talks to the fake core (fake_newleaf.h), and what it was answered last. */
#ifndef TESTS_UNIT_AGENT_FIXTURE_H
#define TESTS_UNIT_AGENT_FIXTURE_H

#include "fake_newleaf.h"

extern volatile sig_atomic_t cancel;
extern struct nl_agent agent;
extern struct nl_verify_report verified;
extern struct nl_commit_report committed;

struct fake *opened(void); /* a fresh fake, and the agent on it */
struct nl_commit_request request_of(const uint8_t *sha256, uint32_t deadline_ms); /* NULL: of no leaf */
void staged(const char *id);                                                      /* a leaf with this id is verified */
enum nl_err commit(uint32_t deadline_ms);                                         /* the one that was verified last */

#endif
