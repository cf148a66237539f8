// SPDX-License-Identifier: Apache-2.0
/*
 * The test kernel as a tenant that can be patched: it shows just as much of a Linux as a commit wants to see
 * (fake_linux.h), stages the leaf that was built for it, and commits by the same calls as the agent.
 */
#include "kernel.h"
#include "fake_linux.h"

extern const uint8_t commit_leaf[], commit_leaf_end[];
static uint8_t sha256[32];

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

bool fake_linux_begin(void)
{
	const struct nl_verify_report *report = (const struct nl_verify_report *)USER_DATA_VA;
	static uint8_t *pages;
	size_t size = (size_t)(commit_leaf_end - commit_leaf);
	int err;

	if (!pages) {
		pages = page_alloc(3);
		memcpy(pages + NL_PAGE_SIZE + (FAKE_SITE - FAKE_RODATA), FAKE_OLD, 8);
		memcpy(pages + NL_PAGE_SIZE + (FAKE_BUILD_ID - FAKE_RODATA), FAKE_ID, sizeof(FAKE_ID) - 1);
		*(uint64_t *)(pages + 2 * NL_PAGE_SIZE + FAKE_TASK_TASKS) = FAKE_INIT_TASK + FAKE_TASK_TASKS;
		show(FAKE_SYSCALL, pages);
		show(FAKE_RODATA, pages + NL_PAGE_SIZE);
		show(FAKE_PAGE_TABLE, (void *)kernel_cr3());
		show(FAKE_DATA, pages + 2 * NL_PAGE_SIZE);
	}
	if (msr(MSR_LSTAR) != FAKE_SYSCALL) {
		/* As a kernel that begins: the others are started behind it, and have its root by that. */
		wrmsr(MSR_LSTAR, FAKE_SYSCALL);
		for (unsigned i = 1; i < machine.n_cpus; i++)
			EXPECT(smp_start(&cpus[i], 0), "CPU %u does not start", i);
	}
	memcpy((void *)USER_DATA_VA, commit_leaf, size);
	err = call(NL_CALL_STAGE, size, 0, size);
	if (!err)
		err = until_done(NL_CALL_VERIFY, sizeof(*report));
	memcpy(sha256, report->sha256, sizeof(sha256));
	EXPECT(!err, "the leaf is refused: error %d", err);
	return !err;
}

enum nl_err fake_linux_prepare(bool applied, uint32_t deadline_ms)
{
	struct nl_commit_request *q = (struct nl_commit_request *)USER_DATA_VA;

	memset(q, 0, sizeof(*q));
	q->expected_generation = UINT64_MAX;
	q->deadline_ms = deadline_ms;
	q->count = applied;
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
