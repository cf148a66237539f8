// SPDX-License-Identifier: Apache-2.0
/*
 * A unit that is compiled without -pg is compiled with -fipa-ra: a caller in it knows which of the registers that the
 * ABI gives to the callee this one leaves alone, and its callees, and keeps values there. What a body changes is
 * another matter, so the stub saves them: rcx, rdx, rsi, rdi, r8 to r11; and rax, when the old function returns
 * nothing. The rest is the callee's to save by the ABI, flags are nobody's, and the kernel uses no vector registers.
 * Arguments on the stack are pushed again: they are the callee's, and it looks for them above its return address.
 *
 * A unit that is compiled with -pg has no -fipa-ra: GCC switches it off for profiled code (process_options() looks at
 * profile_flag), for all of the unit. In 6.1.176, of 126,302 direct calls of traced functions
 * 15 are followed by code that seems to read such a register before it is set; none of them does: the callee does not
 * return (7), returns a value by a prototype of two (5), is called by assembler (1), or the reader is ENCLS (2), of
 * which decoders think that it takes rdx always.
 */
#include "stub.h"

#define INT3 0xcc

uint64_t stub_add(struct draft *d, uint64_t body, bool keep_rax, unsigned stack_words, bool endbr)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa}, push_rax[] = {0x50}, pop_rax[] = {0x58};
	static const uint8_t push[] = {0x51, 0x52, 0x56, 0x57, 0x41, 0x50, 0x41, 0x51, 0x41, 0x52, 0x41, 0x53};
	static const uint8_t pop[] = {0x41, 0x5b, 0x41, 0x5a, 0x41, 0x59, 0x41, 0x58, 0x5f, 0x5e, 0x5a, 0x59};
	static const uint8_t call[] = {0xe8}, jmp[] = {0xe9}, zero[4], ret[] = {0xc3, INT3};
	static const uint8_t push_word[] = {0xff, 0xb4, 0x24}, drop[] = {0x48, 0x81, 0xc4}; /* (%rsp) + 32 bits; %rsp */
	uint64_t at = buf_align(&d->text, 16, INT3);
	uint32_t words = 8 + keep_rax + stack_words, dropped = 8 * stack_words;
	int32_t distance;

	if (endbr)
		buf_add(&d->text, endbr64, sizeof(endbr64));
	buf_add(&d->text, push_rax, keep_rax);
	buf_add(&d->text, push, sizeof(push));
	words *= 8; /* from here to the last argument: the saved registers, the return address; each copy is one more */
	for (unsigned i = 0; i < stack_words; i++) {
		buf_add(&d->text, push_word, sizeof(push_word));
		buf_add(&d->text, &words, 4);
	}
	buf_add(&d->text, call, 1);
	distance = (int32_t)(body - (d->text.n + 4));
	buf_add(&d->text, &distance, 4);
	if (stack_words) {
		buf_add(&d->text, drop, sizeof(drop));
		buf_add(&d->text, &dropped, 4);
	}
	buf_add(&d->text, pop, sizeof(pop));
	buf_add(&d->text, pop_rax, keep_rax);
	if (d->h.target.return_thunk) {
		struct nl_leaf_reloc r = {
		        .where = NL_AT_TEXT, .type = NL_REL_PC32, .symbol = NL_SYM_RETURN_THUNK, .addend = -4};

		buf_add(&d->text, jmp, 1);
		r.offset = (uint32_t)buf_add(&d->text, zero, 4);
		buf_add(&d->relocs, &r, sizeof(r));
	} else {
		buf_add(&d->text, ret, sizeof(ret));
	}
	buf_align(&d->text, 16, INT3);
	return at;
}
