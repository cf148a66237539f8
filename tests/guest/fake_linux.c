// SPDX-License-Identifier: Apache-2.0
/*
 * The test kernel as a tenant that can be patched: it shows just as much of a Linux as a commit wants to see
 * (fake_linux.h), stages the leaf that was built for it, and commits by the same calls as the agent.
 */
#include "kernel.h"
#include "fake_linux.h"

extern const uint8_t commit_leaf[], commit_leaf_end[], stand_leaf[], stand_leaf_end[];
static uint8_t sha256[32];
static uint32_t flags;
static uint8_t *pages;

static int call(enum nl_call number, uint64_t length, uint64_t rcx, uint64_t r8)
{
	struct user_regs r;
	int vector;

	user_allow_ports(true);
	vector = user_call(number, USER_DATA_VA, length, rcx, r8, &r);
	user_allow_ports(false);
	return vector == 0x80 ? (int)r.rax : -1;
}

static int until_done(enum nl_call number, uint64_t length)
{
	int err;

	while ((err = call(number, length, 0, 0)) == NL_AGAIN)
		pause();
	return err;
}

static void show(uint64_t va, void *page) { map_kernel_page(va, (uint64_t)page); }

static uint64_t *datum(uint64_t va) { return (uint64_t *)(pages + 2 * NL_PAGE_SIZE + (va - FAKE_DATA)); }

static void show_all(void)
{
	static const uint8_t insn[FAKE_INSN_SIZE] = FAKE_INSN_OLD;

	pages = page_alloc(3);
	memcpy(pages + (FAKE_INSN - FAKE_SYSCALL), insn, sizeof(insn));
	memcpy(pages + NL_PAGE_SIZE + (FAKE_SITE - FAKE_RODATA), FAKE_OLD, 8);
	memcpy(pages + NL_PAGE_SIZE + (FAKE_BUILD_ID - FAKE_RODATA), FAKE_ID, sizeof(FAKE_ID) - 1);
	*datum(FAKE_INIT_TASK + FAKE_TASK_TASKS) = FAKE_INIT_TASK + FAKE_TASK_TASKS; /* empty lists */
	for (unsigned i = 0; i < 2; i++)
		*datum(FAKE_SLOTS + FAKE_CACHE * i + FAKE_SLOTS_PAGES) = FAKE_SLOTS + FAKE_CACHE * i + FAKE_SLOTS_PAGES;
	show(FAKE_SYSCALL, pages);
	show(FAKE_RODATA, pages + NL_PAGE_SIZE);
	show(FAKE_PAGE_TABLE, (void *)kernel_cr3());
	show(FAKE_DATA, pages + 2 * NL_PAGE_SIZE);
}

uint64_t fake_linux_physical(uint64_t va) { return (uint64_t)pages + (va - FAKE_SYSCALL); }

static bool begin(const uint8_t *leaf, const uint8_t *end, uint32_t how)
{
	const struct nl_verify_report *report = (const struct nl_verify_report *)USER_DATA_VA;
	size_t size = (size_t)(end - leaf);
	int err;

	if (!pages)
		show_all();
	if (msr(MSR_LSTAR) != FAKE_SYSCALL) {
		/* As a kernel that begins: the others are started behind it, and have its root by that. */
		wrmsr(MSR_LSTAR, FAKE_SYSCALL);
		for (unsigned i = 1; i < machine.n_cpus; i++)
			EXPECT(smp_start(&cpus[i], 0), "CPU %u does not start", i);
	}
	memcpy((void *)USER_DATA_VA, leaf, size);
	err = call(NL_CALL_STAGE, size, 0, size);
	if (!err)
		err = until_done(NL_CALL_VERIFY, sizeof(*report));
	memcpy(sha256, report->sha256, sizeof(sha256));
	flags = how;
	EXPECT(!err, "the leaf is refused: error %d", err);
	return !err;
}

bool fake_linux_begin(void) { return begin(commit_leaf, commit_leaf_end, 0); }
bool fake_linux_begin_agentless(void) { return begin(stand_leaf, stand_leaf_end, NL_COMMIT_AGENTLESS); }

enum nl_err fake_linux_prepare(bool applied, uint32_t deadline_ms)
{
	struct nl_commit_request *q = (struct nl_commit_request *)USER_DATA_VA;

	memset(q, 0, sizeof(*q));
	q->expected_generation = UINT64_MAX;
	q->deadline_ms = deadline_ms;
	q->count = applied;
	q->flags = flags;
	memcpy(q->set[0], sha256, sizeof(sha256));
	return (enum nl_err)until_done(NL_CALL_PREPARE, sizeof(*q));
}

enum nl_err fake_linux_try(struct nl_commit_report *report)
{
	enum nl_err err = (enum nl_err)call(NL_CALL_TRY, sizeof(*report), 0, 0);

	memcpy(report, (void *)USER_DATA_VA, sizeof(*report));
	return err;
}

enum nl_err fake_linux_commit(bool applied, uint32_t deadline_ms, struct nl_commit_report *report)
{
	enum nl_err err = fake_linux_prepare(applied, deadline_ms);

	if (!err)
		do
			err = fake_linux_try(report);
		while (err == NL_AGAIN);
	return err;
}

bool fake_linux_shows(bool applied)
{
	static const char *const texts[] = {FAKE_OLD, FAKE_NEW};

	return !memcmp((const void *)FAKE_SITE, texts[applied], 8);
}

void fake_linux_read(struct cpu *cpu) { cpu->result = 1 + fake_linux_shows(true); }
