// SPDX-License-Identifier: Apache-2.0
/*
 * One row for each CPU, by the number that the kernel keeps per CPU. The task may move between reading it and
 * counting, so the increment is locked: it costs little where nobody shares the line. Flags are nobody's at a
 * function's entry.
 */
#include "counter.h"
#include "place.h"
#include "types.h"

#include <string.h>

#define INT3 0xcc

/* Where %gs finds it: cpu_number, or from Linux 6.2 to 6.14 a member of pcpu_hot. */
static struct place cpu_number(const struct kernel *k, const char *where)
{
	struct recipe_symbol own = {.name = (char *)"cpu_number"}, hot = {.name = (char *)"pcpu_hot"};
	const struct ksym *s;
	struct member m;
	struct place p;

	k = k->image ? k->image : k; /* whatever a module has of that name */
	if (kallsyms_find(&k->syms, own.name, 1, &s))
		return place_in_kernel(k, &own, where);
	if (!kallsyms_find(&k->syms, hot.name, 1, &s) || !member_maybe(k, "struct pcpu_hot", "cpu_number", where, &m) ||
	    m.size != 4)
		refuse(NL_EKERNEL, "%s: %s keeps the CPU's number neither in cpu_number nor in pcpu_hot: no counters",
		       where, k->release);
	p = place_in_kernel(k, &hot, where);
	p.value += m.offset;
	return p;
}

static void reloc(struct draft *d, size_t at, uint16_t type, struct place s)
{
	struct nl_leaf_reloc r = {.where = NL_AT_TEXT,
	                          .object = s.symbol == NL_SYM_DATA ? DRAFT_OF_KERNEL : 0,
	                          .offset = (uint32_t)at,
	                          .type = type,
	                          .symbol = (uint16_t)s.symbol,
	                          .value = s.value,
	                          .addend = type == NL_REL_PC32 ? -4 : 0};

	buf_add(&d->relocs, &r, sizeof(r));
}

uint64_t counter_add(struct draft *d, const struct kernel *k, uint32_t counter, uint64_t to, const char *where)
{
	static const uint8_t code[] = {
	        0x50,                               /* push %rax */
	        0x65, 0x8b, 0x05, 0,    0,    0, 0, /* mov %gs:cpu_number(%rip), %eax */
	        0x25, 0,    0,    0,    0,          /* and $counter_cpus - 1, %eax */
	        0x69, 0xc0, 0,    0,    0,    0,    /* imul $row, %eax, %eax */
	        0xf0, 0x48, 0xff, 0x80,             /* lock incq counter(%rax) */
	        0,    0,    0,    0,    0x58,       /* pop %rax */
	        0xe9, 0,    0,    0,    0,          /* jmp */
	};
	struct place place = {NL_SYM_DATA, d->h.counter_offset + 8 * (counter - 1)};
	uint32_t mask = d->h.counter_cpus - 1, row = NL_COUNTER_ROW(d->h.counters);
	uint64_t at = buf_align(&d->text, 16, INT3);
	int32_t distance = (int32_t)(to - (at + sizeof(code)));

	buf_add(&d->text, code, sizeof(code));
	reloc(d, at + 4, NL_REL_PC32, cpu_number(k, where));
	memcpy(d->text.p + at + 9, &mask, 4);
	memcpy(d->text.p + at + 15, &row, 4);
	reloc(d, at + 23, NL_REL_ABS32S, place);
	memcpy(d->text.p + at + 29, &distance, 4);
	buf_align(&d->text, 16, INT3);
	return at;
}
