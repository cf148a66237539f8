// SPDX-License-Identifier: Apache-2.0
/* See agent_fixture.h. */
#include "host.h"

#include "agent_fixture.h"

volatile sig_atomic_t cancel;
struct nl_agent agent;
struct nl_verify_report verified;
struct nl_commit_report committed;

struct fake *opened(void)
{
	struct fake *f = fake_new();

	cancel = 0;
	f->cancel = &cancel;
	assert_int_equal(nl_agent_open(&agent, &f->transport, &cancel), NL_OK);
	return f;
}

struct nl_commit_request request_of(const uint8_t *sha256, uint32_t deadline_ms)
{
	struct nl_commit_request r = {
	        .expected_generation = UINT64_MAX, .deadline_ms = deadline_ms, .count = sha256 ? 1 : 0};

	if (sha256)
		memcpy(r.set[0], sha256, 32);
	return r;
}

void staged(const char *id)
{
	uint8_t file[4096];
	size_t n = fake_leaf(file, id, 1);

	assert_int_equal(nl_agent_verify(&agent, file, n, &verified), NL_OK);
	assert_string_equal(verified.id, id);
}

enum nl_err commit(uint32_t deadline_ms)
{
	struct nl_commit_request r = request_of(verified.sha256, deadline_ms);

	return nl_agent_commit(&agent, &r, &committed);
}
