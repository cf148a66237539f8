// SPDX-License-Identifier: Apache-2.0
/* The stub of a body whose callers may rely on registers that the ABI gives to the callee. */
#ifndef NEWLEAF_AUTHOR_STUB_H
#define NEWLEAF_AUTHOR_STUB_H

#include "draft.h"

/* Adds one to text[]: it calls text[] + body and leaves every register but rax unchanged, rax too if keep_rax. Returns
 * its offset. The body finds that many words of arguments on the stack. */
uint64_t stub_add(struct draft *d, uint64_t body, bool keep_rax, unsigned stack_words, bool endbr);

#endif
