// SPDX-License-Identifier: Apache-2.0
/* One instruction at a time through Zydis. Not here: what the answers mean for a redirect (redirect.c). */
#include "code.h"

#include <Zydis/Zydis.h>
#include <string.h>

static uint32_t general(ZydisRegister r)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64)
		return 0;
	return 1u << ZydisRegisterGetId(whole);
}

/* Reads its register only in name: xor r, r, sub r, r and or -1, r are how compilers set one. */
static bool sets_anyhow(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
	if (i->mnemonic == ZYDIS_MNEMONIC_XOR || i->mnemonic == ZYDIS_MNEMONIC_SUB || i->mnemonic == ZYDIS_MNEMONIC_SBB)
		return o[0].type == ZYDIS_OPERAND_TYPE_REGISTER && o[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       o[0].reg.value == o[1].reg.value;
	return i->mnemonic == ZYDIS_MNEMONIC_OR && o[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       o[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o[1].imm.value.s == -1;
}

/* By itself, without a register of data: rip-relative, or per CPU. */
static bool names_place(const ZydisDecodedOperandMem *m)
{
	return m->base == ZYDIS_REGISTER_RIP ||
	       (m->base == ZYDIS_REGISTER_NONE && m->index == ZYDIS_REGISTER_NONE && m->segment == ZYDIS_REGISTER_GS);
}

struct code_step code_decode(const uint8_t *p, size_t n, uint64_t va)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction i;
	struct code_step s = {0};
	ZydisDecoder d;

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, p, n, &i, operands)))
		return s;
	s.len = i.length;
	s.is_call = i.meta.category == ZYDIS_CATEGORY_CALL;
	s.resumes = i.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE) ||
	            i.meta.category == ZYDIS_CATEGORY_AVX2GATHER || i.meta.category == ZYDIS_CATEGORY_GATHER ||
	            i.meta.category == ZYDIS_CATEGORY_SCATTER;
	s.ends = i.meta.category == ZYDIS_CATEGORY_RET || i.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	         i.mnemonic == ZYDIS_MNEMONIC_UD2 || i.mnemonic == ZYDIS_MNEMONIC_INT3 ||
	         i.mnemonic == ZYDIS_MNEMONIC_HLT;
	s.pads = i.meta.category == ZYDIS_CATEGORY_NOP || i.meta.category == ZYDIS_CATEGORY_WIDENOP ||
	         i.mnemonic == ZYDIS_MNEMONIC_INT3;
	for (unsigned o = 0; o < i.operand_count; o++) {
		const ZydisDecodedOperand *op = &operands[o];

		if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_relative)
			s.jumps = ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&i, op, va, &s.target));
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && names_place(&op->mem) && i.raw.disp.size == 32) {
			s.refers = ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&i, op, va, &s.address));
			s.field = i.raw.disp.offset;
		}
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    op->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN && i.raw.disp.size == 32)
			s.stores = i.raw.disp.offset;
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
		    op->actions & ZYDIS_OPERAND_ACTION_MASK_READ && op->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
		    i.raw.disp.size == 32)
			s.loads = i.raw.disp.offset;
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
			s.reads |= general(op->mem.base) | general(op->mem.index);
		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			s.writes |= general(op->reg.value);
		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
			s.reads |= general(op->reg.value);
	}
	if (sets_anyhow(&i, operands))
		s.reads = 0;
	if (s.is_call) {
		s.reads = 0;
		s.writes |= CODE_CALLER_SAVED;
	}
	return s;
}
