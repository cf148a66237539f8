// SPDX-License-Identifier: Apache-2.0
/* The fake guest: see fakeguest.h. */
#include "core/cpu.h"
#include "fakeguest.h"
#include "host.h"
#include "view/base.h"
#include "commit/commit.h"
#include "guest/guestmem.h"
#include "core/pool.h"
#include "x86.h"
#include <sys/mman.h>

#define POOL_OFFSET (NL_REGION_CORE + 0x100000ULL)
#define P 0x1ULL
#define W 0x2ULL
#define U 0x4ULL
#define PS 0x80ULL

/* Where things lie in RAM. */
enum {
	KERNEL_L3 = 0x100000,
	KERNEL_L2 = 0x101000,
	DIRECT_L3 = 0x102000,
	DIRECT_L2 = 0x103000,
	KERNEL_L4 = 0x104000,
	USER_TOP = 0x106000, /* a pair of pages: kernel half, user half */
	USER_L4 = 0x108000,
	USER_L3 = 0x109000,
	USER_L2 = 0x10a000,
	USER_L1 = 0x10b000,
	ENTRY_L3 = 0x10c000,
	ENTRY_L2 = 0x10d000,
	ENTRY_L1 = 0x10e000,
	ENTRY_L4 = 0x10f000,
	USER_HALF_L4 = 0x110000,
	USER_PAGES = 0x200000,
	PER_CPU_AREA = 0x300000,
	OBJECTS = 0x400000,
};

/* Offsets in the fake task_struct, signal_struct, kprobe and rq: unlike any real ones. */
enum {
	T_STACK = 0x18,
	T_ON_CPU = 0x24, /* one byte, as from 7.2 on: what stands beside it is never 0 */
	T_BESIDE = 0x25,
	T_ON_RQ = 0x26, /* two bytes: no kernel's yet */
	T_PID = 0x28,
	T_COMM = 0x30,
	T_TASKS = 0x48,
	T_SIGNAL = 0x60,
	T_NODE = 0x70,
	T_SP = 0x90,
	T_CFS_NODE = 0xa0,
	T_RT_NODE = 0xb0,
	T_RT_GROUP = 0xc0,
	T_EXT_NODE = 0xd0,
	T_CLASS = 0xe0,
	TASK = 0x200
};
enum {
	Q_TASKS = 0x4,
	Q_CFS = 0x8,
	Q_RT = 0xc,
	Q_EXT = 0x10,
	Q_CFS_TASKS = 0x20,
	Q_EXT_TASKS = 0x30,
	Q_DL_BW = 0x40,
	Q_FAIR_BW = 0x50,
	Q_EXT_BW = 0x60,
	Q_ATTACHED = 0x8, /* from the bandwidth of a server */
	Q_STOP = 0x70,
	Q_CURR = 0x78,
	Q_RT_QUEUES = 0x80,
};
#define ATTACHED 0x4
enum { S_HEAD = 0x20, SIGNAL = 0x100 };
enum { KP_HLIST = 0x10, KP_ADDR = 0x28, KPROBE = 0x40 };
#define IDLE_THREADS 0x40ULL
#define IRQ_STACK 0x48ULL
#define RUNQUEUES 0x80ULL
enum { SLOTS_PAGES = 0x28, SLOTS_LIST = 0x8, SLOTS_INSNS = 0x20, SLOTS_RECORD = 0x40 };

struct fake_guest fg;
struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
const struct nl_vendor *nl_vendor;
static struct nl_npt_format format;
static struct nl_views views;

const struct nl_views *fg_views(void) { return &views; }

struct nl_cpu *nl_this_cpu(void) { return &fg.cpus[0]; }

void *nl_phys(hpa_t pa)
{
	if (pa.v < FG_RAM)
		return fg.ram + pa.v;
	assert_in_range(pa.v, FG_REGION, FG_REGION + NL_REGION_MAX - 1);
	return fg.region + (pa.v - FG_REGION);
}

bool nl_is_guest_ram(gpa_t gpa) { return gpa.v < FG_RAM; }

static uint64_t *at64(uint64_t gpa) { return (uint64_t *)(fg.ram + gpa); }
static void put(uint64_t table, unsigned index, uint64_t entry) { at64(table)[index] = entry; }
static unsigned index_at(uint64_t va, unsigned level) { return va >> (12 + 9 * (level - 1)) & 0x1ff; }
static uint64_t direct(uint64_t gpa) { return FG_DIRECT + gpa; }

uint8_t *fg_image(uint64_t offset) { return fg.ram + FG_KERNEL + offset; }

uint8_t *fg_shown(uint64_t offset)
{
	uint8_t *at = nl_view_pointer(&views, nl_current_view(), GPA(FG_KERNEL + offset), NL_R);
	assert_non_null(at);
	return at;
}

uint8_t *fg_user(uint64_t va) { return fg.ram + USER_PAGES + (va - FG_USER); }

/* The kernel's own table: image, direct map, and the directory of the last GiB. */
static void build_kernel_tables(bool la57)
{
	uint64_t top = FG_KERNEL + FG_TOP, l4 = la57 ? KERNEL_L4 : top, va = FG_LINK + fg.slide, i;

	if (la57)
		put(top, 511, KERNEL_L4 | P | W);
	put(l4, 511, KERNEL_L3 | P | W);
	put(l4, index_at(FG_DIRECT, 4), DIRECT_L3 | P | W);
	put(DIRECT_L3, 0, DIRECT_L2 | P | W);
	for (i = 0; i < FG_RAM / NL_2M; i++)
		put(DIRECT_L2, (unsigned)i, i * NL_2M | P | W | PS);
	put(KERNEL_L3, index_at(va, 3), KERNEL_L2 | P | W);
	for (i = 0; i < FG_IMAGE / NL_2M; i++)
		put(KERNEL_L2, index_at(va, 2) + (unsigned)i, (FG_KERNEL + i * NL_2M) | P | W | PS);
	put(KERNEL_L3, 511, (FG_KERNEL + FG_ARENA_PMD) | P | W);
}

/* A process: user pages, and the kernel either whole or, in the user half under page table isolation, its entry page
 * alone. */
static void build_process(bool la57, bool pti)
{
	uint64_t kernel_top = FG_KERNEL + FG_TOP, half = pti ? USER_TOP + 0x1000 : USER_TOP,
	         entry = FG_LINK + fg.slide + FG_SYSCALL, l4, i;

	memcpy(at64(USER_TOP), at64(kernel_top), NL_PAGE_SIZE);
	if (la57)
		put(USER_TOP, 0, USER_L4 | P | W | U);
	put(la57 ? USER_L4 : USER_TOP, 0, USER_L3 | P | W | U);
	put(USER_L3, 0, USER_L2 | P | W | U);
	put(USER_L2, index_at(FG_USER, 2), USER_L1 | P | W | U);
	for (i = 0; i < FG_USER_SIZE / NL_PAGE_SIZE; i++)
		put(USER_L1, index_at(FG_USER, 1) + (unsigned)i, (USER_PAGES + i * NL_PAGE_SIZE) | P | W | U);
	put(USER_L1, index_at(FG_USER, 1) + (unsigned)i, (USER_PAGES + i * NL_PAGE_SIZE) | P | U);
	if (pti) {
		put(half, 0, la57 ? USER_L4 | P | W | U : USER_L3 | P | W | U);
		l4 = la57 ? ENTRY_L4 : half;
		if (la57)
			put(half, 511, ENTRY_L4 | P);
		put(l4, 511, ENTRY_L3 | P);
		put(ENTRY_L3, index_at(entry, 3), ENTRY_L2 | P);
		put(ENTRY_L2, index_at(entry, 2), ENTRY_L1 | P);
		put(ENTRY_L1, index_at(entry, 1), (FG_KERNEL + FG_SYSCALL) | P);
	}
	fg.user_cr3 = half | 0x5; /* with a PCID */
}

static void fill_target(void)
{
	struct nl_leaf_target *t = &fg.target;
	unsigned i;

	memset(t, 0, sizeof(*t));
	t->kernel = (struct nl_leaf_object){
	        .kind = NL_OBJECT_KERNEL,
	        .n_regions = NL_KERNEL_REGIONS,
	        .name = "vmlinux",
	        .build_id_len = 20,
	        .build_id_offset = FG_BUILD_ID,
	        .regions = {{.kind = NL_MEM_IMAGE, .size = FG_IMAGE, .base = FG_LINK},
	                    {.kind = NL_MEM_TEXT, .size = FG_RODATA - FG_TEXT, .base = FG_LINK + FG_TEXT},
	                    {.kind = NL_MEM_RODATA, .size = FG_TOP - FG_RODATA, .base = FG_LINK + FG_RODATA}},
	};
	for (i = 0; i < t->kernel.build_id_len; i++)
		t->kernel.build_id[i] = (uint8_t)(0x30 + i);
	t->guest_os = NL_GUEST_LINUX;
	t->syscall_entry = FG_LINK + FG_SYSCALL;
	t->page_table = FG_LINK + FG_TOP;
	t->arena_pmd = FG_LINK + FG_ARENA_PMD;
	t->return_thunk = FG_LINK + FG_RETURN_THUNK;
	t->return_default = FG_LINK + FG_THUNK_DEFAULT;
	t->return_plain = FG_LINK + FG_THUNK_PLAIN;
	t->indirect_thunks = FG_LINK + FG_INDIRECT_THUNKS;
	t->its_thunks = FG_LINK + FG_ITS_THUNKS;
	t->returns[0] = (struct nl_leaf_run){FG_PROBE_RETURN, 96};
	t->returns[1] = (struct nl_leaf_run){FG_GRAPH_RETURN, 64};
	t->nowhere[0] = (struct nl_leaf_run){FG_ENTRY, 0x1000};
	t->nowhere[1] = (struct nl_leaf_run){FG_NOINSTR, 0x1000};
	t->nowhere[2] = (struct nl_leaf_run){FG_SWITCH_ASM, 0x80};
	t->nowhere[3] = (struct nl_leaf_run){FG_SWITCH, 0x200};
	t->irq_stack = IRQ_STACK;
	t->probe_slots[0] = FG_LINK + FG_SLOTS;
	t->probe_slots[1] = FG_LINK + FG_SLOTS + 0x100;
	t->slots_pages = SLOTS_PAGES;
	t->slots_list = SLOTS_LIST;
	t->slots_insns = SLOTS_INSNS;
	t->kprobe_table = FG_LINK + FG_KPROBES;
	t->init_task = FG_LINK + FG_INIT_TASK;
	t->per_cpu_offset = FG_LINK + FG_PER_CPU;
	t->idle_threads = IDLE_THREADS;
	t->runqueues = RUNQUEUES;
	t->ext_class = FG_LINK + FG_EXT_CLASS;
	t->cfs_bandwidth = FG_LINK + FG_BANDWIDTH;
	t->nr_cpu_ids = FG_LINK + FG_NR_CPUS;
	t->nr_cpu_ids_max = 64;
	t->kprobe_hash_bits = 6;
	t->kprobe_hlist = KP_HLIST;
	t->kprobe_addr = KP_ADDR;
	t->task_tasks = T_TASKS;
	t->task_thread_node = T_NODE;
	t->task_signal = T_SIGNAL;
	t->signal_thread_head = S_HEAD;
	t->task_stack = T_STACK;
	t->task_thread_sp = T_SP;
	t->task_pid = T_PID;
	t->task_comm = T_COMM;
	t->task_on_cpu = (struct nl_leaf_field){T_ON_CPU, 1};
	t->task_on_rq = (struct nl_leaf_field){T_ON_RQ, 2};
	t->task_class = T_CLASS;
	t->task_cfs_node = T_CFS_NODE;
	t->task_rt_node = T_RT_NODE;
	t->task_ext_node = T_EXT_NODE;
	t->task_rt_group = T_RT_GROUP;
	t->rq_cfs_tasks = Q_CFS_TASKS;
	t->rq_rt_queues = Q_RT_QUEUES;
	t->rq_ext_tasks = Q_EXT_TASKS;
	t->rq_tasks = Q_TASKS;
	t->rq_cfs = Q_CFS;
	t->rq_rt = Q_RT;
	t->rq_ext = Q_EXT;
	t->rq_curr = Q_CURR;
	t->rq_stop = Q_STOP;
	t->rq_dl_bw = Q_DL_BW;
	t->rq_server_bw[0] = Q_FAIR_BW;
	t->rq_server_bw[1] = Q_EXT_BW;
	t->server_attached = Q_ATTACHED;
	t->server_attached_mask = ATTACHED;
	t->thread_size = FG_THREAD_SIZE;
}

static uint8_t *object(uint64_t va)
{
	return va >= FG_LINK ? fg_image(va - FG_LINK - fg.slide) : fg.ram + (va - FG_DIRECT);
}
static void set64(uint64_t va, uint64_t v) { memcpy(object(va), &v, 8); }
static void set32(uint64_t va, uint32_t v) { memcpy(object(va), &v, 4); }

static uint64_t get64(uint64_t va)
{
	uint64_t v;
	memcpy(&v, object(va), 8);
	return v;
}

static uint64_t allocate(uint64_t size, uint64_t align)
{
	fg.next_object = (fg.next_object + align - 1) & ~(align - 1);
	fg.next_object += size;
	assert_true(fg.next_object <= FG_KERNEL);
	return direct(fg.next_object - size);
}

static void list_append(uint64_t head, uint64_t node)
{
	uint64_t last = head;
	while (get64(last) != head)
		last = get64(last);
	set64(node, head);
	set64(last, node);
}

static void list_remove(uint64_t head, uint64_t node)
{
	uint64_t before = head;

	while (get64(before) != node)
		before = get64(before);
	set64(before, get64(node));
	set64(node, node);
}

static uint64_t queue_of(unsigned cpu) { return direct(PER_CPU_AREA + 0x1000 * (uint64_t)cpu + RUNQUEUES); }
static void add32(uint64_t va, int n) { set32(va, (uint32_t)((int)get64(va) + n)); }

/* Where a class keeps its tasks, their node in it, and its count. */
static void class_of(enum fg_class class, unsigned cpu, uint64_t *head, unsigned *node, uint64_t *count)
{
	static const unsigned heads[] = {Q_CFS_TASKS, Q_RT_QUEUES + 16 * 41, Q_EXT_TASKS};
	static const unsigned nodes[] = {T_CFS_NODE, T_RT_NODE, T_EXT_NODE};
	static const unsigned counts[] = {Q_CFS, Q_RT, Q_EXT};

	*head = queue_of(cpu) + heads[class];
	*node = nodes[class];
	*count = queue_of(cpu) + counts[class];
}

void fg_runs(uint64_t task, enum fg_class class, unsigned cpu)
{
	uint64_t head, count;
	unsigned node;

	class_of(class, cpu, &head, &node, &count);
	list_append(head, task + node);
	add32(count, 1);
	add32(queue_of(cpu) + Q_TASKS, 1);
	object(task + T_ON_RQ)[0] = 1;
	set64(task + T_CLASS, class == FG_EXT ? FG_LINK + fg.slide + FG_EXT_CLASS : 0);
}

void fg_sleeps(uint64_t task, enum fg_class class, unsigned cpu)
{
	uint64_t head, count;
	unsigned node;

	class_of(class, cpu, &head, &node, &count);
	list_remove(head, task + node);
	add32(count, -1);
	add32(queue_of(cpu) + Q_TASKS, -1);
	object(task + T_ON_RQ)[0] = 0;
}

uint8_t *fg_queue(unsigned cpu, uint32_t offset) { return object(queue_of(cpu) + offset); }
uint8_t *fg_object(uint64_t va) { return object(va); }

void fg_released(uint64_t task)
{
	list_remove(fg.target.init_task + fg.slide + T_TASKS, task + T_TASKS);
	set64(task + T_SIGNAL, 0);
}

uint64_t fg_task(const char *comm, uint64_t leader, unsigned words, uint64_t **stack)
{
	uint64_t task = allocate(TASK, 64), low = allocate(FG_THREAD_SIZE, FG_THREAD_SIZE),
	         sp = low + FG_THREAD_SIZE - 8ULL * words;
	uint64_t signal = leader ? get64(leader + T_SIGNAL) : allocate(SIGNAL, 64);

	*fg_image(FG_INDIRECT_THUNKS) = 0xff;
	set64(task + T_STACK, low);
	set64(task + T_SP, sp);
	set32(task + T_PID, ++fg.next_pid);
	memcpy(object(task + T_COMM), comm, strlen(comm) + 1);
	set64(task + T_SIGNAL, signal);
	if (!leader) {
		set64(signal + S_HEAD, signal + S_HEAD);
		list_append(fg.target.init_task + fg.slide + T_TASKS, task + T_TASKS);
	}
	list_append(signal + S_HEAD, task + T_NODE);
	if (stack)
		*stack = (uint64_t *)object(sp);
	object(task + T_BESIDE)[0] = 1;
	set64(task + T_EXT_NODE, task + T_EXT_NODE);
	fg_runs(task, FG_FAIR, 0);
	return task;
}

void fg_task_on_cpu(uint64_t task, bool on_cpu) { object(task + T_ON_CPU)[0] = on_cpu; }

uint64_t fg_kprobe(uint64_t addr)
{
	uint64_t kp = allocate(KPROBE, 64), head = fg.target.kprobe_table + fg.slide + 8 * (addr >> 3 & 63);

	set64(kp + KP_ADDR, addr);
	set64(kp + KP_HLIST, get64(head));
	set64(head, kp + KP_HLIST);
	return kp + KP_HLIST;
}

void fg_no_kprobes(uint64_t addr) { set64(fg.target.kprobe_table + fg.slide + 8 * (addr >> 3 & 63), 0); }

uint64_t *fg_slots(unsigned cache, uint64_t page)
{
	uint64_t record = allocate(SLOTS_RECORD, 64);

	set64(record + SLOTS_INSNS, page);
	list_append(fg.target.probe_slots[cache] + fg.slide + SLOTS_PAGES, record + SLOTS_LIST);
	return (uint64_t *)(void *)object(record + SLOTS_INSNS);
}

void fg_current(unsigned cpu, uint64_t task) { set64(queue_of(cpu) + Q_CURR, task); }

uint64_t fg_irq_stack(unsigned cpu, bool end, uint64_t link, uint64_t **words)
{
	uint64_t low = allocate(FG_THREAD_SIZE, NL_PAGE_SIZE), top = low + FG_THREAD_SIZE;

	set64(direct(PER_CPU_AREA + 0x1000 * (uint64_t)cpu + IRQ_STACK), end ? top : top - 8);
	set64(top - 8, link);
	*words = (uint64_t *)object(top - 64);
	return top - 64;
}

static void build_kernel_objects(unsigned cpus)
{
	uint64_t task = FG_LINK + fg.slide + FG_INIT_TASK, i, q;

	memcpy(fg_image(FG_BUILD_ID), fg.target.kernel.build_id, fg.target.kernel.build_id_len);
	set64(FG_LINK + fg.slide + FG_RETURN_THUNK, FG_LINK + fg.slide + FG_THUNK);
	set64(task + T_STACK, FG_LINK + fg.slide + FG_INIT_STACK);
	set64(task + T_SP, FG_LINK + fg.slide + FG_INIT_STACK + FG_THREAD_SIZE - 64);
	set64(task + T_TASKS, task + T_TASKS);
	memcpy(object(task + T_COMM), "swapper/0", 10);
	set32(FG_LINK + fg.slide + FG_NR_CPUS, cpus);
	for (i = 0; i < 2; i++)
		set64(fg.target.probe_slots[i] + fg.slide + SLOTS_PAGES,
		      fg.target.probe_slots[i] + fg.slide + SLOTS_PAGES);
	/* CPUs that exist have an area; the others still hold the address of the initial one, inside the image. */
	for (i = 0; i < 64; i++)
		set64(FG_LINK + fg.slide + FG_PER_CPU + 8 * i,
		      i < cpus ? direct(PER_CPU_AREA + 0x1000 * i) : FG_LINK + fg.slide + 0x3f0000);
	for (i = 0; i < cpus; i++) {
		set64(direct(PER_CPU_AREA + 0x1000 * i + IDLE_THREADS), i ? 0 : task);
		set64(queue_of((unsigned)i) + Q_CURR, task);
		for (q = Q_RT_QUEUES; q < Q_RT_QUEUES + 16 * 100; q += 16)
			set64(queue_of((unsigned)i) + q, queue_of((unsigned)i) + q);
		set64(queue_of((unsigned)i) + Q_CFS_TASKS, queue_of((unsigned)i) + Q_CFS_TASKS);
		set64(queue_of((unsigned)i) + Q_EXT_TASKS, queue_of((unsigned)i) + Q_EXT_TASKS);
		/* both servers have bandwidth, and one is attached */
		set64(queue_of((unsigned)i) + Q_FAIR_BW, 52428);
		object(queue_of((unsigned)i) + Q_FAIR_BW + Q_ATTACHED)[0] = 0xff;
		set64(queue_of((unsigned)i) + Q_EXT_BW, 52428);
		object(queue_of((unsigned)i) + Q_EXT_BW + Q_ATTACHED)[0] = 0xff & ~ATTACHED;
		set64(queue_of((unsigned)i) + Q_DL_BW, 52428);
	}
}

static void no_kick(struct nl_cpu *cpu) { (void)cpu; }
static void its_context(struct nl_cpu *cpu, struct nl_context *out)
{
	(void)cpu;
	*out = fg.ctx;
}

static const struct nl_vendor lonely = {.name = "FAKE", .paging = "NPT", .context = its_context, .kick = no_kick};

void fg_start(uint64_t slide, bool la57, bool pti, unsigned cpus)
{
	static const struct nl_type_run all = {0, 1ULL << 33, NL_MT_WB};
	unsigned i;

	memset(&fg, 0, sizeof(fg));
	fg.ram = mmap(NULL, FG_RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fg.region = mmap(NULL, NL_REGION_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(fg.ram != MAP_FAILED && fg.region != MAP_FAILED);
	fg.slide = slide;
	fg.next_object = OBJECTS;
	fill_target();
	for (i = 0; i < FG_TOP; i++) /* text and rodata that are nowhere the same */
		fg_image(0)[i] = (uint8_t)(i * 7 + (i >> 8) * 13);
	build_kernel_tables(la57);
	build_process(la57, pti);
	build_kernel_objects(cpus);
	fg.ctx = (struct nl_context){
	        .rip = FG_USER,
	        .rflags = 0x3202,
	        .cr0 = CR0_PE | CR0_PG,
	        .cr3 = fg.user_cr3,
	        .cr4 = CR4_PAE | (la57 ? CR4_LA57 : 0),
	        .efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE,
	        .lstar = FG_LINK + slide + FG_SYSCALL,
	        .cpl = 3,
	        .long_mode = true,
	};
	memset(&nl_boot, 0, sizeof(nl_boot));
	nl_boot.region = FG_REGION;
	nl_boot.facts.tsc_hz = 1000000000;
	nl_boot.facts.policy = (struct nl_policy){.guest_may = NL_GUEST_MAY_ALL, .deadline_ms = 10000};
	nl_pool_init(fg.region + POOL_OFFSET, HPA(FG_REGION + POOL_OFFSET), 512);
	format = nl_npt_format_npt(true, 33);
	views = (struct nl_views){.format = &format, .ops = nl_pool_tables};
	assert_int_equal(nl_view_base(&views, &all, 1, &fg.base), NL_OK);
	fg.base.generation = 1;
	nl_vendor = &lonely;
	nl_n_cpus = cpus;
	for (i = 0; i < cpus; i++) {
		fg.cpus[i] = (struct nl_cpu){.index = i, .state = NL_CPU_RUNNING, .root_generation = 1};
		nl_cpus[i] = &fg.cpus[i];
	}
}

void fg_stop(void)
{
	munmap(fg.ram, FG_RAM);
	munmap(fg.region, NL_REGION_MAX);
}
