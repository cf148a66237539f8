// SPDX-License-Identifier: Apache-2.0
/*
 * The memory that the operating system will never own: the region and the trampoline page, both EfiReservedMemoryType,
 * and what the loader puts into the region.
 */
#include <cpuid.h>

#include "hostmap.h"
#include "loader.h"
#include "ranges.h"

#define TRAMPOLINE_TOP 0x9efff /* below the extended BIOS data area, and with room for a SIPI vector */

static uint64_t allocate(uint64_t pages, uint64_t max)
{
	EFI_PHYSICAL_ADDRESS a = max;

	return EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, EfiReservedMemoryType, pages, &a)) ? 0 : a;
}

static void release(uint64_t base, uint64_t end)
{
	if (end > base)
		BS->FreePages(base, (end - base) / NL_PAGE_SIZE);
}

enum nl_err memory_reserve(struct loader *l)
{
	const uint64_t slack = NL_2M - NL_PAGE_SIZE;
	uint64_t run = allocate((NL_REGION_SIZE + slack) / NL_PAGE_SIZE, UINT32_MAX);

	if (!run) {
		say_why(L"no %d MiB of free memory in one piece below 4 GiB", NL_REGION_SIZE >> 20);
		return NL_EMEMORY;
	}
	l->region = (run + slack) & ~(NL_2M - 1);
	release(run, l->region);
	release(l->region + NL_REGION_SIZE, run + NL_REGION_SIZE + slack);

	l->trampoline = allocate(1, TRAMPOLINE_TOP);
	if (!l->trampoline) { /* page 0 counts as none: it is nobody's idea of a place for code */
		say_why(L"no free page below 1 MiB, which the other CPUs need to start");
		return NL_EMEMORY;
	}
	return NL_OK;
}

void memory_release(struct loader *l)
{
	if (l->region)
		release(l->region, l->region + NL_REGION_SIZE);
	if (l->trampoline)
		release(l->trampoline, l->trampoline + NL_PAGE_SIZE);
	l->region = l->trampoline = 0;
}

static bool is_ram(UINT32 type)
{
	switch (type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiRuntimeServicesCode:
	case EfiRuntimeServicesData:
	case EfiConventionalMemory:
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return true;
	default: /* reserved: the firmware's own, and our region, which is nobody's memory any more */
		return false;
	}
}

bool memory_is_free(uint64_t base, uint64_t size)
{
	UINTN n, key, each;
	UINT32 version;
	EFI_MEMORY_DESCRIPTOR *map = LibMemoryMap(&n, &key, &each, &version);
	bool is = false;

	for (UINTN i = 0; map && i < n && !is; i++) {
		EFI_MEMORY_DESCRIPTOR *d = (EFI_MEMORY_DESCRIPTOR *)((uint8_t *)map + i * each);
		uint64_t bytes = d->NumberOfPages * NL_PAGE_SIZE;

		is = d->Type == EfiConventionalMemory && base >= d->PhysicalStart && size <= bytes &&
		     base - d->PhysicalStart <= bytes - size;
	}
	if (map)
		FreePool(map);
	return is;
}

static enum nl_err fill_ranges(struct nl_boot_block *b)
{
	UINTN n, key, size;
	UINT32 version;
	EFI_MEMORY_DESCRIPTOR *map = LibMemoryMap(&n, &key, &size, &version);

	if (!map) {
		say_why(L"the firmware gives no memory map");
		return NL_EFIRMWARE;
	}
	for (UINTN i = 0; i < n; i++) {
		EFI_MEMORY_DESCRIPTOR *d = (EFI_MEMORY_DESCRIPTOR *)((uint8_t *)map + i * size);

		if (is_ram(d->Type) && !nl_ranges_add(b, d->PhysicalStart, d->NumberOfPages * NL_PAGE_SIZE)) {
			FreePool(map);
			say_why(L"memory is in more than %d pieces", NL_MAX_RANGES);
			return NL_EMACHINE;
		}
	}
	FreePool(map);
	if (b->n_ranges == 0) {
		say_why(L"the firmware's memory map shows no memory");
		return NL_EFIRMWARE;
	}
	return NL_OK;
}

static void ask_paging(struct nl_hostmap *m)
{
	unsigned a, b, c, d;

	m->phys_bits = __get_cpuid(0x80000008, &a, &b, &c, &d) ? a & 0xff : 36; /* SDM vol. 3, 4.1.4 */
	if (!__get_cpuid(0x80000001, &a, &b, &c, &d))
		d = 0;
	m->has_1g = d >> 26 & 1;
}

enum nl_err memory_fill(struct loader *l)
{
	uint8_t *region = (uint8_t *)l->region;
	uint64_t image = (l->core->memory_size + NL_PAGE_MASK) & ~NL_PAGE_MASK;
	struct nl_hostmap m = {.region = region, .region_pa = l->region, .image_size = image};
	enum nl_err e;

	BS->SetMem(region, NL_REGION_SIZE,
	           0); /* the firmware's: gnu-efi's goes byte by byte, which an emulator feels */
	CopyMem(region, (void *)l->core, l->core->image_size);
	l->boot = (struct nl_boot_block *)(region + image);
	e = fill_ranges(l->boot);
	if (e)
		return e;

	m.next = image + ((sizeof(*l->boot) + NL_PAGE_MASK) & ~NL_PAGE_MASK);
	l->boot->panic = l->region + m.next;
	panic_hand_over(l);
	m.next += NL_PANIC_SIZE;
	m.limit = NL_REGION_ARENA_TEXT;
	m.ram_top = l->boot->ranges[l->boot->n_ranges - 1].base + l->boot->ranges[l->boot->n_ranges - 1].size;
	ask_paging(&m);
	if (nl_hostmap_build(&m, &l->boot->host_cr3)) {
		say_why(L"the host page table does not fit into the region");
		return NL_EMACHINE;
	}
	l->boot->magic = NL_BOOT_MAGIC;
	l->boot->version = NL_BOOT_VERSION;
	l->boot->size = sizeof(*l->boot);
	l->boot->region = l->region;
	l->boot->free_start = m.next;
	l->boot->trampoline = l->trampoline;
	return NL_OK;
}
