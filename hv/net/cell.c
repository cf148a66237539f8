// SPDX-License-Identifier: Apache-2.0
/*
 * Cells: see cell.h. Guest-physical and linear addresses of a cell are the same, NL_NET_BASE and up; behind the largest
 * image lie its page tables, which it has no linear address for. Nested table and page tables are written once, before
 * the first run, so that no translation of them is ever stale.
 */
#include "net/cell.h"
#include "core/core.h"
#include "core/pool.h"
#include "view/npt.h"
#include "x86.h"

#define TABLES (NL_NET_BASE + NL_NET_MAX) /* where the cell's page tables are to it: PML4, PDPT, PD, PT */
#define LEVELS 4u
_Static_assert(NL_NET_BASE % NL_2M == 0 && NL_NET_MAX + LEVELS * NL_PAGE_SIZE <= NL_2M, "one table of pages is enough");

/* SDM vol. 3, 5.5; accessed and dirty from the start, so that no walk writes to them */
#define PTE_PRESENT 1ULL
#define PTE_WRITE 2ULL
#define PTE_USER 4ULL
#define PTE_USED 0x60ULL
#define PTE_NX (1ULL << 63)

#define MSR_PRED_CMD 0x49
#define IBPB 1u

static bool page_aligned(uint32_t at) { return !(at & NL_PAGE_MASK); }

enum nl_err nl_cell_check(const void *image, size_t size, struct nl_net_header *out)
{
	struct nl_net_header h;

	if (size < sizeof(h))
		return NL_EUSAGE;
	memcpy(&h, image, sizeof(h)); /* wherever it lies */
	if (h.magic != NL_NET_MAGIC || h.version != NL_NET_VERSION || h.image_size != size)
		return NL_EUSAGE;
	if (!page_aligned(h.text_end) || !page_aligned(h.rodata_end) || !page_aligned(h.memory_size) ||
	    !page_aligned(h.mailbox) || h.stack % 16)
		return NL_EUSAGE;
	if (h.text_end > NL_NET_TEXT_MAX || h.rodata_end < h.text_end || h.memory_size > NL_NET_MAX ||
	    h.image_size > h.memory_size)
		return NL_EUSAGE;
	if (h.entry < sizeof(h) || h.entry >= h.text_end || h.entry >= h.image_size)
		return NL_EUSAGE;
	if (h.mailbox < h.rodata_end || h.mailbox > h.memory_size ||
	    h.memory_size - h.mailbox < sizeof(struct nl_net_mailbox))
		return NL_EUSAGE;
	if (h.stack <= h.rodata_end || h.stack > h.memory_size ||
	    (h.stack > h.mailbox && h.stack - h.mailbox <= sizeof(struct nl_net_mailbox)))
		return NL_EUSAGE;
	*out = h;
	return NL_OK;
}

static uint64_t nested(const struct nl_npt_format *f, hpa_t frame, enum nl_rights rights)
{
	return f->leaf | frame.v | f->right_r | (rights & NL_W ? f->right_w : 0) |
	       (rights & NL_X ? f->right_x : f->right_nx) | (f->has_type ? (uint64_t)NL_MT_WB << f->type_shift : 0);
}

/* Both kinds of tables have one way down, to the 2 MiB at NL_NET_BASE: from each the entry that leads to the next. */
static uint64_t *way_down(uint64_t *tables, uint64_t bits, uint64_t address_of_first)
{
	for (unsigned level = LEVELS, i = 0; level > 1; level--, i++)
		tables[i * 512 + (NL_NET_BASE >> (3 + 9 * level) & 511)] =
		        bits | (address_of_first + (i + 1) * NL_PAGE_SIZE);
	return tables + (LEVELS - 1) * 512;
}

static void map(struct nl_cell_room *room, uint64_t *nested_tables, uint64_t *own_tables)
{
	const struct nl_npt_format *f = nl_vendor->format();
	uint64_t *outer = way_down(nested_tables, f->table, nl_pool_hpa(nested_tables).v);
	uint64_t *inner = way_down(own_tables, PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_USED, TABLES);

	for (uint32_t at = 0; at < room->head.memory_size; at += NL_PAGE_SIZE) {
		bool text = at < room->head.text_end, data = at >= room->head.rodata_end;

		*outer++ = nested(f, nl_pool_hpa(room->memory + at), text ? NL_RX : data ? NL_RW : NL_R);
		*inner++ = PTE_PRESENT | PTE_USER | PTE_USED | (data ? PTE_WRITE : 0) | (text ? 0 : PTE_NX) |
		           (NL_NET_BASE + at);
	}
	/* To be walked: SVM takes each walk for a write of a user (APM vol. 2, 15.25.5). */
	outer = nested_tables + (LEVELS - 1) * 512 + NL_NET_MAX / NL_PAGE_SIZE;
	for (unsigned i = 0; i < LEVELS; i++)
		outer[i] = nested(f, nl_pool_hpa(own_tables + i * 512), NL_RW);
	room->cell.root = nl_pool_hpa(nested_tables);
	room->cell.cr3 = GPA(TABLES);
}

static const struct nl_cell_ops *ops(void) { return nl_vendor == &nl_vmx ? &nl_cell_vmx : &nl_cell_svm; }

enum nl_err nl_cell_build(struct nl_cell_room *room, const void *image, size_t size)
{
	uint64_t *tables;
	enum nl_err err;

	memset(room, 0, sizeof(*room));
	err = nl_cell_check(image, size, &room->head);
	if (err)
		return err;
	room->image = image;
	room->memory = nl_pool_bytes(room->head.memory_size);
	tables = nl_pool_run(2 * LEVELS);
	room->cell.control = nl_pool_page();
	room->cell.more = nl_pool_run(4);
	if (!room->memory || !tables || !room->cell.control || !room->cell.more)
		return NL_ENOMEM;
	map(room, tables, tables + LEVELS * 512);
	err = ops()->init(&room->cell);
	if (err)
		return err;
	/* Intel: CPUID 7, EDX 26; AMD: 80000008, EBX 12 */
	room->barrier = x86_cpuid_word(7, 0, EDX) >> 26 & 1 || x86_cpuid_word(0x80000008, 0, EBX) >> 12 & 1;
	nl_cell_start(room);
	return NL_OK;
}

void nl_cell_start(struct nl_cell_room *room)
{
	struct nl_cell *cell = &room->cell;

	memset(room->memory, 0, room->head.memory_size);
	memcpy(room->memory, room->image, room->head.image_size);
	cell->gprs = (struct nl_gprs){.rsp = NL_NET_BASE + room->head.stack,
	                              .rdi = nl_vendor == &nl_vmx ? NL_NET_VMX : NL_NET_SVM};
	cell->rip = NL_NET_BASE + room->head.entry;
	cell->rflags = 2;
	cell->on = NL_CELL_NOWHERE;
	room->spent = 0;
}

struct nl_net_mailbox *nl_cell_mailbox(const struct nl_cell_room *room)
{
	return (struct nl_net_mailbox *)(room->memory + room->head.mailbox);
}

/* What guest or cell has taught the predictor of indirect branches is not for the other. The core has no such branches
 * (NO_INDIRECT of its build). */
static void barrier(const struct nl_cell_room *room)
{
	if (room->barrier)
		x86_wrmsr(MSR_PRED_CMD, IBPB);
}

enum nl_cell_end nl_cell_run(struct nl_cpu *cpu, struct nl_cell_room *room, uint64_t ticks)
{
	uint64_t begun = x86_rdtsc(), ended;
	enum nl_cell_end end;

	barrier(room);
	room->runner = cpu->index;
	__atomic_store_n(&room->until, begun + ticks, __ATOMIC_SEQ_CST);
	end = ops()->run(cpu, &room->cell, ticks);
	__atomic_store_n(&room->until, 0, __ATOMIC_SEQ_CST);
	barrier(room);
	ended = x86_rdtsc();
	room->spent = end == NL_CELL_CALL ? 0 : room->spent + (ended - begun);
	return end == NL_CELL_LEFT && ended - begun >= ticks ? NL_CELL_TIME : end;
}

void nl_cell_watch(const struct nl_cell_room *room)
{
	uint64_t until = __atomic_load_n(&room->until, __ATOMIC_SEQ_CST);

	if (until && x86_rdtsc() > until)
		nl_vendor->kick(nl_cpus[room->runner]);
}
