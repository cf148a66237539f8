// SPDX-License-Identifier: Apache-2.0
/*
 * What the loader decides before it launches: the image's policy against newleaf.conf, with and without Secure Boot;
 * memory encryption; what is a source of randomness.
 */
// sources: efi/policy.c efi/netconf.c efi/encryption.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <newleaf/signature.h>

#include "encryption.h"
#include <insn.h>
#include "policy.h"
#include "random.h"

static unsigned warnings;
static void warn(const char *what)
{
	assert_true(strlen(what) > 0);
	warnings++;
}

static struct nl_conf conf;
static struct nl_policy out;

struct section { /* .nlpol */
	struct nl_record head;
	struct nl_policy policy;
};

static struct section section_of(const struct nl_policy *policy)
{
	return (struct section){{NL_POLICY_MAGIC, 1, sizeof(struct nl_record), sizeof(*policy), 1}, *policy};
}

static void make_of(const struct section *s, size_t size, bool secure_boot)
{
	void *exact = s ? malloc(size ? size : 1) : NULL;

	if (s)
		memcpy(exact, s, size);
	warnings = 0;
	nl_policy_make(exact, size, secure_boot, &conf, &out, warn);
	free(exact);
}

static void make(const struct nl_policy *policy, bool secure_boot)
{
	struct section s = section_of(policy);

	make_of(&s, sizeof(s), secure_boot);
}

static const struct nl_policy image = {.guest_may = NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT,
                                       .deadline_ms = 5000,
                                       .security_version = 7,
                                       .proofs = NL_PROOF_PORT | NL_PROOF_TOKEN,
                                       .signatures = 1};

static void no_policy_allows_nothing(void **state)
{
	struct nl_policy bad = image;

	(void)state;
	conf = (struct nl_conf){.guest_may = NL_CONF_UNSAID};
	make_of(NULL, 0, false);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
	assert_int_equal(out.proofs, NL_PROOF_PORT | NL_PROOF_TOKEN); /* root may ask what stands here */
	assert_int_equal(warnings, 1);
	bad.proofs = UINT32_MAX;
	make(&bad, true);
	assert_int_equal(out.proofs, NL_PROOF_PORT | NL_PROOF_TOKEN);
	bad.proofs = NL_PROOF_TOKEN;
	make(&bad, true);
	assert_int_equal(out.proofs, NL_PROOF_TOKEN);
	bad.deadline_ms = 0;
	make(&bad, false);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
	bad.deadline_ms = 10001;
	make(&bad, true);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
	for (bad = image, bad.signatures = 0; bad.signatures <= NL_MAX_SIGNATURES + 1;
	     bad.signatures += NL_MAX_SIGNATURES + 1) {
		make(&bad, true);
		assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
		assert_int_equal(out.signatures, 1);
	}
}

/* The head of the section: cut short anywhere, of another kind, version or size. */
static void policy_record(void **state)
{
	struct section good = section_of(&image), s;
	struct {
		struct section known;
		uint64_t more;
	} larger = {good, 0xffffffffffffffffULL};

	(void)state;
	conf = (struct nl_conf){.guest_may = NL_CONF_UNSAID};
	for (size_t cut = 0; cut < sizeof(good); cut++) {
		make_of(&good, cut, false);
		assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
		assert_int_equal(out.security_version, 0);
		assert_int_equal(warnings, 1);
	}
	static const struct nl_record heads[] = {{NL_KEYS_MAGIC, 1, 24, 32, 1},   {NL_POLICY_MAGIC, 0, 24, 32, 1},
	                                         {NL_POLICY_MAGIC, 2, 24, 32, 1}, {NL_POLICY_MAGIC, 1, 16, 32, 1},
	                                         {NL_POLICY_MAGIC, 1, 24, 24, 1}, {NL_POLICY_MAGIC, 1, 24, 32, 0},
	                                         {NL_POLICY_MAGIC, 1, 24, 32, 2}, {NL_POLICY_MAGIC, 1, 64, 32, 1},
	                                         {NL_POLICY_MAGIC, 1, 24, 36, 1}, {NL_POLICY_MAGIC, 1, ~7u, 32, 1}};
	for (size_t i = 0; i < NL_ARRAY_SIZE(heads); i++) {
		s = good;
		s.head = heads[i];
		make_of(&s, sizeof(s), false);
		assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
		assert_int_equal(warnings, 1);
	}
	larger.known.head.record_size += 8; /* what a later version adds */
	make_of(&larger.known, sizeof(larger), false);
	assert_memory_equal(&out, &image, sizeof(image));
}

/* Of an image that was made before orders were, and of one that says what nobody knows. */
static void who_may_order(void **state)
{
	struct nl_policy p = image;
	struct section s;

	(void)state;
	conf = (struct nl_conf){.guest_may = NL_CONF_UNSAID};
	p.operators = NL_MAX_SIGNATURES;
	p.order_may = p.guest_may = UINT32_MAX;
	p.confirm_ms = 5;
	p.net_may = UINT32_MAX;
	conf.net.may = NL_CONF_UNSAID;
	make(&p, true);
	assert_int_equal(out.operators, NL_MAX_SIGNATURES);
	assert_int_equal(out.order_may, NL_ORDER_MAY_ALL);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_ALL);
	assert_int_equal(out.confirm_ms, 5);
	assert_int_equal(out.net_may, NL_NET_MAY_ALL);
	s = section_of(&p);
	s.head.record_size = offsetof(struct nl_policy, operators);
	make_of(&s, sizeof(s), true);
	assert_int_equal(out.deadline_ms, image.deadline_ms);
	assert_int_equal(out.operators | out.order_may | out.confirm_ms | out.net_may, 0);
	assert_int_equal(warnings, 0);
	p.operators++;
	make(&p, true);
	assert_int_equal(out.guest_may | out.operators | out.order_may, 0);
	assert_int_equal(warnings, 1);
	p.operators = 1;
	conf.guest_may = NL_GUEST_MAY_APPLY; /* takes revert away, and nothing that it has no word for */
	make(&p, true);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_ALL & ~NL_GUEST_MAY_REVERT);
	conf.guest_may = NL_GUEST_MAY_NONE;
	make(&p, true);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
	assert_int_equal(out.operators, 1);
}

static void sources_of_randomness(void **state)
{
	uint64_t all[4] = {0}, zero[4] = {0}, stuck[4] = {5, 5, 5, 5}, good[4] = {1, 2, 3, 4}, same[4] = {1, 1, 1, 2};

	(void)state;
	assert_false(nl_random_mix(all, good, 0));
	assert_false(nl_random_mix(all, zero, 4));
	assert_false(nl_random_mix(all, stuck, 4));
	assert_memory_equal(all, zero, sizeof(all));
	assert_true(nl_random_mix(all, good, 4));
	assert_memory_equal(all, good, sizeof(all));
	assert_true(nl_random_mix(all, same, 4)); /* what one knows of either source says nothing of both */
	assert_int_equal(all[0] | all[1] << 8 | all[2] << 16 | all[3] << 24, 0x06020300);
	assert_false(nl_random_mix(all, stuck, 4));
	assert_int_equal(all[3], 6);
	assert_false(nl_random_mix(all, same, 3)); /* the fourth is not asked for */
}

static void conf_only_restricts(void **state)
{
	(void)state;
	conf = (struct nl_conf){.guest_may = NL_CONF_UNSAID};
	make(&image, true);
	assert_memory_equal(&out, &image, sizeof(image));
	assert_int_equal(warnings, 0);
	conf.guest_may = NL_GUEST_MAY_NONE; /* said, and not the same as nothing */
	make(&image, true);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
	assert_int_equal(out.deadline_ms, image.deadline_ms);
	conf = (struct nl_conf){.guest_may = NL_GUEST_MAY_APPLY, .deadline_ms = 100};
	make(&image, true);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_APPLY);
	assert_int_equal(out.deadline_ms, 100);
	assert_int_equal(warnings, 0);
	struct nl_policy narrow = {.guest_may = NL_GUEST_MAY_REVERT, .deadline_ms = 50, .signatures = 1};
	make(&narrow, false);
	assert_int_equal(out.guest_may, NL_GUEST_MAY_NONE);
	assert_int_equal(out.deadline_ms, 50);
	assert_int_equal(warnings, 2);
}

static void network_only_where_the_image_says(void **state)
{
	struct nl_policy p = image;

	(void)state;
	for (uint32_t allowed = 0; allowed <= NL_NET_MAY_ALL; allowed++) {
		p.net_may = allowed;
		conf = (struct nl_conf){.guest_may = NL_CONF_UNSAID, .net.may = NL_CONF_UNSAID};
		make(&p, true);
		assert_int_equal(out.net_may, allowed);
		assert_int_equal(warnings, 0);
		for (conf.net.may = 0; conf.net.may <= NL_NET_MAY_ALL; conf.net.may++) {
			make(&p, true);
			assert_int_equal(out.net_may, allowed & conf.net.may);
			assert_int_equal(warnings, (conf.net.may & ~allowed) != 0);
		}
	}
	conf.net.may = NL_NET_MAY_ALL;
	make_of(NULL, 0, false); /* no policy, no network */
	assert_int_equal(out.net_may, 0);
}

/* The unsigned file must not choose the kernel's command line, nor a port that the core writes to. */
static void secure_boot_silences_conf(void **state)
{
	struct nl_policy open = image;

	(void)state;
	for (unsigned may = 0; may < 4; may++)
		for (unsigned secure = 0; secure < 2; secure++) {
			bool options = !secure || (may & NL_CONF_MAY_OPTIONS),
			     console = !secure || (may & NL_CONF_MAY_CONSOLE);

			open.conf_may = may;
			conf = (struct nl_conf){.options = "init=/bin/sh", .console = 2, .next = "\\x.efi"};
			make(&open, secure);
			assert_int_equal(conf.options[0] != '\0', options);
			assert_int_equal(conf.console, console ? 2 : 0);
			assert_string_equal(conf.next, "\\x.efi"); /* the firmware checks its signature */
			assert_int_equal(warnings, !options + !console);
		}
	conf = (struct nl_conf){.options = "quiet"};
	make_of(NULL, 0, true);
	assert_string_equal(conf.options, "");
}

/* A CPU of tables: a register that CPUID does not promise must not be read. */
static struct {
	uint32_t leaf0, leaf7_ecx, extended, leaf1f_eax;
	uint64_t tme, syscfg, sev;
} cpu;

void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	assert_int_equal(sub, 0);
	memset(r, 0, 16);
	if (leaf == 0)
		r[0] = cpu.leaf0;
	else if (leaf == 7)
		r[2] = cpu.leaf7_ecx;
	else if (leaf == 0x80000000)
		r[0] = cpu.extended;
	else if (leaf == 0x8000001f)
		r[0] = cpu.leaf1f_eax;
	assert_true(leaf != 7 || cpu.leaf0 >= 7);
	assert_true(leaf != 0x8000001f || cpu.extended >= leaf);
}

uint64_t x86_rdmsr(uint32_t index)
{
	if (index == 0x982) {
		assert_true(cpu.leaf7_ecx >> 13 & 1);
		return cpu.tme;
	}
	assert_true(cpu.leaf1f_eax & 3);
	assert_true(index == 0xc0010010 || index == 0xc0010131);
	return index == 0xc0010010 ? cpu.syscfg : cpu.sev;
}

static const char *found(void)
{
	const char *s = nl_encryption();

	return s ? s : "";
}

static void encryption_by_name(void **state)
{
	(void)state;
	memset(&cpu, 0, sizeof(cpu));
	assert_string_equal(found(), "");
	cpu.leaf0 = 6;
	cpu.leaf7_ecx = 1u << 13;
	cpu.tme = 1ULL << 1 | 6ULL << 32;
	assert_string_equal(found(), "");
	cpu.leaf0 = 0x20;
	assert_string_equal(found(), "TME-MK (key IDs)");
	cpu.tme = 6ULL << 32; /* offered, not on */
	assert_string_equal(found(), "");
	cpu.tme = 1ULL << 1 | 1; /* one key for all: no address has a second name */
	assert_string_equal(found(), "");

	memset(&cpu, 0, sizeof(cpu));
	cpu.syscfg = 1ULL << 23;
	cpu.extended = 0x8000001e;
	cpu.leaf1f_eax = 1;
	assert_string_equal(found(), "");
	cpu.extended = 0x80000022;
	assert_string_equal(found(), "SME");
	cpu.syscfg = 1ULL << 23 | 1ULL << 24;
	assert_string_equal(found(), "SEV-SNP");
	cpu.syscfg = 1ULL << 26;
	assert_string_equal(found(), "SME-HMK");
	cpu.syscfg = 0;
	assert_string_equal(found(), "");
	cpu.leaf1f_eax = 2;
	cpu.sev = 1;
	assert_string_equal(found(), "SEV (this machine is a guest of it)");
	cpu.leaf1f_eax = 0;
	assert_string_equal(found(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_policy_allows_nothing),
	        cmocka_unit_test(policy_record),
	        cmocka_unit_test(who_may_order),
	        cmocka_unit_test(sources_of_randomness),
	        cmocka_unit_test(conf_only_restricts),
	        cmocka_unit_test(network_only_where_the_image_says),
	        cmocka_unit_test(secure_boot_silences_conf),
	        cmocka_unit_test(encryption_by_name),
	};
	return cmocka_run_group_tests_name("bootpolicy", tests, NULL, NULL);
}
