// SPDX-License-Identifier: Apache-2.0
/*
 * The memory that the operating system will never own: the region, of EfiReservedMemoryType, and what the loader puts
 * into it.
 */
#include "hostmap.h"
#include "loader.h"
#include "ranges.h"

#define EFI_MEMORY_SPECIAL 0x40000ULL /* UEFI 2.10, 7.2.3: EFI_MEMORY_SP, meant for somebody else */

static uint64_t allocate(EFI_ALLOCATE_TYPE how, uint64_t pages, uint64_t at)
{
	EFI_PHYSICAL_ADDRESS a = at;

	return EFI_ERROR(BS->AllocatePages(how, EfiReservedMemoryType, pages, &a)) ? 0 : a;
}

static void release(uint64_t base, uint64_t end)
{
	if (end > base)
		BS->FreePages(base, (end - base) / NL_PAGE_SIZE);
}

struct pieces {
	uint8_t *map;
	UINTN n, step, at;
};

/* One piece of the firmware's map after the other, from {0} on; NULL: that was all, or there is no map. */
static const EFI_MEMORY_DESCRIPTOR *next(struct pieces *p)
{
	UINTN key;
	UINT32 version;

	if (!p->map && !(p->map = (uint8_t *)LibMemoryMap(&p->n, &key, &p->step, &version)))
		say_why(L"the firmware gives no memory map");
	if (p->map && p->at < p->n)
		return (const EFI_MEMORY_DESCRIPTOR *)(p->map + p->step * p->at++);
	if (p->map)
		FreePool(p->map);
	return NULL;
}

/*
 * The highest free place for the region in [low, top), asked for by its address: by itself firmware prefers what is
 * below 4 GiB, and aligns to no more than a page.
 */
static uint64_t reserve(uint64_t size, uint64_t low, uint64_t top)
{
	struct pieces all = {0};
	uint64_t best = 0;

	for (const EFI_MEMORY_DESCRIPTOR *d; (d = next(&all));) {
		uint64_t end = d->PhysicalStart + d->NumberOfPages * NL_PAGE_SIZE, at;

		if (d->Type != EfiConventionalMemory || (d->Attribute & EFI_MEMORY_SPECIAL))
			continue;
		at = ((end < top ? end : top) - size) & ~(NL_2M - 1);
		if (end > size && at >= d->PhysicalStart && at >= low && at > best)
			best = at;
	}
	return best ? allocate(AllocateAddress, size / NL_PAGE_SIZE, best) : 0;
}

/* A firmware with SMM of its own has moved SMBASE for all CPUs, and says so (PI 1.8, vol. 4, 2.4.1). */
static bool firmware_has_smm(void)
{
	static EFI_GUID base2 = {0xf4ccbfb7, 0xf6e0, 0x47fd, {0x9d, 0xd4, 0x10, 0xa8, 0xf1, 0x50, 0xc1, 0x91}};
	void *protocol;

	return !EFI_ERROR(LibLocateProtocol(&base2, &protocol));
}

/* Else SMIs come here, into memory that a guest could write: the handler is one RSM. */
static bool reserve_smi(void)
{
	uint8_t *handler = (uint8_t *)NL_SMI_HANDLER;

	if (!allocate(AllocateAddress, (NL_SMI_END - NL_SMI_HANDLER) / NL_PAGE_SIZE, NL_SMI_HANDLER))
		return false;
	BS->SetMem(handler, NL_SMI_END - NL_SMI_HANDLER, 0);
	handler[0] = 0x0f;
	handler[1] = 0xaa;
	return true;
}

static void ask_paging(struct nl_hostmap *m)
{
	unsigned bits = x86_cpuid_word(0x80000008, 0, EAX) & 0xff;

	m->phys_bits = bits ? bits : 36; /* SDM vol. 3, 4.1.4 */
	m->has_1g = x86_cpuid_word(0x80000001, 0, EDX) >> 26 & 1;
	m->la57 = x86_read_cr4() & CR4_LA57;
}

enum nl_err memory_reserve(struct loader *l)
{
	struct nl_hostmap m = {.ram_top = UINT64_MAX - NL_1G}; /* RAM is mapped wherever it is */

	ask_paging(&m);
	/* Above 4 GiB no message that a device sends by a 32-bit address can reach the region. */
	l->region = reserve(NL_REGION_SIZE(l->n_cpus), 4 * NL_1G, nl_hostmap_top(&m));
	if (!l->region)
		l->region = reserve(NL_REGION_SIZE(l->n_cpus), 0, 4 * NL_1G);
	if (!l->region)
		return refuse(NL_EMEMORY, L"no %d MiB of free memory in one piece", NL_REGION_SIZE(l->n_cpus) >> 20);
	if (firmware_has_smm())
		return NL_OK;
	l->smi_page = reserve_smi();
	if (l->smi_page)
		return NL_OK;
	return refuse(NL_EFIRMWARE, L"this firmware has no SMM of its own, and the place of SMIs, %lx, is not free",
	              NL_SMI_HANDLER);
}

void memory_release(struct loader *l)
{
	if (l->boot_va) /* the core, and its keys, for a boot that has not come */
		BS->SetMem((void *)(l->region + NL_REGION_CORE), l->boot->left - l->region - NL_REGION_CORE, 0);
	if (l->region)
		release(l->region, l->region + NL_REGION_SIZE(l->n_cpus));
	l->region = 0;
	if (l->smi_page)
		release(NL_SMI_HANDLER, NL_SMI_END);
	l->smi_page = false;
}

#define PERSISTENT_MEMORY 14 /* since UEFI 2.5 */

static bool is_ram(UINT32 type)
{
	/* not what is reserved: the firmware's own, and our region, which is nobody's memory any more */
	return (type >= EfiLoaderCode && type <= EfiConventionalMemory) || type == EfiACPIReclaimMemory ||
	       type == EfiACPIMemoryNVS || type == PERSISTENT_MEMORY;
}

bool memory_is_free(uint64_t base, uint64_t size)
{
	struct pieces all = {0};
	bool is = false;

	for (const EFI_MEMORY_DESCRIPTOR *d; (d = next(&all));) {
		uint64_t bytes = d->NumberOfPages * NL_PAGE_SIZE;

		is |= d->Type == EfiConventionalMemory && base >= d->PhysicalStart && size <= bytes &&
		      base - d->PhysicalStart <= bytes - size;
	}
	return is;
}

/* Of the region, too: the guest runs what stands in its arena. */
static enum nl_err fill_ranges(struct nl_boot_block *b, uint64_t region, uint64_t size)
{
	struct pieces all = {0};
	bool fit = true;

	for (const EFI_MEMORY_DESCRIPTOR *d; (d = next(&all));)
		if (is_ram(d->Type))
			fit = nl_ranges_add(b, d->PhysicalStart, d->NumberOfPages * NL_PAGE_SIZE) && fit;
	if (!all.map)
		return NL_EFIRMWARE;
	fit = nl_ranges_add(b, region, size) && fit;
	if (!fit)
		return refuse(NL_EMACHINE, L"memory is in more than %d pieces", NL_MAX_RANGES);
	return NL_OK;
}

/* The next pages of the region for `size` bytes, which may have content. Physical. */
static uint64_t place(struct nl_hostmap *m, const void *content, uint64_t size)
{
	uint64_t at = m->next;

	m->next += (size + NL_PAGE_MASK) & ~NL_PAGE_MASK;
	if (content)
		CopyMem(m->region + at, (void *)content, size);
	return m->region_pa + at;
}

enum nl_err memory_fill(struct loader *l)
{
	uint8_t *region = (uint8_t *)l->region;
	const struct nl_core_header *core = &image_core;
	uint64_t boot = NL_REGION_CORE + ((core->memory_size + NL_PAGE_MASK) & ~NL_PAGE_MASK);
	struct nl_boot_block *b = (struct nl_boot_block *)(region + boot);
	struct nl_hostmap m = {.region = region,
	                       .region_pa = l->region,
	                       .region_size = NL_REGION_SIZE(l->n_cpus),
	                       .text = NL_REGION_CORE,
	                       .rodata = NL_REGION_CORE + core->text_end,
	                       .data = NL_REGION_CORE + core->rodata_end};
	enum nl_err e;

	/* The firmware's: gnu-efi's goes byte by byte, which an emulator feels. */
	BS->SetMem(region, m.region_size, 0);
	CopyMem(region + NL_REGION_CORE, (void *)core, core->image_size);
	l->boot = b;
	e = fill_ranges(b, l->region, m.region_size);
	if (e)
		return e;

	m.next = boot + ((sizeof(*b) + NL_PAGE_MASK) & ~NL_PAGE_MASK);
	b->left = place(&m, l->left, sizeof(*l->left));
	for (unsigned i = 0; i < NL_FILES; i++)
		b->files[i] = (struct nl_boot_range){place(&m, l->files[i].data, l->files[i].size), l->files[i].size};
	m.ram_top = b->ranges[b->n_ranges - 1].base + b->ranges[b->n_ranges - 1].size;
	ask_paging(&m);
	if ((uint64_t)&e >= nl_hostmap_top(&m) || (uint64_t)memory_fill >= nl_hostmap_top(&m))
		return refuse(NL_EMACHINE, L"the firmware put this program beyond what the core maps");
	if (nl_hostmap_build(&m))
		return refuse(NL_EMACHINE, L"the host page table does not fit into the region");
	b->magic = NL_BOOT_MAGIC;
	b->version = NL_BOOT_VERSION;
	b->size = sizeof(*b);
	b->region = l->region;
	b->smi_page = l->smi_page;
	b->region_size = m.region_size;
	b->free_start = m.next;
	b->host_cr3 = m.host_cr3;
	b->launch_cr3 = l->launch_cr3 = m.launch_cr3;
	b->direct_size = nl_hostmap_top(&m);
	l->entry_va = core->entry_va;
	l->boot_va = NL_CORE_VA + boot;
	return NL_OK;
}
