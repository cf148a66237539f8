// SPDX-License-Identifier: Apache-2.0
/*
 * The decoder and the arithmetic of store.h. Opcodes: APM vol. 3, appendix A; flags: each instruction's page there.
 */
#include "store.h"

enum source { REG, IMM, IMM8, ACC };
enum { ANY = -1 };

/* Opcodes are compared under the mask. Bit 0 of an opcode whose mask leaves it out says byte (0) or operand size. */
static const struct form {
	uint8_t opcode, mask;
	int8_t extension; /* that the reg field of ModRM must have; ANY */
	uint8_t op;       /* enum store_op */
	uint8_t source;
} forms[] = {
        {0x88, 0xfe, ANY, STORE_MOV, REG},  {0xc6, 0xfe, 0, STORE_MOV, IMM},
        {0xa2, 0xfe, ANY, STORE_MOV, ACC}, /* to an offset without ModRM */
        {0x86, 0xfe, ANY, STORE_XCHG, REG}, {0x08, 0xfe, ANY, STORE_OR, REG},
        {0x20, 0xfe, ANY, STORE_AND, REG},  {0x80, 0xfe, 1, STORE_OR, IMM},
        {0x80, 0xfe, 4, STORE_AND, IMM},    {0x83, 0xff, 1, STORE_OR, IMM8},
        {0x83, 0xff, 4, STORE_AND, IMM8},
};

struct prefixes {
	bool operand, address;
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
		else if ((*p & 0xe7) != 0x26 && *p != 0xf0 && (*p & 0xfe) != 0xf2 &&
		         (*p & 0xfe) != 0x64) /* segments, LOCK, REP */
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

static const struct form *find(const uint8_t *p)
{
	for (const struct form *f = forms; f < forms + NL_ARRAY_SIZE(forms); f++)
		if ((p[0] & f->mask) == f->opcode && (f->extension == ANY || f->extension == (p[1] >> 3 & 7)))
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
	unsigned full = x.rex & 8 ? 8 : (bits == 16) == x.operand ? 4 : 2;
	unsigned address = bits == 64 ? (x.address ? 4 : 8) : (bits == 16) == x.address ? 4 : 2;
	const struct form *f = find(p);

	if (!f)
		return false;
	uint8_t opcode = *p++, reg = p[0] >> 3 & 7;
	unsigned n = f->source == ACC ? address : modrm_length(p, address);

	if (!n)
		return false;
	p += n;
	*s = (struct store){.width = (f->mask | opcode) & 1 ? (uint8_t)full : 1, .op = f->op, .reg = -1};
	if (f->source == REG)
		s->reg = (int8_t)(reg | (x.rex & 4) << 1);
	else if (f->source == ACC)
		s->reg = 0;
	if (s->width == 1 && f->source == REG && !x.rex && reg >= 4) {
		s->reg = reg & 3;
		s->shift = 8;
	}
	if (s->reg < 0) {
		n = f->source == IMM8 ? 1 : s->width == 8 ? 4 : s->width;
		s->immediate = immediate(p, n);
		p += n;
	}
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

uint64_t store_execute(const struct store *s, uint64_t *gprs, uint64_t *rflags, uint64_t old)
{
	uint64_t sign = 1ULL << (8 * s->width - 1), mask = sign | (sign - 1);
	uint64_t source = (s->reg < 0 ? s->immediate : gprs[s->reg] >> s->shift) & mask, r;

	if (s->op == STORE_XCHG)
		put(gprs + s->reg, s->width, s->shift, old);
	if (s->op == STORE_MOV || s->op == STORE_XCHG)
		return source;
	r = (s->op == STORE_OR ? old | source : old & source) & mask;
	*rflags &= ~(CF | PF | AF | ZF | SF | OF);
	*rflags |= (__builtin_parityll(r & 0xff) ? 0 : PF) | (r & sign ? SF : 0) | (r ? 0 : ZF);
	return r;
}
