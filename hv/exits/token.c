// SPDX-License-Identifier: Apache-2.0
/*
 * Tokens: see token.h. One place for each CPU, touched by exits of that CPU alone, so that nothing here needs a lock:
 * of two callers who race for it the later one's token holds. 64 bits against guesses: at 10^8 a second, thousands
 * of years of tokens that are always out. A wrong guess takes nothing from whoever holds the right one.
 */
#include "exits/token.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/sha256.h"
#include "x86.h"

static uint32_t epoch; /* of kernels */

static bool possible(void) { return nl_boot.facts.policy.proofs & NL_PROOF_TOKEN && nl_boot.facts.random; }

bool nl_token_make(struct nl_cpu *cpu, uint64_t *token)
{
	uint64_t now = x86_rdtsc(), nonce[3] = {cpu->index, ++cpu->token.made, now};
	struct nl_sha256 c;
	uint64_t hash[4];

	if (!possible())
		return false;
	nl_sha256_init(&c);
	nl_sha256_update(&c, nl_boot.secret, sizeof(nl_boot.secret));
	nl_sha256_update(&c, nonce, sizeof(nonce));
	nl_sha256_out(&c, (uint8_t *)hash);
	*token = cpu->token.value = hash[0];
	cpu->token.until_tsc = now + nl_us_to_tsc(NL_TOKEN_LIFE_MS * (nl_emulated ? 10000 : 1000));
	cpu->token.epoch = __atomic_load_n(&epoch, __ATOMIC_ACQUIRE);
	return true;
}

bool nl_token_spend(struct nl_cpu *cpu, uint64_t token)
{
	uint64_t wrong = (cpu->token.value ^ token) | (cpu->token.epoch ^ __atomic_load_n(&epoch, __ATOMIC_ACQUIRE)) |
	                 (x86_rdtsc() >= cpu->token.until_tsc);
	uint64_t n;

	if (!possible())
		return false;
	if (!wrong) {
		cpu->token.until_tsc = 0;
		return true;
	}
	n = __atomic_add_fetch(&nl_counts.tokens_refused, 1, __ATOMIC_RELAXED);
	if ((n & (n - 1)) == 0)
		nl_journal(NL_EV_TOKEN, NL_EROOT, NULL, NULL, n, cpu->index);
	return false;
}

void nl_tokens_forget(void) { __atomic_add_fetch(&epoch, 1, __ATOMIC_RELEASE); }
