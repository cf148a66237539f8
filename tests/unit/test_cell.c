// SPDX-License-Identifier: Apache-2.0
// sources: hv/net/cell.c hv/core/pool.c hv/view/npt.c
/*
 * Cells, without a CPU that runs them: the head of an image, the two tables that are all a cell can reach, a start that
 * leaves nothing of the one before, and the time that it is given.
 */
#include "host.h"
#include "net/cell.h"
#include "core/pool.h"
#include "view/npt.h"
#include "x86.h"

enum { PAGES = 600, FILE_SIZE = 0x2a10, MEMORY = 0xc000, MAILBOX = 0x4000 };
static uint8_t region[PAGES * NL_PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t image[FILE_SIZE];
static struct nl_cell_room room;
static struct nl_cpu cpu = {.index = 3}, *kicked;
struct nl_cpu *nl_cpus[NL_MAX_CPUS] = {[3] = &cpu};
const struct nl_vendor *nl_vendor;
static uint32_t leaf7, leaf8; /* EDX of CPUID 7, EBX of 80000008 */
static char events[16];       /* b: a barrier, r: a run */
static enum nl_cell_end next_end;
static uint64_t takes, until_inside;
static uint32_t runner_inside;
static enum nl_err init_says;

void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	(void)sub;
	memset(r, 0, 16);
	r[EAX] = leaf & 0x80000000 ? 0x80000008 : 7;
	if (leaf == 7)
		r[EDX] = leaf7;
	if (leaf == 0x80000008)
		r[EBX] = leaf8;
}
void x86_wrmsr(uint32_t index, uint64_t value)
{
	assert_true(index == 0x49 && value == 1);
	strcat(events, "b");
}
static void kick(struct nl_cpu *c) { kicked = c; }
static struct nl_npt_format format;
static const struct nl_npt_format *format_of_machine(void) { return &format; }
const struct nl_vendor nl_vmx = {.format = format_of_machine, .kick = kick},
                       nl_svm = {.format = format_of_machine, .kick = kick};

static enum nl_err init(struct nl_cell *cell)
{
	assert_true(nl_is_zero(cell->control, NL_PAGE_SIZE) && nl_is_zero(cell->more, 4 * NL_PAGE_SIZE));
	return init_says;
}
static enum nl_cell_end run(struct nl_cpu *c, struct nl_cell *cell, uint64_t ticks)
{
	(void)ticks;
	assert_ptr_equal(c, &cpu);
	assert_ptr_equal(cell, &room.cell);
	strcat(events, "r");
	until_inside = room.until;
	runner_inside = room.runner;
	nl_cell_watch(&room); /* as another CPU would, at once, */
	assert_null(kicked);
	seam_tsc += takes;
	nl_cell_watch(&room); /* and when it has run so long */
	return next_end;
}
static enum nl_err not_this(struct nl_cell *cell) { return (void)cell, fail(), NL_EINTERNAL; }
static enum nl_cell_end nor_this(struct nl_cpu *c, struct nl_cell *cell, uint64_t ticks)
{
	return (void)c, (void)cell, (void)ticks, fail(), NL_CELL_FAULT;
}
static bool vmx;
static enum nl_err init_svm(struct nl_cell *cell) { return (vmx ? not_this : init)(cell); }
static enum nl_err init_vmx(struct nl_cell *cell) { return (vmx ? init : not_this)(cell); }
static enum nl_cell_end run_svm(struct nl_cpu *c, struct nl_cell *cell, uint64_t ticks)
{
	return (vmx ? nor_this : run)(c, cell, ticks);
}
static enum nl_cell_end run_vmx(struct nl_cpu *c, struct nl_cell *cell, uint64_t ticks)
{
	return (vmx ? run : nor_this)(c, cell, ticks);
}
const struct nl_cell_ops nl_cell_svm = {.init = init_svm, .run = run_svm},
                         nl_cell_vmx = {.init = init_vmx, .run = run_vmx};

static const struct nl_net_header good = {.magic = NL_NET_MAGIC,
                                          .version = NL_NET_VERSION,
                                          .image_size = FILE_SIZE,
                                          .text_end = 0x1000,
                                          .rodata_end = 0x2000,
                                          .memory_size = MEMORY,
                                          .mailbox = MAILBOX,
                                          .entry = 0x40,
                                          .stack = MEMORY};

static void choose(bool on_vmx)
{
	vmx = on_vmx;
	nl_vendor = vmx ? &nl_vmx : &nl_svm;
	format = vmx ? nl_npt_format_ept(true, 48) : nl_npt_format_npt(true, 48);
	memset(region, 0x5a, sizeof(region));
	nl_pool_init(region, HPA(0x70000000), PAGES);
	for (unsigned i = 0; i < FILE_SIZE; i++)
		image[i] = (uint8_t)(i * 7 + 1);
	memcpy(image, &good, sizeof(good));
	assert_int_equal(nl_cell_build(&room, image, FILE_SIZE), init_says);
}

static int setup(void **state)
{
	(void)state;
	leaf7 = leaf8 = 0;
	events[0] = 0;
	takes = 0;
	kicked = NULL;
	seam_tsc = 1000000;
	init_says = NL_OK;
	return 0;
}

/* --- The head --- */

static void head(void **state)
{
	const struct {
		size_t field;
		uint32_t value;
		bool good;
	} rows[] = {
#define ROW(field, value, good) {offsetof(struct nl_net_header, field), value, good}
	        ROW(magic, 0x4e4c4e45, false),
	        ROW(version, 0, false),
	        ROW(version, 2, false),
	        ROW(image_size, FILE_SIZE - 1, false), /* not that of the file */
	        ROW(image_size, FILE_SIZE + 1, false),
	        ROW(text_end, 0, false),
	        ROW(text_end, 0x1001, false),
	        ROW(text_end, 0x2000, true),
	        ROW(text_end, 0x3000, false), /* behind rodata_end */
	        ROW(text_end, 0x21000, false),
	        ROW(rodata_end, 0x2800, false),
	        ROW(rodata_end, 0x4000, true),
	        ROW(rodata_end, 0x5000, false), /* the mailbox would be in it */
	        ROW(rodata_end, 0xd000, false),
	        ROW(memory_size, 0, false),
	        ROW(memory_size, MEMORY + 1, false),
	        ROW(memory_size, 0x80000, true),
	        ROW(memory_size, 0x81000, false),
	        ROW(memory_size, 0xfffff000, false),
	        ROW(memory_size, 0xa000, false), /* less than the stack's end */
	        ROW(mailbox, 0x1000, false),
	        ROW(mailbox, 0x2000, true),
	        ROW(mailbox, 0x2010, false),
	        ROW(mailbox, 0x5000, true),
	        ROW(mailbox, 0x6000, false), /* the stack's end is inside */
	        ROW(mailbox, 0x7000, false), /* it is not all there */
	        ROW(mailbox, 0xfffff000, false),
	        ROW(entry, 0, false),
	        ROW(entry, 39, false),
	        ROW(entry, 40, true),
	        ROW(entry, 0xfff, true),
	        ROW(entry, 0x1000, false),
	        ROW(stack, 0x2000, false),
	        ROW(stack, 0x2010, true),
	        ROW(stack, 0x4000, true),
	        ROW(stack, 0x4010, false),
	        ROW(stack, 0xa000, false),
	        ROW(stack, 0xa010, true),
	        ROW(stack, MEMORY + 16, false),
	        ROW(stack, MEMORY - 8, false),
	        ROW(stack, 0xfffffff0, false)
#undef ROW
	};
	struct nl_net_header out;
	uint8_t file[FILE_SIZE] = {0};

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(rows); i++) {
		struct nl_net_header h = good;

		memcpy((uint8_t *)&h + rows[i].field, &rows[i].value, 4);
		if (h.memory_size == 0x80000 || rows[i].value == 0x5000)
			h.stack = h.memory_size;
		if (rows[i].field == offsetof(struct nl_net_header, mailbox) && rows[i].value == 0x6000)
			h.stack = 0xb000;
		if (rows[i].field == offsetof(struct nl_net_header, mailbox) && rows[i].value == 0x7000)
			h.stack = 0x4000;
		if (rows[i].field == offsetof(struct nl_net_header, text_end) && rows[i].value == 0x21000)
			h.rodata_end = 0x21000, h.memory_size = 0x40000, h.mailbox = 0x30000, h.stack = 0x40000;
		memset(&out, 0, sizeof(out));
		memcpy(file, &h, sizeof(h));
		if (nl_cell_check(file, sizeof(file), &out) != (rows[i].good ? NL_OK : NL_EUSAGE))
			fail_msg("offset %zu, value %x", rows[i].field, rows[i].value);
		assert_memory_equal(&out, rows[i].good ? &h : &(struct nl_net_header){0}, sizeof(h));
	}
	uint8_t *cut = malloc(sizeof(good) - 1); /* behind which the sanitizer sees every look */
	memcpy(cut, &good, sizeof(good) - 1);
	assert_int_equal(nl_cell_check(cut, sizeof(good) - 1, &out), NL_EUSAGE);
	free(cut);
}

/* A file that ends before its text does, and one that is larger than its memory. */
static void head_and_file(void **state)
{
	static uint8_t large[MEMORY + 1];
	struct nl_net_header h = good, out;

	(void)state;
	h.image_size = 0x60;
	memcpy(large, &h, sizeof(h));
	assert_int_equal(nl_cell_check(large, 0x60, &out), NL_OK);
	h.image_size = 0x40;
	memcpy(large, &h, sizeof(h));
	assert_int_equal(nl_cell_check(large, 0x40, &out), NL_EUSAGE); /* nothing stands at its entry */
	h.image_size = MEMORY + 1;
	memcpy(large, &h, sizeof(h));
	assert_int_equal(nl_cell_check(large, MEMORY + 1, &out), NL_EUSAGE);
}

/* --- Its memory --- */

/* Every page that four levels of 512 entries show, and through which entries. */
struct shown {
	uint64_t at, entry, all; /* all: the bits that every table on the way has */
};

static unsigned walk(uint64_t table, unsigned level, uint64_t at, uint64_t all, uint64_t (*read)(uint64_t),
                     struct shown *out)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < 512; i++) {
		uint64_t entry = read(table + 8 * i), here = at | i << (3 + 9 * level);

		if (!entry)
			continue;
		if (level > 1) {
			assert_false(entry >> 7 & 1);
			n += walk(entry & 0xffffffffff000, level - 1, here, all & entry, read, out + n);
		} else {
			out[n++] = (struct shown){here, entry, all};
		}
	}
	return n;
}

static uint64_t read_host(uint64_t pa) { return *(uint64_t *)nl_pool_va(HPA(pa)); }

static struct shown outer[600], inner[600];
static unsigned n_outer;
static uint64_t read_guest(uint64_t gpa) /* through the nested table */
{
	for (unsigned i = 0; i < n_outer; i++)
		if (outer[i].at == (gpa & ~NL_PAGE_MASK))
			return read_host((outer[i].entry & 0xffffffffff000) | (gpa & NL_PAGE_MASK));
	fail_msg("the cell's page tables lead to %lx", gpa);
	return 0;
}

static void tables(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		choose(i);
		n_outer = walk(room.cell.root.v, 4, 0, ~0ULL, read_host, outer);
		unsigned n_inner = walk(room.cell.cr3.v, 4, 0, ~0ULL, read_guest, inner);

		assert_int_equal(n_inner, MEMORY / NL_PAGE_SIZE);
		assert_int_equal(n_outer, MEMORY / NL_PAGE_SIZE + 4); /* and its page tables, */
		for (unsigned k = n_inner; k < n_outer; k++)          /* which are not executed */
			assert_false(vmx ? outer[k].entry & 4 : !(outer[k].entry >> 63));
		for (unsigned k = 0; k < n_inner; k++) {
			uint64_t at = NL_NET_BASE + k * NL_PAGE_SIZE, in = inner[k].entry, out = outer[k].entry;
			bool text = k < 1, data = k >= 2;

			assert_int_equal(inner[k].at, at);
			assert_int_equal(in & 0xffffffffff000, at);
			assert_int_equal(outer[k].at, at);
			assert_ptr_equal(nl_pool_va(HPA(out & 0xffffffffff000)), room.memory + k * NL_PAGE_SIZE);
			assert_int_equal(in & 0x8000000000000fff, (text ? 0 : 1ULL << 63) | (data ? 0x67 : 0x65));
			assert_int_equal(inner[k].all & 7, 7);
			if (vmx)
				assert_int_equal(out & 0xfff, (text ? 5 : data ? 3 : 1) | 6 << 3);
			else
				assert_int_equal(out & 0x8000000000000fff,
				                 (text ? 0 : 1ULL << 63) | (data ? 0x67 : 0x65));
		}
	}
}

static void started(const char *what)
{
	const struct nl_cell *c = &room.cell;
	struct nl_gprs zero = {.rsp = NL_NET_BASE + MEMORY, .rdi = vmx ? NL_NET_VMX : NL_NET_SVM};

	if (memcmp(room.memory, image, FILE_SIZE) || !nl_is_zero(room.memory + FILE_SIZE, MEMORY - FILE_SIZE))
		fail_msg("%s: memory", what);
	assert_memory_equal(&c->gprs, &zero, sizeof(zero));
	assert_int_equal(c->rip, NL_NET_BASE + 0x40);
	assert_int_equal(c->rflags, 2);
	assert_int_equal(c->on, NL_CELL_NOWHERE);
	assert_int_equal(room.spent, 0);
}

static void anew(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		choose(i);
		started("built");
		assert_ptr_equal(nl_cell_mailbox(&room), room.memory + MAILBOX);
		memset(room.memory, 0xee, MEMORY);
		memset(&room.cell.gprs, 0xee, sizeof(room.cell.gprs));
		room.cell.rip = room.cell.rflags = room.spent = 77;
		room.cell.on = 0;
		nl_cell_start(&room);
		started("started");
	}
}

static void refused(void **state)
{
	(void)state;
	init_says = NL_EUNSUPPORTED;
	choose(true);
	image[0]++;
	assert_int_equal(nl_cell_build(&room, image, FILE_SIZE), NL_EUSAGE);
	image[0]--;
	for (unsigned pages = 2; pages < 26; pages++) { /* of which one is the pool's own */
		nl_pool_init(region, HPA(0x70000000), pages);
		assert_int_equal(nl_cell_build(&room, image, FILE_SIZE), NL_ENOMEM);
	}
	nl_pool_init(region, HPA(0x70000000), 26);
	assert_int_equal(nl_cell_build(&room, image, FILE_SIZE), NL_EUNSUPPORTED);
}

/* --- Its time --- */

static void runs(enum nl_cell_end end, uint64_t ticks_it_takes, enum nl_cell_end seen)
{
	kicked = NULL;
	events[0] = 0;
	next_end = end;
	takes = ticks_it_takes;
	assert_int_equal(nl_cell_run(&cpu, &room, 1000), seen);
	assert_int_equal(runner_inside, 3);
	assert_in_range(until_inside, seam_tsc - ticks_it_takes + 990, seam_tsc - ticks_it_takes + 1000);
	assert_int_equal(room.until, 0);
	assert_ptr_equal(kicked, ticks_it_takes > 1000 ? &cpu : NULL);
	kicked = NULL;
	seam_tsc += 5000;
	nl_cell_watch(&room);
	assert_null(kicked);
}

static void time_of_a_run(void **state)
{
	(void)state;
	choose(false);
	runs(NL_CELL_TIME, 1500, NL_CELL_TIME);
	assert_in_range(room.spent, 1500, 1510);
	runs(NL_CELL_LEFT, 500, NL_CELL_LEFT);
	assert_in_range(room.spent, 2000, 2020);
	runs(NL_CELL_LEFT, 1500, NL_CELL_TIME); /* by the kick of who watches */
	assert_in_range(room.spent, 3500, 3530);
	runs(NL_CELL_CALL, 1500, NL_CELL_CALL); /* it came all the same */
	assert_int_equal(room.spent, 0);
	runs(NL_CELL_FAULT, 10, NL_CELL_FAULT);
	assert_string_equal(events, "r"); /* this CPU has no barrier */
}

static void barriers(void **state)
{
	(void)state;
	leaf7 = 1u << 26;
	choose(true);
	runs(NL_CELL_CALL, 10, NL_CELL_CALL);
	assert_string_equal(events, "brb");
	leaf7 = 0;
	leaf8 = 1u << 12;
	choose(false);
	runs(NL_CELL_LEFT, 10, NL_CELL_LEFT);
	assert_string_equal(events, "brb");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        T(head), T(head_and_file), T(tables), T(anew), T(refused), T(time_of_a_run), T(barriers),
	};

	return cmocka_run_group_tests_name("cell", tests, NULL, NULL);
}
