// SPDX-License-Identifier: Apache-2.0
/*
 * Being told of modules: see guest.h. A struct notifier_block in the arena, linked at the head of Linux's
 * module_notify_list by writing two words of data, is called before any other with MODULE_STATE_COMING, before any code
 * of the module runs, its parameters' handlers included, and with MODULE_STATE_GOING before its memory is freed
 * (kernel/module/main.c:prepare_coming_module, free_module). What it calls is the stub below. It asks by CPUID, which
 * always exits and never faults: should nobody answer, its answer is that of the policy. The call is a hint; whoever
 * makes it can make the hypervisor look, and nothing else.
 */
#include "guest/linux/walk.h"
#include "core/core.h"
#include "view/current.h"
#include "x86.h"

#define HOOK (NL_REGION_ARENA_DATA - NL_REGION_ARENA_TEXT - NL_ARENA_OWN) /* in either half */
#define STUB_VA (NL_LINUX_ARENA_TEXT + HOOK)
#define BLOCK_VA (NL_LINUX_ARENA_DATA + HOOK)
#define FIRST 0x7fffffffu /* priority: nobody is put before us */
#define MAX_BLOCKS 256u

#define COMING 1u /* enum module_state */
#define NOTIFY_DONE 0u
#define NOTIFY_BAD 0x8002u /* include/linux/notifier.h: NOTIFY_STOP_MASK | 2 */

/* int stub(struct notifier_block *rdi, unsigned long rsi, struct module *rdx) */
static const uint8_t code[] = {
        0xf3, 0x0f, 0x1e, 0xfa,      /* endbr64 */
        0x31, 0xc0,                  /* xor %eax, %eax: NOTIFY_DONE */
        0x85, 0xf6,                  /* test %esi, %esi */
        0x74, 0x18,                  /* je out: LIVE is no news */
        0x53,                        /* push %rbx */
        0xb8, 0,    0,    0,    0,   /* mov $NL_CALL_MAGIC, %eax */
        0x0f, 0xa2,                  /* cpuid: who answers sets rax, keeps the rest and goes on at the pop */
        0xb8, 0,    0,    0,    0,   /* mov $(what the policy says), %eax */
        0x83, 0xfe, 0x01,            /* cmp $1, %esi */
        0x74, 0x05,                  /* je +5 */
        0xb8, 0,    0,    0,    0,   /* mov $NOTIFY_DONE, %eax: the others are told that it goes, come what may */
        0x5b,                        /* pop %rbx */
        0xc3, 0xcc, 0xcc, 0xcc, 0xcc /* out: ret, or jmp to the kernel's way of it */
};
enum { MAGIC_AT = 12, CALL_AT = 16, POLICY_AT = 19, POP_AT = 33, OUT_AT = 34 };
_Static_assert(sizeof(code) == OUT_AT + 5 && sizeof(code) <= NL_ARENA_OWN, "stub layout");

static void *own(uint64_t half) { return nl_phys(HPA(nl_boot.region + half + HOOK)); }

static void write_stub(uint64_t ret)
{
	uint32_t word = NL_CALL_MAGIC, jump;
	uint8_t *stub = own(NL_REGION_ARENA_TEXT);

	memcpy(stub, code, sizeof(code));
	memcpy(stub + MAGIC_AT, &word, 4);
	word = nl_boot.facts.policy.unpatched == NL_UNPATCHED_LET_IN ? NOTIFY_DONE : NOTIFY_BAD;
	memcpy(stub + POLICY_AT, &word, 4);
	if (!ret)
		return;
	jump = (uint32_t)(ret - (STUB_VA + OUT_AT + 5));
	stub[OUT_AT] = 0xe9;
	memcpy(stub + OUT_AT + 1, &jump, 4);
}

/* NL_NOTHING: our block is not in the chain that begins with `block`. */
static enum nl_err find_block(struct nl_guest *space, const struct nl_leaf_target *t, uint64_t block)
{
	uint32_t n;

	for (n = 0; n < MAX_BLOCKS; n++) {
		if (block == BLOCK_VA)
			return NL_OK;
		if (!block)
			return NL_NOTHING;
		if (nl_guest_read64(space, GVA(block + t->block_next), &block))
			return NL_EKERNEL;
	}
	return NL_EKERNEL;
}

enum nl_err nl_linux_watch_modules(struct nl_kernel *k, uint64_t ret)
{
	const struct nl_leaf_target *t = k->target;
	uint64_t list = t->module_notify + k->slide, head = list + t->notify_head, count, first, call = STUB_VA,
	         us = BLOCK_VA;
	const uint32_t priority = FIRST;
	uint8_t *block = own(NL_REGION_ARENA_DATA);
	enum nl_err err;

	if (nl_guest_read64(&k->space, GVA(list + t->notify_count), &count) ||
	    nl_guest_read64(&k->space, GVA(head), &first))
		return NL_EKERNEL;
	err = find_block(&k->space, t, first);
	if (err != NL_NOTHING)
		return err;
	if (count) /* of its rwsem: readers and writers, one who waits included */
		return NL_AGAIN;
	write_stub(ret);
	memset(block, 0, NL_ARENA_OWN);
	memcpy(block + t->block_call, &call, 8);
	memcpy(block + t->block_next, &first, 8);
	memcpy(block + t->block_priority, &priority, 4);
	return nl_guest_write(&k->space, GVA(head), 0, &us, 8) ? NL_EKERNEL : NL_OK;
}

bool nl_linux_told(const struct nl_context *ctx, const struct nl_gprs *gprs, struct nl_told *out)
{
	struct nl_guest space;
	gpa_t at;

	if (ctx->cpl || ctx->rip != STUB_VA + CALL_AT)
		return false;
	nl_guest_init(&space, nl_views(), nl_current_view(), ctx->cr3, ctx->cr4 & CR4_LA57);
	if (nl_guest_translate(&space, GVA(ctx->rip), NL_GUEST_READ, &at) ||
	    at.v != nl_boot.region + NL_REGION_ARENA_TEXT + HOOK + CALL_AT)
		return false;
	*out = (struct nl_told){.module = gprs->rdx,
	                        .coming = (uint32_t)gprs->rsi == COMING,
	                        .further = POP_AT - CALL_AT,
	                        .go_on = NOTIFY_DONE,
	                        .refuse = NOTIFY_BAD};
	return true;
}
