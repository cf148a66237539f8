// SPDX-License-Identifier: Apache-2.0
/*
 * The core gives up. Every CPU leaves the guest and stands still, all that is known goes to the console and into the
 * record, and the platform resets: a core with a defect must not go on deciding what a guest may do.
 */
#include <stdarg.h>
#include "core/clock.h"
#include "core/core.h"
#include "core/cpu.h"
#include "core/kept.h"
#include "core/panic.h"
#include "host.h"
#include "x86.h"

#define STOP_US 100000 /* for CPUs to come out of the guest; one in SMM may not */

static struct nl_panic_record *record;
static uint32_t first;   /* APIC ID + 1 of the CPU that gave up first */
static uint32_t stopped; /* how many stand still */

void nl_panic_init(struct nl_panic_record *r)
{
	record = r;
	if (nl_panic_valid(r)) {
		nl_log("newleaf: the boot before ended in a panic, which said:\n%s\n", r->text);
		r->magic = 0;
	}
}

static void keep(char c)
{
	if (record && record->length < sizeof(record->text) - 1)
		record->text[record->length++] = c;
}

_Noreturn static void stand(void)
{
	__atomic_add_fetch(&stopped, 1, __ATOMIC_SEQ_CST);
	for (;;)
		x86_halt();
}

void nl_panic_stop(void)
{
	if (__atomic_load_n(&first, __ATOMIC_SEQ_CST))
		stand();
}

static void stop_others(const struct nl_cpu *self)
{
	uint32_t others = 0;

	NL_EACH_CPU(c) {
		if (c == self || !nl_cpu_is_running(c))
			continue;
		nl_vendor->kick(c);
		others++;
	}
	for (uint64_t end = x86_rdtsc() + nl_us_to_tsc(nl_emulated ? 10 * STOP_US : STOP_US);
	     __atomic_load_n(&stopped, __ATOMIC_SEQ_CST) < others && x86_rdtsc() < end;)
		x86_pause();
	nl_log("other CPUs stopped: %u of %u\n", __atomic_load_n(&stopped, __ATOMIC_SEQ_CST), others);
}

static void tell_cpu(struct nl_cpu *cpu)
{
	const struct nl_gprs *g = &cpu->gprs;

	nl_log("CPU %u APIC %u state %u root %lx generation %lu\n", cpu->index, cpu->apic_id, cpu->state, cpu->root.v,
	       cpu->root_generation);
	nl_log("guest rax %lx rcx %lx rdx %lx rbx %lx rsp %lx rbp %lx rsi %lx rdi %lx\n", g->rax, g->rcx, g->rdx,
	       g->rbx, g->rsp, g->rbp, g->rsi, g->rdi);
	nl_log("      r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n", g->r8, g->r9, g->r10, g->r11,
	       g->r12, g->r13, g->r14, g->r15);
	if (nl_vendor && nl_vendor->dump)
		nl_vendor->dump(cpu);
	host_dump_machine_checks();
	for (unsigned i = 0; i < NL_CAUSES; i++)
		if (cpu->exits[i])
			nl_log("exits[%u] %lu\n", i, cpu->exits[i]);
}

/* Caches are not written back by a reset. */
_Noreturn static void leave(void)
{
	static uint32_t blamed; /* what that follows may be what is damaged: once, and the text is safe by then */

	if (record) {
		record->text[record->length] = '\0';
		record->checksum = nl_panic_checksum(record);
		record->magic = NL_PANIC_MAGIC;
		x86_wbinvd();
	}
	if (!__atomic_exchange_n(&blamed, 1, __ATOMIC_SEQ_CST))
		nl_kept_panic();
	nl_console_drain();
	host_reset();
}

void nl_panic(const char *f, ...)
{
	struct nl_cpu *cpu = nl_this_cpu(); /* NULL: before there is a table of CPUs */
	uint32_t me = cpu ? cpu->apic_id + 1 : 1, none = 0;
	va_list ap;

	if (!__atomic_compare_exchange_n(&first, &none, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (none == me) /* a second defect, on the way down: keep what there is */
			leave();
		stand();
	}
	if (record)
		record->magic = record->length = 0;
	nl_console_panic(keep);
	nl_log("\nnewleaf: PANIC: ");
	va_start(ap, f);
	nl_vlog(f, ap);
	va_end(ap);
	nl_log("\n");
	if (cpu) {
		stop_others(cpu);
		tell_cpu(cpu);
	}
	leave();
}
