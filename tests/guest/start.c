// SPDX-License-Identifier: Apache-2.0
/*
 * The test kernel's EFI half: options, memory map, ACPI's list of CPUs; then ExitBootServices and kernel_main on a
 * stack of its own.
 */
#include <efi.h>

#include "kernel.h"

struct machine machine;
static EFI_SYSTEM_TABLE *st; /* not libefi's: its memset and memcpy may use SSE */

/* --- Options: words anywhere in LoadOptions (the firmware's shell puts the program's name first) --- */

static bool word_at(const CHAR16 *s, const char *word, const CHAR16 **rest)
{
	while (*word && *s == (CHAR16)*word)
		s++, word++;
	*rest = s;
	return !*word;
}

static void copy_word(char *to, size_t max, const CHAR16 *from)
{
	size_t n = 0;

	for (; n < max - 1 && from[n] > L' ' && from[n] < 0x7f; n++)
		to[n] = (char)from[n];
	to[n] = '\0';
}

static unsigned number(const CHAR16 *from)
{
	unsigned n = 0;

	while (*from >= L'0' && *from <= L'9')
		n = n * 10 + (unsigned)(*from++ - L'0');
	return n;
}

static uint64_t hexadecimal(const CHAR16 *from)
{
	uint64_t n = 0;

	for (; (*from >= L'0' && *from <= L'9') || (*from >= L'a' && *from <= L'f'); from++)
		n = n * 16 + (uint64_t)(*from <= L'9' ? *from - L'0' : *from - L'a' + 10);
	return n;
}

static void parse_options(const CHAR16 *s, size_t n)
{
	static CHAR16 text[sizeof(machine.only) + 128];
	const CHAR16 *rest;

	machine.scale = 100;
	for (size_t i = 0; i < n && i < NL_ARRAY_SIZE(text) - 1; i++)
		text[i] = s[i];
	for (const CHAR16 *p = text; *p; p++) {
		if (p != text && p[-1] != L' ')
			continue;
		if (word_at(p, "bare", &rest))
			machine.bare = true;
		else if (word_at(p, "scale=", &rest))
			machine.scale = number(rest);
		else if (word_at(p, "only=", &rest))
			copy_word(machine.only, sizeof(machine.only), rest);
		else if (word_at(p, "card=", &rest))
			machine.card = (uint32_t)hexadecimal(rest);
		else if (word_at(p, "ports=", &rest))
			machine.ports = (uint32_t)hexadecimal(rest);
		else if (word_at(p, "place=", &rest))
			machine.place = hexadecimal(rest);
		else if (word_at(p, "size=", &rest))
			machine.place_size = hexadecimal(rest);
		else if (word_at(p, "mode=", &rest))
			copy_word(machine.mode, sizeof(machine.mode), rest);
	}
}

/* --- ACPI: enabled CPUs of the MADT (ACPI 6.4, 5.2.12) --- */

struct sdt {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

static void read_madt(const struct sdt *madt)
{
	const uint8_t *p = (const uint8_t *)madt + sizeof(*madt) + 8, *end = (const uint8_t *)madt + madt->length;

	for (; p + 2 <= end && p[1] >= 2; p += p[1]) {
		if (p[0] != 0 || !(p[4] & 1) || p[3] == machine.apic_ids[0] || machine.n_cpus == MAX_CPUS)
			continue;
		machine.apic_ids[machine.n_cpus++] = p[3];
	}
}

static void find_cpus(void)
{
	static EFI_GUID acpi = ACPI_20_TABLE_GUID;
	const uint8_t *rsdp = NULL;
	uint32_t r[4];

	cpuid(1, 0, r);
	machine.apic_ids[0] = r[1] >> 24;
	machine.n_cpus = 1;
	cpuid(0, 0, r);
	machine.intel = r[1] == 0x756e6547; /* "Genu" */
	for (UINTN i = 0; i < st->NumberOfTableEntries; i++)
		if (!memcmp(&st->ConfigurationTable[i].VendorGuid, &acpi, sizeof(acpi)))
			rsdp = st->ConfigurationTable[i].VendorTable;
	if (!rsdp)
		return; /* Bochs: one CPU */
	const struct sdt *xsdt = *(const struct sdt *const *)(rsdp + 24);
	for (uint32_t at = sizeof(*xsdt); xsdt && at + 8 <= xsdt->length; at += 8) {
		const struct sdt *t;
		memcpy(&t, (const uint8_t *)xsdt + at, sizeof(t));
		if (!memcmp(t->signature, "APIC", 4))
			read_madt(t);
	}
}

/* --- Memory --- */

#define HEAP_PAGES 2048u

static bool allocate(UINTN pages, uint64_t max, uint64_t *out)
{
	EFI_PHYSICAL_ADDRESS a = max;

	if (EFI_ERROR(st->BootServices->AllocatePages(AllocateMaxAddress, EfiLoaderData, pages, &a)))
		return false;
	*out = a;
	return true;
}

static EFI_STATUS leave_firmware(EFI_HANDLE image)
{
	static uint8_t map[65536] __attribute__((aligned(8)));
	UINTN size = sizeof(map), key, step;
	UINT32 version;
	EFI_STATUS s = st->BootServices->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map, &key, &step, &version);

	if (EFI_ERROR(s))
		return s;
	for (uint8_t *p = map; p < map + size; p += step) {
		const EFI_MEMORY_DESCRIPTOR *d = (EFI_MEMORY_DESCRIPTOR *)p;

		machine.high_ram |= d->Type == EfiConventionalMemory && d->PhysicalStart >= 4 * NL_1G;
		if (d->Type == EfiReservedMemoryType && d->PhysicalStart < MAPPED_TOP &&
		    machine.n_reserved < NL_ARRAY_SIZE(machine.reserved)) {
			machine.reserved[machine.n_reserved].base = d->PhysicalStart;
			machine.reserved[machine.n_reserved++].size = d->NumberOfPages * NL_PAGE_SIZE;
		}
	}
	s = st->BootServices->ExitBootServices(image, key);
	if (EFI_ERROR(s))
		machine.n_reserved = 0;
	return s;
}

/*
 * --- The other CPUs while they are the firmware's ---
 * An NMI makes them run what stands in their IDT, which anybody may write. Each firmware has a place of its own for it,
 * so every table of gates in memory is taken for one: 32 gates with the selector and the type of the boot CPU's.
 */

void firmware_nmi(void);
extern volatile uint32_t firmware_nmi_counts[2];

static bool is_idt(const uint64_t *gates, uint64_t kind)
{
	for (unsigned i = 0; i < 32; i++)
		if ((gates[2 * i] & 0x0000ffffffff0000) != kind || gates[2 * i + 1])
			return false;
	return true;
}

static void take_gates(uint8_t *from, uint8_t *end, uint64_t kind)
{
	uint64_t at = (uint64_t)firmware_nmi;

	for (; from + 512 <= end; from += 8)
		if (is_idt((uint64_t *)from, kind)) {
			((uint64_t *)from)[2 * NMI] = kind | (at & 0xffff) | (at >> 16 & 0xffff) << 48;
			from += 504;
		}
}

static void nmi_to_firmware_cpus(void)
{
	static uint8_t map[65536] __attribute__((aligned(8)));
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr;
	UINTN size = sizeof(map), key, step;
	UINT32 version;

	if (EFI_ERROR(st->BootServices->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map, &key, &step, &version)))
		return;
	__asm__ volatile("sidt %0" : "=m"(idtr));
	for (uint8_t *p = map; p < map + size; p += step) {
		const EFI_MEMORY_DESCRIPTOR *d = (EFI_MEMORY_DESCRIPTOR *)p;

		if (d->Type == EfiBootServicesData || d->Type == EfiBootServicesCode)
			take_gates((uint8_t *)d->PhysicalStart,
			           (uint8_t *)d->PhysicalStart + d->NumberOfPages * NL_PAGE_SIZE,
			           *(uint64_t *)idtr.base & 0x0000ffffffff0000);
	}
	for (unsigned i = 1; i < machine.n_cpus; i++) {
		apic_send(machine.apic_ids[i], ICR_NMI | ICR_ASSERT);
		WAIT(firmware_nmi_counts[0] >= i);
	}
	machine.firmware_nmis = firmware_nmi_counts[0];
	machine.firmware_seen = firmware_nmi_counts[1];
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_STATUS s;
	static EFI_GUID loaded_image = LOADED_IMAGE_PROTOCOL;

	st = table;
	if (EFI_ERROR(st->BootServices->HandleProtocol(image, &loaded_image, (void **)&loaded)))
		return EFI_LOAD_ERROR;
	parse_options(loaded->LoadOptions, loaded->LoadOptionsSize / sizeof(CHAR16));
	find_cpus();
	if (!allocate(1, 0x9efff, &machine.low[0]) || !allocate(1, 0x9efff, &machine.low[1]) ||
	    !allocate(HEAP_PAGES, UINT32_MAX, &machine.heap)) {
		st->ConOut->OutputString(st->ConOut, L"test kernel: out of memory\r\n");
		return EFI_OUT_OF_RESOURCES;
	}
	machine.heap_end = machine.heap + HEAP_PAGES * NL_PAGE_SIZE;
	st->BootServices->SetWatchdogTimer(0, 0, 0, NULL);
	uint64_t start = tsc();
	st->BootServices->Stall(20000);
	machine.tsc_hz = (tsc() - start) * 50;
	nmi_to_firmware_cpus();
	s = leave_firmware(image); /* the first call may change the map that it was given */
	if (EFI_ERROR(s))
		s = leave_firmware(image);
	if (EFI_ERROR(s))
		return s;
	uint64_t stack = (machine.heap_end -= 16 * NL_PAGE_SIZE) + 16 * NL_PAGE_SIZE;
	__asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1" ::"r"(stack), "r"(kernel_main) : "memory");
	__builtin_unreachable();
}
