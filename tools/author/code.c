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
	for (unsigned o = 0; o < i.operand_count; o++) {
		const ZydisDecodedOperand *op = &operands[o];

		if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_relative)
			s.jumps = ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&i, op, va, &s.target));
		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			s.writes |= general(op->reg.value);
	}
	if (s.is_call)
		s.writes |= CODE_CALLER_SAVED;
	return s;
}

const char *code_registers(uint32_t mask)
{
	static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	char *all = xformat("%s", "");

	for (unsigned r = 0; r < 16; r++)
		if (mask & 1u << r)
			all = xformat("%s%s%s", all, *all ? " " : "", names[r]);
	return all;
}
