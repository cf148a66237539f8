// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plants a context on CPU 1 and keeps it there until another is asked for: echo KIND >plant answers when it stands.
 *   none       nothing
 *   spin       interrupts off, in a loop
 *   word       the same, with `value` on its stack
 *   register   the same, with `value` in a register and nowhere else
 *   stack      the same, with `value` as its stack pointer
 *   irq        the loop in an interrupt, so that the stack is that of interrupts
 *   irq-word   the same, with `value` on the stack of the task that was interrupted
 *   irq-own    the same, with `value` on the stack of interrupts
 *   inside     the loop is in planted_loop(), interrupts on
 *   slot       as word: an address in the copy of an instruction that is probed
 *   detour     as word: an address in the copy that an optimised probe jumps to
 *   sleep      interrupts on, and it sleeps a moment again and again, with `value` on its stack; on CPU 0
 * and, for ever, on all CPUs:
 *   all        interrupts off, in a loop: on the others in an interrupt
 *   halt       interrupts off and halted
 * last: EAX, ECX, EBX, EDX, ESI of a CPUID that is executed when the guest ends so, or in a panic
 * thread: the task that stands there
 * stacks: addresses in CPU 1's own stacks for entries and exceptions; other: in a stack of a task that does not run
 */
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/panic_notifier.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <asm/processor.h>

#define CPU 1

static unsigned long value;
module_param(value, ulong, 0644);

static int stop, stands, interruptible;
static const char *kind = "none";
static char kinds[16];
static struct task_struct *task;

/* What is probed: five bytes and more between which nobody jumps. */
__attribute__((noipa)) int planted_probed(int a) { return (a * 0x12345 + 0x6789abc) ^ 0x13572468; }

__attribute__((noipa)) int planted_loop(int index)
{
	WRITE_ONCE(stands, 1);
	while (!READ_ONCE(stop))
		cpu_relax();
	return index;
}

static int nothing(struct kprobe *p, struct pt_regs *regs) { return 0; }
static struct kprobe probe;

static noinline void spin(void)
{
	WRITE_ONCE(stands, 1);
	while (!READ_ONCE(stop))
		cpu_relax();
}

/* `word` lies in this frame, and `behind` runs above it. */
static noinline void with_word(unsigned long word, void (*behind)(void))
{
	unsigned long volatile held[4] = {0, word, 0, 0};

	behind();
	held[1] = 0;
}

static noinline void with_register(unsigned long word)
{
	asm volatile("movl $1, %1\n1: pause; cmpl $0, %0; je 1b" : : "m"(stop), "m"(stands), "b"(word) : "memory");
}

static noinline void with_stack(unsigned long sp)
{
	asm volatile("movq %%rsp, %%r12; movq %2, %%rsp; movl $1, %1\n"
	             "1: pause; cmpl $0, %0; je 1b\n"
	             "movq %%r12, %%rsp"
	             :
	             : "m"(stop), "m"(stands), "r"(sp)
	             : "r12", "memory");
}

static void spin_there(void *unused) { with_word(strcmp(kind, "irq-own") ? 0 : value, spin); }

static void sleep_again(void)
{
	WRITE_ONCE(stands, 1);
	while (!READ_ONCE(stop))
		usleep_range(1000, 2000);
}

/* The interrupt is this CPU's own, and comes when it may. */
static call_single_data_t call;

static void interrupted(void)
{
	WRITE_ONCE(interruptible, 1);
	while (!READ_ONCE(stop))
		cpu_relax();
}

static int plant(void *unused)
{
	bool irq = !strncmp(kind, "irq", 3),
	     word = !strcmp(kind, "word") || !strcmp(kind, "slot") || !strcmp(kind, "detour");

	if (irq) {
		with_word(!strcmp(kind, "irq-word") ? value : 0, interrupted);
	} else if (!strcmp(kind, "inside")) {
		planted_loop(0);
	} else if (!strcmp(kind, "sleep")) {
		with_word(value, sleep_again);
	} else {
		local_irq_disable();
		if (!strcmp(kind, "register"))
			with_register(value);
		else if (!strcmp(kind, "stack"))
			with_stack(value);
		else
			with_word(word ? value : 0, spin);
		local_irq_enable();
	}
	while (!kthread_should_stop())
		usleep_range(1000, 2000);
	return 0;
}

/* The copy of the probed instruction; of an optimised probe where its jump leads. */
static int find_slot(bool detour)
{
	u8 *at = (u8 *)probe.addr;
	int i;

	for (i = 0; detour && *at != 0xe9 && i < 100; i++)
		msleep(100);
	if (detour && *at != 0xe9)
		return -ENOENT;
	value = detour ? (unsigned long)at + 5 + *(s32 *)(at + 1) + 8 : (unsigned long)probe.ainsn.insn + 1;
	return value < 4096 ? -ENOENT : 0;
}

static void end(void)
{
	WRITE_ONCE(stop, 1);
	if (task)
		kthread_stop(task);
	if (probe.addr)
		unregister_kprobe(&probe);
	probe.addr = NULL;
	task = NULL;
	kind = "none";
}

/* Whom nobody can ask any more tells the core when it is so. */
static uint last[5];
static int n_last;
module_param_array(last, uint, &n_last, 0644);

static int say_last(struct notifier_block *block, unsigned long event, void *data)
{
	unsigned int a = last[0], c = last[1], b = last[2], d = last[3];

	if (n_last == ARRAY_SIZE(last))
		asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d) : "S"(last[4]) : "memory");
	return NOTIFY_DONE;
}
static struct notifier_block in_panic = {.notifier_call = say_last};

static void loop(void *unused)
{
	local_irq_disable();
	pr_emerg("planted: CPU %u ends\n", smp_processor_id());
	for (;;)
		cpu_relax();
}

static void sleep_for_ever(void *unused)
{
	local_irq_disable();
	pr_emerg("planted: CPU %u ends\n", smp_processor_id());
	for (;;)
		asm volatile("hlt");
}

static int set_plant(const char *text, const struct kernel_param *p)
{
	int err = 0;

	end();
	strscpy(kinds, text, sizeof(kinds));
	kind = strim(kinds);
	if (!strcmp(kind, "none"))
		return 0;
	if (!strcmp(kind, "all") || !strcmp(kind, "halt")) {
		smp_call_func_t end_here = *kind == 'a' ? loop : sleep_for_ever;

		smp_call_function(end_here, NULL, 0);
		say_last(NULL, 0, NULL);
		end_here(NULL);
	}
	if (!strcmp(kind, "slot") || !strcmp(kind, "detour")) {
		u8 *at = (u8 *)planted_probed;

		/* Behind ENDBR and the tracer's call: there a probe is a breakpoint. */
		at += *(u32 *)at == 0xfa1e0ff3 ? 9 : 5;
		probe = (struct kprobe){.addr = at, .pre_handler = nothing};
		err = register_kprobe(&probe);
		if (err)
			probe.addr = NULL;
		else
			err = find_slot(!strcmp(kind, "detour"));
		if (err)
			return err;
	}
	stop = stands = interruptible = 0;
	task = kthread_create_on_cpu(plant, NULL, strcmp(kind, "sleep") ? CPU : 0, "planted/%u");
	if (IS_ERR(task)) {
		err = PTR_ERR(task);
		task = NULL;
		return err;
	}
	wake_up_process(task);
	if (!strncmp(kind, "irq", 3)) {
		while (!READ_ONCE(interruptible)) /* it is the thread that shall be interrupted */
			usleep_range(1000, 2000);
		call.func = spin_there;
		smp_call_function_single_async(CPU, &call);
	}
	while (!READ_ONCE(stands))
		usleep_range(1000, 2000);
	return 0;
}

static int get_plant(char *page, const struct kernel_param *p) { return scnprintf(page, PAGE_SIZE, "%s\n", kind); }
static const struct kernel_param_ops plant_ops = {.set = set_plant, .get = get_plant};
module_param_cb(plant, &plant_ops, NULL, 0600);

static int get_thread(char *page, const struct kernel_param *p)
{
	return scnprintf(page, PAGE_SIZE, "%lx\n", (unsigned long)task);
}
static const struct kernel_param_ops thread_ops = {.get = get_thread};
module_param_cb(thread, &thread_ops, NULL, 0400);

static int get_stacks(char *page, const struct kernel_param *p)
{
	const struct x86_hw_tss *tss = &per_cpu(cpu_tss_rw, CPU).x86_tss;
	int n = scnprintf(page, PAGE_SIZE, "entry %lx\n", (unsigned long)tss->sp0 - 64), i;

	for (i = 0; i < 7; i++)
		if (tss->ist[i])
			n += scnprintf(page + n, PAGE_SIZE - n, "ist%d %lx\n", i + 1, (unsigned long)tss->ist[i] - 64);
	return n + scnprintf(page + n, PAGE_SIZE - n, "other %lx\n", (unsigned long)task_stack_page(&init_task) + 4096);
}
static const struct kernel_param_ops stacks_ops = {.get = get_stacks};
module_param_cb(stacks, &stacks_ops, NULL, 0400);

static int __init planted_init(void)
{
	if (num_online_cpus() <= CPU)
		return -ENODEV;
	atomic_notifier_chain_register(&panic_notifier_list, &in_panic);
	return 0;
}

static void __exit planted_exit(void)
{
	end();
	atomic_notifier_chain_unregister(&panic_notifier_list, &in_panic);
}
module_init(planted_init);
module_exit(planted_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("contexts for tests of Newleaf");
