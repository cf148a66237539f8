// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's store to a watched page: the bytes at RIP, the decoder (store.c), and the one page that is watched here,
 * the local APIC's. The other, the functions' configuration space, is hv/exits/config.c.
 */
#include "apic.h"
#include "mmio.h"
#include "core/core.h"
#include "guest/guest.h"
#include "x86.h"

bool mmio_decode(struct nl_cpu *cpu, gpa_t gpa, struct store *s)
{
	uint8_t bytes[STORE_BYTES] = {0};
	static uint32_t logged;
	struct nl_context c;

	nl_vendor->context(cpu, &c);
	if (c.n_bytes)
		memcpy(bytes, c.bytes, c.n_bytes);
	unsigned bits = c.long_mode ? 64 : c.code32 ? 32 : 16;
	if ((c.n_bytes || nl_guest_fetch(&c, c.rip, bytes, STORE_MAX_LENGTH)) && store_decode(bytes, bits, s))
		return true;
	if (logged++ < 8)
		nl_log("newleaf: CPU %u: store to %lx at %lx not understood: %x %x %x %x\n", cpu->index, gpa.v, c.rip,
		       bytes[0], bytes[1], bytes[2], bytes[3]);
	nl_vendor->inject(cpu, 13, true, 0);
	return false;
}

uint64_t mmio_execute(struct nl_cpu *cpu, const struct store *s, uint64_t old)
{
	struct nl_context c;

	nl_vendor->context(cpu, &c);
	uint64_t v = store_execute(s, &cpu->gprs.rax, &c.rflags, old);
	nl_vendor->set_flags(cpu, c.rflags);
	nl_vendor->skip(cpu, s->length);
	return v;
}

static void apic_write(struct nl_cpu *cpu, uint32_t offset, uint32_t value)
{
	volatile uint32_t *page = x86_phys(HPA(APIC_DEFAULT_BASE));

	apic_note_write(cpu, offset, value);
	if (offset == APIC_ICR_LOW)
		apic_guest_icr(cpu, (uint64_t)page[APIC_ICR_HIGH / 4] << 32 | value, false);
	else if (offset != APIC_ID) /* CPUs are known by the ID the firmware gave them */
		page[offset / 4] = value;
}

/*
 * A register is the first 32 bits of 16 bytes; what touches the other twelve is undefined and does nothing here, and
 * narrower stores are the model's business (SDM vol. 3, 11.4.1; APM vol. 2, 16.3.2): they change their bytes of the
 * register, which is then written as a whole, so that no piece of an ICR passes by.
 */
void apic_guest_mmio(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	uint32_t offset = exit->npf.gpa.v & 0xff0, shift = (exit->npf.gpa.v & 15) * 8, old = 0;
	struct store s;

	if (!mmio_decode(cpu, exit->npf.gpa, &s))
		return;
	uint32_t mask = shift < 32 ? (uint32_t)(UINT64_MAX >> (64 - 8 * s.width)) << shift : 0;
	if (store_reads(&s) || mask != UINT32_MAX)
		old = *(volatile uint32_t *)x86_phys(HPA(APIC_DEFAULT_BASE + offset));
	uint64_t v = mmio_execute(cpu, &s, shift < 32 ? old >> shift : 0);
	if (mask)
		apic_write(cpu, offset, (old & ~mask) | ((uint32_t)v << shift & mask));
}
