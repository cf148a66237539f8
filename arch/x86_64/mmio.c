// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's write to the local APIC page. The address is known from the nested fault; what is needed is the value and
 * the instruction's length. Knows the stores that operating systems and firmware use for 32-bit device registers (MOV,
 * XCHG); anything else gets #GP and is logged.
 */
#include "ap.h"
#include "apic.h"
#include "view/current.h"
#include "core/core.h"
#include "guest/guestmem.h"
#include "x86.h"

struct store {
	unsigned length;
	uint32_t value;
	int exchange; /* number of the register that gets the old value, -1 = none */
};

/* Length of ModRM, SIB and displacement (APM vol. 3, 1.4). 64-bit and 32-bit addressing are alike here. */
static unsigned modrm_length(const uint8_t *p)
{
	unsigned mod = p[0] >> 6, rm = p[0] & 7, n = 1;

	if (mod == 3)
		return 0;
	if (rm == 4) {
		n++;
		if (mod == 0 && (p[1] & 7) == 5)
			return n + 4;
	}
	if (mod == 0 && rm == 5)
		return n + 4;
	return n + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

bool nl_fetch(const struct nl_context *c, uint64_t rip, uint8_t *out, size_t n)
{
	uint64_t at = c->long_mode ? rip : (uint32_t)(c->cs_base + rip);
	size_t first = NL_PAGE_SIZE - (at & NL_PAGE_MASK);
	struct nl_guest g;

	if (!(c->cr0 & CR0_PG)) { /* firmware, perhaps in memory that its map calls reserved: where code runs, bytes can
		                     be read */
		enum nl_rights rights;
		hpa_t pa;

		if (!nl_view_walk(nl_views(), nl_current_view(), GPA(at), &pa, &rights, NULL, NULL) || !(rights & NL_X))
			return false;
		memcpy(out, x86_phys(pa), first < n ? first : n);
		return true;
	}
	if (!(c->efer & EFER_LMA)) /* 32-bit paging: nothing that runs under us uses it any more */
		return false;
	nl_guest_init(&g, nl_views(), nl_current_view(), c->cr3, c->cr4 & CR4_LA57);
	if (nl_guest_read(&g, GVA(at), NL_GUEST_READ, out, first < n ? first : n))
		return false;
	if (first < n && nl_guest_read(&g, GVA(at + first), NL_GUEST_READ, out + first, n - first))
		memset(out + first, 0, n - first); /* the next page need not exist if the instruction ends before it */
	return true;
}

static uint64_t *gpr(struct nl_cpu *cpu, unsigned n) { return &cpu->gprs.rax + n; }

/* p holds 15 readable bytes. Operand size must be 32 bits: that is all the APIC's registers take (SDM vol. 3, 11.4.1).
 */
static bool decode(struct nl_cpu *cpu, const uint8_t *p, bool long_mode, struct store *s)
{
	const uint8_t *start = p;
	uint8_t rex = 0;
	bool short_address = !long_mode; /* 67 makes moffs 32 bits wide (APM vol. 3, 1.2.3) */

	while (*p == 0x67 || *p == 0x2e || *p == 0x3e || *p == 0x26 || *p == 0x36 || *p == 0x64 || *p == 0x65 ||
	       *p == 0xf0)
		short_address |= *p++ == 0x67;
	if (long_mode && (*p & 0xf0) == 0x40)
		rex = *p++;
	if (rex & 8)
		return false;
	uint8_t op = *p++;
	unsigned reg = (p[0] >> 3 & 7) | (rex & 4) << 1;
	s->exchange = -1;
	if (op == 0xa3) { /* MOV moffs32, EAX */
		s->value = (uint32_t)cpu->gprs.rax;
		p += short_address ? 4 : 8;
	} else {
		unsigned n = modrm_length(p);
		if (!n)
			return false;
		if (op == 0x89 || op == 0x87) {
			s->value = (uint32_t)*gpr(cpu, reg);
			s->exchange = op == 0x87 ? (int)reg : -1;
		} else if (op == 0xc7 && (p[0] >> 3 & 7) == 0) {
			memcpy(&s->value, p + n, 4);
			n += 4;
		} else {
			return false;
		}
		p += n;
	}
	s->length = (unsigned)(p - start);
	return s->length <= 15;
}

static void apic_write(struct nl_cpu *cpu, uint32_t offset, uint32_t value)
{
	volatile uint32_t *page = x86_phys(HPA(APIC_DEFAULT_BASE));

	ap_note_apic_write(cpu, offset, value);
	if (offset == APIC_ICR_LOW)
		apic_guest_icr(cpu, (uint64_t)page[APIC_ICR_HIGH / 4] << 32 | value, false);
	else if (offset != APIC_ID) /* CPUs are known by the ID the firmware gave them */
		page[offset / 4] = value;
}

bool apic_guest_mmio(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	volatile uint32_t *page = x86_phys(HPA(APIC_DEFAULT_BASE));
	uint32_t offset = exit->npf.gpa.v & 0xfff;
	struct nl_context c;
	struct store s;
	uint8_t bytes[32] = {0}; /* decode() may look past the 15 when another CPU changes them meanwhile */

	nl_vendor->context(cpu, &c);
	if (c.n_bytes)
		memcpy(bytes, c.bytes, c.n_bytes);
	bool ok = c.n_bytes || nl_fetch(&c, c.rip, bytes, 15);
	if (!ok || !decode(cpu, bytes, c.long_mode, &s)) {
		nl_log("newleaf: CPU %u: APIC write at %lx not understood: %02x %02x %02x %02x\n", cpu->index, c.rip,
		       bytes[0], bytes[1], bytes[2], bytes[3]);
		nl_vendor->inject(cpu, 13, true, 0);
		return false;
	}
	if (s.exchange >= 0)
		*gpr(cpu, (unsigned)s.exchange) = page[offset / 4];
	if (!(offset & 15))
		apic_write(cpu, offset, s.value);
	nl_vendor->skip(cpu, s.length);
	return true;
}
