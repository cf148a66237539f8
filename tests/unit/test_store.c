// SPDX-License-Identifier: Apache-2.0
// sources: arch/x86_64/store.c
// libs: -lZydis
/*
 * The decoder of stores against Zydis (what an instruction is and how long) and against this machine's own CPU (what
 * it does to memory, registers and flags), over generated instructions.
 */
#include "host.h"

#include <Zydis/Zydis.h>
#include <sys/mman.h>

#include "store.h"

static const struct {
	ZydisMnemonic mnemonic;
	enum store_op op;
} names[] = {
        {ZYDIS_MNEMONIC_MOV, STORE_MOV},
        {ZYDIS_MNEMONIC_XCHG, STORE_XCHG},
        {ZYDIS_MNEMONIC_OR, STORE_OR},
        {ZYDIS_MNEMONIC_AND, STORE_AND},
};

static int known(ZydisMnemonic m)
{
	for (unsigned i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (names[i].mnemonic == m)
			return names[i].op;
	return -1;
}

/* Mostly what a compiler could write: some prefixes, an opcode of a store or any other, random operands. */
static void generate(uint8_t *b, unsigned bits, bool harmless)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	static const uint8_t one[] = {0x08, 0x09, 0x20, 0x21, 0x80, 0x81, 0x83, 0x86, 0x87, 0x88, 0x89, 0xa2, 0xa3,
	                              0xc6, 0xc7, 0x00, 0x31, 0x39, 0x8c, 0x8f, 0xaa, 0xab, 0xf7, 0xfe, 0xff};
	unsigned n = 0;

	for (unsigned i = 0; i < 32; i++)
		b[i] = (uint8_t)host_random();
	for (unsigned k = (unsigned)host_below(8); k > 4; k--)
		b[n++] = prefixes[host_below(harmless ? 3 : NL_ARRAY_SIZE(prefixes))];
	if (!host_below(200))
		for (unsigned k = (unsigned)host_below(14); k--;)
			b[n++] = prefixes[host_below(harmless ? 3 : NL_ARRAY_SIZE(prefixes))];
	if (bits == 64 && host_below(2))
		b[n++] = 0x40 | (uint8_t)host_below(16);
	if (!harmless && host_below(20) == 0)
		b[n++] = 0x0f;
	b[n++] = host_below(harmless ? 1000000 : 20) ? one[host_below(sizeof(one))] : (uint8_t)host_random();
}

static bool is_memory_store(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *o)
{
	return in->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && o[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       (o[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
}

static int register_number(ZydisRegister r, unsigned *shift)
{
	ZydisRegisterClass c = ZydisRegisterGetClass(r);
	int id = (unsigned char)ZydisRegisterGetId(r);

	*shift = 0;
	if (c == ZYDIS_REGCLASS_GPR8) {
		if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH) {
			*shift = 8;
			return r - ZYDIS_REGISTER_AH;
		}
		return r < ZYDIS_REGISTER_AH ? r - ZYDIS_REGISTER_AL : r - ZYDIS_REGISTER_SPL + 4;
	}
	return id;
}

static void compare(ZydisDecoder *decoder, unsigned bits, unsigned long *stores, unsigned long *locked)
{
	ZydisDecodedInstruction in;
	ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t b[STORE_BYTES];
	struct store s;
	char text[128] = "";
	unsigned shift;

	generate(b, bits, false);
	bool good = ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, b, STORE_MAX_LENGTH, &in, o));
	bool ours = store_decode(b, bits, &s);
	for (unsigned i = 0; i < 15; i++)
		sprintf(text + 3 * i, "%02x ", b[i]);
	if (!good && ours) { /* what the CPU refuses does not come as far as a nested fault: LOCK */
		bool excused = false;

		for (unsigned i = 0; i + 1 < s.length; i++)
			excused |= b[i] == 0xf0;
		if (!excused)
			fail_msg("%u bits: %s: Zydis refuses it", bits, text);
		++*locked;
		return;
	}
	bool wanted = good && is_memory_store(&in, o) && known(in.mnemonic) >= 0 && in.opcode != 0x82 &&
	              (in.operand_count < 2 || o[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	               ZydisRegisterGetClass(o[1].reg.value) != ZYDIS_REGCLASS_SEGMENT);
	if (wanted != ours)
		fail_msg("%u bits: %s: %s", bits, text, ours ? "no store that is known" : "not decoded");
	if (!ours)
		return;
	++*stores;
	if (s.length != in.length || s.width != o[0].size / 8 || s.op != known(in.mnemonic))
		fail_msg("%u bits: %s: length %u width %u op %u", bits, text, s.length, s.width, s.op);
	if (o[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && in.operand_count_visible > 1) {
		uint64_t mask = UINT64_MAX >> (64 - 8 * s.width);

		assert_int_equal(s.reg, -1);
		if ((s.immediate & mask) != (o[1].imm.value.u & mask))
			fail_msg("%u bits: %s: immediate %lx", bits, text, s.immediate);
	} else if (o[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	           ZydisRegisterGetClass(o[1].reg.value) <= ZYDIS_REGCLASS_GPR64) {
		if (s.reg != register_number(o[1].reg.value, &shift) || s.shift != shift)
			fail_msg("%u bits: %s: register %d shift %u", bits, text, s.reg, s.shift);
	}
}

static void against_zydis(void **state)
{
	static const struct {
		unsigned bits;
		ZydisMachineMode mode;
		ZydisStackWidth stack;
	} modes[] = {{64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
	             {32, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32},
	             {16, ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16}};
	ZydisDecoder decoder;

	(void)state;
	host_seed(6);
	for (unsigned m = 0; m < NL_ARRAY_SIZE(modes); m++) {
		unsigned long stores = 0, locked = 0;

		assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, modes[m].mode, modes[m].stack)));
		for (unsigned i = 0; i < 300000; i++)
			compare(&decoder, modes[m].bits, &stores, &locked);
		assert_true(stores > 40000);
		printf("%u bits: %lu stores alike, %lu that no CPU executes\n", modes[m].bits, stores, locked);
	}
}

/* --- Against the CPU --- */

struct state {
	uint64_t gprs[16], flags; /* gprs[4], RSP, is not loaded */
};
extern struct state machine_state;
extern void *machine_code;
struct state machine_state; /* known to the assembler */
void *machine_code;

/* Loads machine, calls code, saves machine. */
void execute_natively(void);
__asm__("execute_natively:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "push machine_state+128(%rip); popfq\n"
        "mov machine_state(%rip), %rax; mov machine_state+8(%rip), %rcx; mov machine_state+16(%rip), %rdx; mov "
        "machine_state+24(%rip), %rbx\n"
        "mov machine_state+40(%rip), %rbp; mov machine_state+48(%rip), %rsi; mov machine_state+56(%rip), %rdi; mov "
        "machine_state+64(%rip), "
        "%r8\n"
        "mov machine_state+72(%rip), %r9; mov machine_state+80(%rip), %r10; mov machine_state+88(%rip), %r11; mov "
        "machine_state+96(%rip), "
        "%r12\n"
        "mov machine_state+104(%rip), %r13; mov machine_state+112(%rip), %r14; mov machine_state+120(%rip), %r15\n"
        "call *machine_code(%rip)\n"
        "mov %rax, machine_state(%rip); mov %rcx, machine_state+8(%rip); mov %rdx, machine_state+16(%rip); mov %rbx, "
        "machine_state+24(%rip)\n"
        "mov %rbp, machine_state+40(%rip); mov %rsi, machine_state+48(%rip); mov %rdi, machine_state+56(%rip); mov "
        "%r8, "
        "machine_state+64(%rip)\n"
        "mov %r9, machine_state+72(%rip); mov %r10, machine_state+80(%rip); mov %r11, machine_state+88(%rip); mov "
        "%r12, "
        "machine_state+96(%rip)\n"
        "mov %r13, machine_state+104(%rip); mov %r14, machine_state+112(%rip); mov %r15, machine_state+120(%rip)\n"
        "pushfq; pop machine_state+128(%rip); cld\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

/* Numbers at which carries and signs change, half of the time. */
static uint64_t interesting(void)
{
	uint64_t v = 1ULL << host_below(64);

	switch (host_below(6)) {
	case 0:
		return v;
	case 1:
		return v - 1;
	case 2:
		return -v;
	default:
		return host_random();
	}
}

static void against_cpu(void **unused)
{
	uint64_t *memory = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned seen[STORE_AND + 1] = {0};
	ZydisDecoder decoder;

	(void)unused;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_true((uint64_t)memory <= UINT32_MAX); /* also through EDI */
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	machine_code = page;
	host_seed(7);
	for (unsigned i = 0; i < 300000; i++) {
		ZydisDecodedInstruction in;
		ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
		struct state before, expected;
		uint8_t b[STORE_BYTES];
		struct store s;

		generate(b, 64, true);
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, b, STORE_MAX_LENGTH, &in, o)) ||
		    !store_decode(b, 64, &s))
			continue;
		if (in.attributes & ZYDIS_ATTRIB_HAS_MODRM) { /* (%rdi): mod 0, rm 7, no REX.B */
			uint8_t modrm = (uint8_t)((in.raw.modrm.reg << 3) | 7);
			unsigned imm = (unsigned)(in.raw.imm[0].size / 8);
			uint8_t tail[8];

			memcpy(tail, b + in.length - imm, imm);
			b[in.raw.modrm.offset] = modrm;
			memcpy(b + in.raw.modrm.offset + 1, tail, imm);
			if (in.attributes & ZYDIS_ATTRIB_HAS_REX)
				b[in.raw.rex.offset] &= 0xfc;
			assert_true(store_decode(b, 64, &s));
		} else { /* an absolute address */
			uint64_t where = (uint64_t)(memory + 4);
			memcpy(b + s.length - in.address_width / 8, &where, in.address_width / 8);
		}
		if (s.reg == 4)
			continue;
		for (unsigned k = 0; k < 16; k++)
			before.gprs[k] = interesting();
		uint64_t at = (uint64_t)(memory + 4), old = interesting();
		before.gprs[7] = at;
		before.flags = 0x202 | (host_random() & 0x8d5);
		memset(memory, 0xa5, 4096);
		memory[4] = old;
		memcpy(page, b, s.length);
		page[s.length] = 0xc3;
		machine_state = before;
		machine_state.gprs[4] = 0;
		execute_natively();
		uint64_t native[9];
		memcpy(native, memory, sizeof(native));

		memset(memory, 0xa5, 4096);
		memory[4] = old;
		expected = before;
		uint64_t was = 0, v;
		memcpy(&was, memory + 4, s.width);
		v = store_execute(&s, expected.gprs, &expected.flags, was);
		memcpy(memory + 4, &v, s.width);
		expected.gprs[4] = 0;
		uint64_t defined = s.op == STORE_OR || s.op == STORE_AND ? ~0x10ULL : ~0ULL;
		char text[64];
		for (unsigned k = 0; k < s.length; k++)
			sprintf(text + 3 * k, "%02x ", b[k]);
		if (memcmp(native, memory, sizeof(native)))
			fail_msg("%s: %016lx becomes %016lx, the CPU says %016lx", text, old, memory[4], native[4]);
		if ((machine_state.flags ^ expected.flags) & defined & 0xcd5)
			fail_msg("%s: %016lx: flags %lx, the CPU says %lx", text, old, expected.flags,
			         machine_state.flags);
		if (memcmp(machine_state.gprs, expected.gprs, sizeof(machine_state.gprs)))
			fail_msg("%s: registers differ", text);
		seen[s.op]++;
	}
	for (unsigned op = 0; op <= STORE_AND; op++)
		assert_true(seen[op] > 500);
}

/* Longer than 15 bytes is no instruction (SDM vol. 2, 2.3.11). */
static void too_long(void **state)
{
	uint8_t b[STORE_BYTES] = {0};
	struct store s;

	(void)state;
	memset(b, 0x3e, 13);
	b[13] = 0x89;
	b[14] = 0x07;
	assert_true(store_decode(b, 64, &s));
	assert_int_equal(s.length, 15);
	memset(b, 0x3e, 14);
	b[14] = 0x89;
	b[15] = 0x07;
	assert_false(store_decode(b, 64, &s));
	memset(b, 0x3e, sizeof(b));
	assert_false(store_decode(b, 64, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(against_zydis), cmocka_unit_test(against_cpu),
	                                   cmocka_unit_test(too_long)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
