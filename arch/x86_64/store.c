// SPDX-License-Identifier: Apache-2.0
/*
 * The decoder and the arithmetic of store.h. Opcodes: APM vol. 3, appendix A; flags: each instruction's page there.
 */
#include "store.h"

enum source { REG, IMM, IMM8, ACC, ONE };
enum { BY_OPCODE = -1, BY_REG = -2, ANY = -1 };

/* Opcodes are compared under the mask. Bit 0 of an opcode whose mask leaves it out says byte (0) or operand size. */
static const struct form {
	uint8_t opcode, mask;
	bool two_byte;    /* behind 0F */
	int8_t extension; /* that the reg field of ModRM must have; ANY */
	int8_t op;        /* enum store_op, or where it stands */
	uint8_t source;
} forms[] = {
        {0x00, 0xc6, false, ANY, BY_OPCODE, REG}, /* ADD ... XOR, CMP */
        {0x80, 0xfe, false, ANY, BY_REG, IMM},     {0x83, 0xff, false, ANY, BY_REG, IMM8},
        {0x86, 0xfe, false, ANY, STORE_XCHG, REG}, {0x88, 0xfe, false, ANY, STORE_MOV, REG},
        {0xa2, 0xfe, false, ANY, STORE_MOV, ACC}, /* to an offset without ModRM */
        {0xaa, 0xfe, false, ANY, STORE_MOV, ACC}, /* STOS */
        {0xc6, 0xfe, false, 0, STORE_MOV, IMM},    {0xf6, 0xfe, false, 2, STORE_NOT, ONE},
        {0xf6, 0xfe, false, 3, STORE_NEG, ONE},    {0xfe, 0xfe, false, 0, STORE_INC, ONE},
        {0xfe, 0xfe, false, 1, STORE_DEC, ONE},    {0xab, 0xff, true, ANY, STORE_BTS, REG},
        {0xb3, 0xff, true, ANY, STORE_BTR, REG},   {0xbb, 0xff, true, ANY, STORE_BTC, REG},
        {0xba, 0xff, true, 5, STORE_BTS, IMM8},    {0xba, 0xff, true, 6, STORE_BTR, IMM8},
        {0xba, 0xff, true, 7, STORE_BTC, IMM8},    {0xb0, 0xfe, true, ANY, STORE_CMPXCHG, REG},
        {0xc0, 0xfe, true, ANY, STORE_XADD, REG},  {0xc3, 0xff, true, ANY, STORE_MOV, REG}, /* MOVNTI */
};

struct prefixes {
	bool operand, address, repeat;
	uint8_t rex;
};

static const uint8_t *read_prefixes(const uint8_t *p, unsigned bits, struct prefixes *x)
{
	for (const uint8_t *end = p + STORE_MAX_LENGTH; p < end; p++) {
		if (bits == 64 && (*p & 0xf0) == 0x40) {
			x->rex = *p;
			continue;
		}
		if (*p == 0x66)
			x->operand = true;
		else if (*p == 0x67)
			x->address = true;
		else if (*p == 0xf2 || *p == 0xf3)
			x->repeat = true;
		else if ((*p & 0xe7) != 0x26 && (*p & 0xfe) != 0x64 && *p != 0xf0) /* segments, LOCK */
			break;
		x->rex = 0; /* counts only right before the opcode (APM vol. 3, 1.2.7) */
	}
	return p;
}

/* Length of ModRM, SIB and displacement (APM vol. 3, 1.4); 0: the operand is a register. */
static unsigned modrm_length(const uint8_t *p, unsigned address)
{
	unsigned mod = p[0] >> 6, rm = p[0] & 7;
	bool sib = address > 2 && rm == 4;

	if (mod == 3)
		return 0;
	if (mod == 0)
		return address == 2 ? 1 + 2 * (rm == 6) : 1 + sib + 4 * ((sib ? p[1] & 7 : rm) == 5);
	return 1 + sib + (mod == 1 ? 1 : address == 2 ? 2 : 4);
}

static const struct form *find(const uint8_t *p, bool two_byte)
{
	for (const struct form *f = forms; f < forms + NL_ARRAY_SIZE(forms); f++)
		if (f->two_byte == two_byte && (p[0] & f->mask) == f->opcode &&
		    (f->extension == ANY || f->extension == (p[1] >> 3 & 7)))
			return f;
	return NULL;
}

static uint64_t immediate(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = n; i--;)
		v = v << 8 | p[i];
	return n == 8 || !n ? v : v | -(v >> (8 * n - 1) & 1) << 8 * n; /* sign-extended */
}

bool store_decode(const uint8_t start[STORE_BYTES], unsigned bits, struct store *s)
{
	struct prefixes x = {0};
	const uint8_t *p = read_prefixes(start, bits, &x);
	unsigned wide = x.rex & 8 ? 8 : 4, full = wide == 8 || (bits == 16) == x.operand ? wide : 2;
	unsigned address = bits == 64 ? (x.address ? 4 : 8) : (bits == 16) == x.address ? 4 : 2;
	bool two_byte = *p == 0x0f;

	p += two_byte;
	const struct form *f = find(p, two_byte);
	if (!f)
		return false;
	uint8_t opcode = *p++, reg = p[0] >> 3 & 7;
	bool string = f->opcode == 0xaa, plain = f->source == ACC;
	*s = (struct store){.width = (f->mask | opcode) & 1 ? (uint8_t)full : 1, .reg = -1};
	if (two_byte && f->opcode == 0xc3) /* MOVNTI has no 16-bit form */
		s->width = (uint8_t)wide;
	s->op = f->op == BY_OPCODE ? opcode >> 3 : f->op == BY_REG ? reg : f->op;
	if (s->op == STORE_CMP)
		return false;
	if (!plain) {
		unsigned n = modrm_length(p, address);

		if (!n)
			return false;
		p += n;
	} else if (!string) {
		p += address;
	}
	if (f->source == REG)
		s->reg = (int8_t)(reg | (x.rex & 4) << 1);
	else if (plain)
		s->reg = 0;
	if (s->width == 1 && f->source == REG && !x.rex && reg >= 4) {
		s->reg = reg & 3;
		s->shift = 8;
	}
	if (f->source == IMM || f->source == IMM8) {
		unsigned n = f->source == IMM8 ? 1 : s->width == 8 ? 4 : s->width;

		s->immediate = immediate(p, n);
		p += n;
	}
	s->address = string ? (uint8_t)address : 0;
	s->repeat = string && x.repeat;
	s->length = (uint8_t)(p - start);
	return p - start <= STORE_MAX_LENGTH;
}

/* A write to a register of 32 bits clears the upper half, a narrower one keeps the rest (APM vol. 1, 3.1.2.1). */
static void put(uint64_t *reg, unsigned width, unsigned shift, uint64_t v)
{
	uint64_t mask = UINT64_MAX >> (64 - 8 * width);

	*reg = width == 4 ? v & mask : (*reg & ~(mask << shift)) | (v & mask) << shift;
}

#define CF 1ULL
#define PF 4ULL
#define AF 0x10ULL
#define ZF 0x40ULL
#define SF 0x80ULL
#define OF 0x800ULL

/* Flags of r = a + b or a - b with the carries that the bits themselves show. */
static uint64_t flags_of(uint64_t a, uint64_t b, uint64_t r, bool subtract, uint64_t sign)
{
	uint64_t carries = subtract ? (~a & b) | (~(a ^ b) & r) : (a & b) | ((a | b) & ~r);
	uint64_t overflow = subtract ? (a ^ b) & (a ^ r) : (a ^ r) & (b ^ r);

	return (carries & sign ? CF : 0) | (overflow & sign ? OF : 0) | ((a ^ b ^ r) & AF);
}

static uint64_t flags_of_result(uint64_t r, uint64_t sign)
{
	return (__builtin_parityll(r & 0xff) ? 0 : PF) | (r & sign ? SF : 0) | (r & (sign | (sign - 1)) ? 0 : ZF);
}

static uint64_t execute(const struct store *s, uint64_t *gprs, uint64_t *rflags, uint64_t a, uint64_t b)
{
	uint64_t sign = 1ULL << (8 * s->width - 1), mask = sign | (sign - 1), bit = 1ULL << (b & (8 * s->width - 1));
	uint64_t carry = *rflags & CF, r, f, keep = 0;

	switch (s->op) {
	case STORE_MOV:
		return b;
	case STORE_XCHG:
		put(gprs + s->reg, s->width, s->shift, a);
		return b;
	case STORE_NOT:
		return ~a;
	case STORE_BTS:
	case STORE_BTR:
	case STORE_BTC: /* the others are undefined (APM) or unchanged (SDM) */
		*rflags = (*rflags & ~CF) | (a & bit ? CF : 0);
		return s->op == STORE_BTS ? a | bit : s->op == STORE_BTR ? a & ~bit : a ^ bit;
	case STORE_OR:
	case STORE_AND:
	case STORE_XOR:
		r = s->op == STORE_OR ? a | b : s->op == STORE_AND ? a & b : a ^ b;
		f = 0;
		break;
	case STORE_INC:
	case STORE_DEC:
		keep = CF;
		r = s->op == STORE_INC ? a + 1 : a - 1;
		f = flags_of(a, 1, r, s->op == STORE_DEC, sign);
		break;
	case STORE_NEG:
		r = -a;
		f = flags_of(0, a, r, true, sign);
		break;
	case STORE_CMPXCHG:
		r = gprs[0] - a;
		*rflags = (*rflags & ~(CF | PF | AF | ZF | SF | OF)) | flags_of(gprs[0], a, r, true, sign) |
		          flags_of_result(r, sign);
		if (!(r & mask))
			return b;
		put(gprs, s->width, 0, a);
		return a;
	case STORE_SBB:
	case STORE_SUB:
		r = a - b - (s->op == STORE_SBB ? carry : 0);
		f = flags_of(a, b, r, true, sign);
		break;
	default: /* ADD, ADC, XADD */
		r = a + b + (s->op == STORE_ADC ? carry : 0);
		f = flags_of(a, b, r, false, sign);
		if (s->op == STORE_XADD)
			put(gprs + s->reg, s->width, s->shift, a);
	}
	*rflags = (*rflags & (~(CF | PF | AF | ZF | SF | OF) | keep)) | (f & ~keep) | flags_of_result(r, sign);
	return r;
}

uint64_t store_execute(const struct store *s, uint64_t *gprs, uint64_t *rflags, uint64_t old, bool *done)
{
	uint64_t mask = UINT64_MAX >> (64 - 8 * s->width), source;

	source = s->reg < 0 ? s->immediate : gprs[s->reg] >> s->shift;
	old &= mask;
	uint64_t r = execute(s, gprs, rflags, old, source & mask) & mask;

	*done = true;
	if (s->address) { /* STOS: RDI by the width, up or down with DF */
		put(gprs + 7, s->address, 0, gprs[7] + (*rflags >> 10 & 1 ? -(uint64_t)s->width : s->width));
		if (s->repeat) {
			uint64_t left = (gprs[1] - 1) & UINT64_MAX >> (64 - 8 * s->address);

			put(gprs + 1, s->address, 0, left);
			*done = !left;
		}
	}
	return r;
}
