// SPDX-License-Identifier: Apache-2.0
/* See commit_fixture.h. */
#include "commit_fixture.h"
#include "apic.h"
#include "commit/commit.h"
#include "core/pool.h"
#include "exits/config.h"
#include "exits/hypercall.h"
#include "exits/token.h"
#include "exits/msr.h"
#include "exits/windows.h"
#include "core/kept.h"
#include "leaf/floor.h"
#include "leaf/registry.h"
#include "view/current.h"

uint8_t file[NL_LEAF_MAX_SIZE + 256] __attribute__((aligned(64)));
struct make_leaf m;

/* The core's console and MSRs are not part of this. */
uint32_t nl_windows_undecided(void) { return 0; }
size_t nl_console_read(uint64_t from, char *out, size_t max, uint64_t *next)
{
	size_t n = from < 3 && max ? 1 : 0;
	if (n)
		*out = "abc"[from];
	*next = from + n;
	return n;
}

uint32_t commit_flags;
uint64_t out_rcx, out_r8;

enum nl_err call(enum nl_call number, uint64_t buffer, uint64_t length, uint64_t rcx, uint64_t r8)
{
	struct nl_gprs *r = &fg.cpus[0].gprs;

	do { /* leaves one at a time */
		*r = (struct nl_gprs){.rax = NL_CALL_MAGIC,
		                      .rbx = number,
		                      .rsi = buffer,
		                      .rdi = length,
		                      .rcx = rcx,
		                      .r8 = r8,
		                      .rsp = r->rsp};
		nl_hypercall(&fg.cpus[0], &fg.ctx, NL_PROOF_PORT);
		rcx = r->rcx;
	} while (number == NL_CALL_LEAVES && r->rax == NL_AGAIN);
	fg.cpus[0].root_generation = nl_current_view()->generation; /* what hv_before_entry does */
	out_rcx = r->rcx;
	out_r8 = r->r8;
	return (enum nl_err)r->rax;
}

void start(uint64_t slide, bool la57, bool pti)
{
	commit_flags = 0;
	fg_start(slide, la57, pti, 1);
	memset(nl_registry, 0, sizeof(nl_registry));
	memset(nl_kept, 0, sizeof(*nl_kept));
	nl_views_init(fg_views());
	nl_commit_init(&fg.base);
	make_key(&nl_boot.keys[0], "demo", NL_ROLE_AUTHOR);
	nl_boot.facts.n_keys = 1;
	call(NL_CALL_ABANDON, 0, 0, 0, 0);
}

int setup(void **state)
{
	(void)state;
	start(SLIDE, false, false);
	return 0;
}

int teardown(void **state)
{
	(void)state;
	nl_registry_forget();
	fg_stop();
	return 0;
}

/* Write `size` bytes of file[] to the hypervisor in two chunks, as the agent does. */
enum nl_err stage(size_t size)
{
	size_t half = size / 2, n;
	enum nl_err err = NL_OK;
	size_t at = 0;

	while (!err && (at < size || !at)) {
		n = at + half > size || !half ? size - at : half;
		if (n > FG_USER_SIZE)
			n = FG_USER_SIZE;
		memcpy(fg_user(FG_USER), file + at, n);
		err = call(NL_CALL_STAGE, FG_USER, n, at, size);
		at += n;
		if (!n)
			break;
	}
	return err;
}

struct nl_verify_report *verify_report(void) { return (struct nl_verify_report *)fg_user(FG_USER); }
struct nl_commit_report *commit_report(void) { return (struct nl_commit_report *)fg_user(FG_USER); }

enum nl_err verify(void)
{
	enum nl_err err;

	while ((err = call(NL_CALL_VERIFY, FG_USER, sizeof(struct nl_verify_report), 0, 0)) == NL_AGAIN)
		;
	return err;
}

enum nl_err verify_leaf(uint8_t sha[32])
{
	enum nl_err err = stage(make_sign(file, make_write(&m, file)));

	err = err ? err : verify();
	memcpy(sha, verify_report()->sha256, 32);
	return err;
}

/* A leaf with one redirect into a body, and one read-only pointer to it. */
void leaf_text_and_data(const char *id, uint32_t version)
{
	static const uint8_t jump[5] = {0xe9};
	static const uint8_t zero[8];

	make_start(&m, id, version, &fg.target);
	make_site(&m, FG_LINK + TEXT_SITE, fg_image(TEXT_SITE), jump, 5, FG_LINK + FUNC, FUNC_SIZE);
	make_site(&m, FG_LINK + DATA_SITE, fg_image(DATA_SITE), zero, 8, 0, 0);
	memset(m.text, 0x90, m.n_text = 100);
	m.n_data = 16;
	m.header.bss_size = 100;
	make_reloc(&m,
	           (struct nl_leaf_reloc){NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, 0, m.sites[0].fresh + 1, 0, 0, 0, -4});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_BYTES, NL_REL_ABS64, NL_SYM_TEXT, 1, m.sites[1].fresh, 0, 0, 0, 0});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_PC32, NL_SYM_RETURN_THUNK, 0, 90, 0, 0, 0, -4});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_PC32, NL_SYM_INDIRECT_THUNK, 0, 80, 0, 0, 3, -4});
	make_reloc(&m,
	           (struct nl_leaf_reloc){NL_AT_DATA, NL_REL_ABS64, NL_SYM_REGION, 0, 0, 0, NL_KERNEL_IMAGE, 0x777, 0});
}

void leaf_rodata(const char *id, uint64_t offset, uint8_t fresh)
{
	uint8_t bytes[8];

	memset(bytes, fresh, 8);
	make_start(&m, id, 1, &fg.target);
	make_site(&m, FG_LINK + offset, fg_image(offset), bytes, 8, 0, 0);
}

enum nl_err prepare_some(const uint8_t (*set)[32], unsigned count, uint64_t expected)
{
	struct nl_commit_request r = {
	        .expected_generation = expected, .deadline_ms = 1000, .count = count, .flags = commit_flags};

	if (count && count <= NL_MAX_LEAVES)
		memcpy(r.set, set, 32 * count);
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	return call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0);
}

enum nl_err prepare(const uint8_t (*set)[32], unsigned count, uint64_t expected)
{
	unsigned calls;
	enum nl_err err = NL_AGAIN;

	for (calls = 0; err == NL_AGAIN && calls < 100; calls++)
		err = prepare_some(set, count, expected);
	return err;
}

enum nl_err try_it(void) { return call(NL_CALL_TRY, FG_USER, sizeof(struct nl_commit_report), 0, 0); }

enum nl_err commit(const uint8_t (*set)[32], unsigned count)
{
	enum nl_err err = prepare(set, count, UINT64_MAX);

	return err ? err : try_it();
}

/* All that the guest could notice: every byte of RAM as the current view shows it, without the buffer it passes to us.
 */
static uint8_t *seen(void)
{
	uint8_t *all = malloc(FG_RAM);
	uint64_t gpa;

	for (gpa = 0; gpa < FG_RAM; gpa += NL_PAGE_SIZE)
		memcpy(all + gpa, nl_view_pointer(fg_views(), nl_current_view(), GPA(gpa), NL_R), NL_PAGE_SIZE);
	memset(all + (fg_user(FG_USER) - fg.ram), 0, FG_USER_SIZE);
	return all;
}

struct moment before(void)
{
	struct moment was = {seen(), malloc(FG_RAM), nl_current_view()->generation, nl_pool_free_pages()};

	memcpy(was.home, fg.ram, FG_RAM);
	memset(was.home + (fg_user(FG_USER) - fg.ram), 0, FG_USER_SIZE);
	return was;
}

/* Nothing has changed since; forgets the moment. */
void unchanged(struct moment was)
{
	struct moment now;

	call(NL_CALL_ABANDON, 0, 0, 0, 0);
	now = before();
	assert_memory_equal(now.seen, was.seen, FG_RAM);
	assert_memory_equal(now.home, was.home, FG_RAM);
	assert_int_equal(now.generation, was.generation);
	assert_int_equal(now.free_pages, was.free_pages);
	free(was.seen);
	free(was.home);
	free(now.seen);
	free(now.home);
}

uint64_t shown64(uint64_t offset)
{
	uint64_t v;
	memcpy(&v, fg_shown(offset), 8);
	return v;
}
