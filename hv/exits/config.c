// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration space on the guest's behalf. Address and data are two writes, so a second CPU could change the address
 * between check and access: one lock covers both, and every write of the address. Ports of the pair are what the host
 * bridge takes for a dword at CF8 alone; a byte or word there is another device's (CF9 resets the machine).
 */
#include "exits/config.h"
#include "exits/windows.h"
#include "core/core.h"
#include "core/journal.h"
#include "mmio.h"
#include "view/base.h"
#include "x86.h"

#define ADDRESS NL_CONFIG_PORTS
#define DATA (NL_CONFIG_PORTS + 4)
#define SAID 8u /* refusals that console and journal hear of; all are counted */

static nl_lock_t lock;
static uint64_t ecam; /* 0: none that is known */
static unsigned buses;
static bool ports_can_hide; /* on a virtual machine */

static uint32_t veiled; /* the bit of the address that would name what is hidden */

uint64_t nl_config_page(uint16_t f) { return ecam && f >> 8 < buses ? ecam + ((uint64_t)f << 12) : 0; }

/* AMD: configuration space in memory wants AL, AX or EAX (PPR, "MMIO configuration coding requirements"). */
uint64_t nl_config_memory(uint64_t pa, unsigned width, bool write, uint64_t v)
{
	volatile void *p = x86_phys(HPA(pa));

#define ACCESS(n, reg) \
	if (width == (n) && write) \
		__asm__ volatile("mov %%" reg ", (%1)" : "+a"(v) : "r"(p) : "memory"); \
	else if (width == (n)) \
	__asm__ volatile("mov (%1), %%" reg : "+a"(v) : "r"(p) : "memory")
	ACCESS(1, "al");
	ACCESS(2, "ax");
	ACCESS(4, "eax");
	ACCESS(8, "rax");
	return v;
}

/* With the lock held, or before any other CPU runs. Registers behind the first 256 are there in memory only. */
uint32_t nl_config_peek(uint16_t function, unsigned reg, unsigned width)
{
	if (nl_config_page(function))
		return (uint32_t)nl_config_memory(nl_config_page(function) + reg, width, false, 0);
	uint32_t before = x86_inl(ADDRESS), v;
	x86_outl(ADDRESS, 1u << 31 | (reg & 0xf00) << 16 | (uint32_t)function << 8 | (reg & 0xfc));
	v = x86_in(DATA + (reg & 3), width);
	x86_outl(ADDRESS, before);
	return v;
}

static bool may_write(struct nl_cpu *cpu, uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	const char *name = nl_windows_refuse(function, reg, width, value);

	if (name && nl_counts.config_refused++ < SAID) {
		nl_log("newleaf: CPU %u: write of %lx to register %x of function %x refused: %s\n", cpu->index, value,
		       reg, function, name);
		nl_journal(NL_EV_CONFIG, NL_EPOLICY, NULL, NULL, (uint64_t)function << 12 | reg, value);
	}
	return !name;
}

/*
 * Bits 27 to 24 of the address are the register's upper ones where AMD's northbridge is told so, else nothing. The
 * host bridge takes these ports before any device sees them; QEMU lets the ports of a device win, so that what reads as
 * the address need not be the one in force when the data come: there they go where the check was, by memory.
 */
static void write_data(struct nl_cpu *cpu, uint16_t port, unsigned width, uint32_t value)
{
	uint32_t address = x86_inl(ADDRESS), reg = (address & 0xfc) | (port & 3), upper = address >> 16 & 0xf00;
	uint16_t function = (uint16_t)(address >> 8);
	bool enabled = address >> 31, by_memory = ports_can_hide && nl_config_page(function);

	if (enabled && (!may_write(cpu, function, reg, width, value) ||
	                (upper && !may_write(cpu, function, upper | reg, width, value))))
		return;
	if (!by_memory)
		x86_out(port, width, value);
	else if (enabled)
		nl_config_memory(nl_config_page(function) + reg, width, true, value);
}

/* Within one dword, as the bus has it. */
static uint32_t access(struct nl_cpu *cpu, uint16_t port, unsigned width, bool in, uint32_t value)
{
	if (in)
		return x86_in(port, width) | (port == ADDRESS && width == 4 ? veiled : 0);
	if (port == ADDRESS && width == 4) /* without an address all ones are read, as of an empty slot */
		value ^= veiled = nl_hides((uint16_t)(value >> 8)) ? value & 1u << 31 : 0;
	if ((port & ~3) == DATA)
		write_data(cpu, port, width, value);
	else
		x86_out(port, width, value);
	return 0;
}

uint32_t nl_config_port(struct nl_cpu *cpu, uint16_t port, unsigned width, bool in, uint32_t value)
{
	uint32_t v = 0;

	nl_lock(&lock);
	if ((port & 3) + width <= 4)
		v = access(cpu, port, width, in, value);
	else
		for (unsigned i = 0; i < width; i++)
			v |= access(cpu, (uint16_t)(port + i), 1, in, (uint8_t)(value >> 8 * i)) << 8 * i;
	nl_unlock(&lock);
	return v;
}

bool nl_config_store(struct nl_cpu *cpu, gpa_t gpa)
{
	uint64_t offset = gpa.v - ecam;
	uint16_t function = (uint16_t)(offset >> 12);
	unsigned reg = offset & 0xfff;
	struct store s;

	if ((!ecam || offset >= (uint64_t)buses << 20) && !nl_hide_meets(gpa.v, 1))
		return false;
	cpu->exits[NL_CAUSE_CONFIG]++;
	if (!mmio_decode(cpu, gpa, &s))
		return true;
	/* Else over the end of the page, or where a card is hidden: nobody's register. */
	bool inside = reg + s.width <= NL_PAGE_SIZE && !nl_hide_meets(gpa.v, 1);
	nl_lock(&lock);
	uint64_t old = inside && store_reads(&s) ? nl_config_memory(gpa.v, s.width, false, 0) : nl_hide_nothing;
	uint64_t v = mmio_execute(cpu, &s, old);
	if (inside && may_write(cpu, function, reg, s.width, v))
		nl_config_memory(gpa.v, s.width, true, v);
	nl_unlock(&lock);
	return true;
}

/* efi/hostmap.c: all below 4 GiB, and with pages of 1 GiB all below 512. */
enum nl_err nl_config_init(void)
{
	enum nl_err err = nl_windows_init();
	uint64_t base = err ? 0 : nl_windows_ecam(&buses);

	if (!base)
		return err;
	uint64_t end = base + ((uint64_t)buses << 20);
	if (end > nl_boot.direct_size) {
		nl_log("newleaf: configuration space at %lx is out of reach\n", base);
		return NL_EMACHINE;
	}
	if (base < nl_boot.region + nl_boot.region_size && nl_boot.region < end)
		return NL_EWINDOW;
	ecam = base;
	ports_can_hide = x86_cpuid_word(1, 0, ECX) >> 31;
	for (unsigned f = 0; f < buses << 8 && !err; f++)
		if (nl_windows_watched((uint16_t)f))
			err = nl_base_page(GPA(nl_config_page((uint16_t)f)), HPA(nl_config_page((uint16_t)f)), NL_R);
	return err;
}
