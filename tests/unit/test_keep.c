// SPDX-License-Identifier: Apache-2.0
// sources: efi/state.c
// cflags: -Iefi -fshort-wchar -DGNU_EFI_USE_MS_ABI -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64
/*
 * The loader's side of what outlives a boot, on a firmware of the test's own: a variable of whatever content, size and
 * attributes, memory that the boot before left, writes that fail; and what may run then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../efi/keep.c" // NOLINT(bugprone-suspicious-include): state_keep() is static

static struct {
	bool there, broken, full;
	UINT32 attributes;
	UINTN size;
	uint8_t data[16384];
	unsigned writes, deletes;
} variable;
static struct loader l;
static struct nl_boot_block block;
static struct nl_left left __attribute__((aligned(4096)));
static bool left_is_free, poor, no_room; /* no memory to be had; none for what was left */
static bool random_source;
static unsigned warnings;
static char shown[64];
static const uint8_t leaf[32] = {7}, other[32] = {8};

static EFI_STATUS EFIAPI get_variable(CHAR16 *name, EFI_GUID *g, UINT32 *attributes, UINTN *size, VOID *data)
{
	UINTN room = *size;

	assert_memory_equal(name, NAME, sizeof(NAME));
	assert_memory_equal(g, &guid, sizeof(guid));
	if (variable.broken)
		return EFI_DEVICE_ERROR;
	if (!variable.there)
		return EFI_NOT_FOUND;
	*size = variable.size;
	if (room < variable.size)
		return EFI_BUFFER_TOO_SMALL;
	if (attributes)
		*attributes = variable.attributes;
	memcpy(data, variable.data, variable.size);
	return EFI_SUCCESS;
}

/* UEFI 2.10, 8.2.3: size 0 deletes; attributes of what is there are not changed. */
static EFI_STATUS EFIAPI set_variable(CHAR16 *name, EFI_GUID *g, UINT32 attributes, UINTN size, VOID *data)
{
	assert_memory_equal(name, NAME, sizeof(NAME));
	assert_memory_equal(g, &guid, sizeof(guid));
	if (variable.full)
		return EFI_OUT_OF_RESOURCES;
	if (!size) {
		variable.deletes++;
		variable.there = false;
		return EFI_SUCCESS;
	}
	if (variable.there && variable.attributes != attributes)
		return EFI_INVALID_PARAMETER;
	variable.writes++;
	variable.there = true;
	variable.attributes = attributes;
	memcpy(variable.data, data, variable.size = size);
	return EFI_SUCCESS;
}

static EFI_RUNTIME_SERVICES services = {.GetVariable = get_variable, .SetVariable = set_variable};
EFI_RUNTIME_SERVICES *RT = &services;

/* What goes back to the pool here held a key: nothing may stay of it. */
static struct {
	void *at;
	UINTN size;
} pool;
VOID *AllocatePool(UINTN size)
{
	if (poor)
		return NULL;
	if (size == sizeof(left)) /* is handed on to the core */
		return no_room ? NULL : malloc(size);
	pool.size = size;
	return pool.at = malloc(size);
}
VOID FreePool(VOID *p)
{
	assert_ptr_equal(p, pool.at);
	for (UINTN i = 0; i < pool.size; i++)
		assert_int_equal(((uint8_t *)p)[i], 0);
	free(p);
}
VOID ZeroMem(VOID *p, UINTN n) { memset(p, 0, n); }
VOID CopyMem(VOID *to, CONST VOID *from, UINTN n) { memcpy(to, from, n); }
INTN CompareMem(CONST VOID *a, CONST VOID *b, UINTN n) { return memcmp(a, b, n); }
UINTN Print(CONST CHAR16 *format, ...)
{
	size_t n = strlen(shown);
	va_list args;

	va_start(args, format);
	if (n + 1 < sizeof(shown))
		shown[n] = format[0] == L'%' ? (char)va_arg(args, int) : (char)format[0];
	va_end(args);
	return 0;
}
enum nl_err refuse(enum nl_err error, const CHAR16 *why, ...)
{
	warnings += !memcmp(why, L"warning: ", 9 * sizeof(*why));
	return error;
}
bool memory_is_free(uint64_t base, uint64_t size)
{
	return left_is_free && base == (uint64_t)&left && size == sizeof(left);
}
bool randomness(void *out, size_t words)
{
	memset(out, random_source ? 0x5a : 0, 8 * words);
	return random_source;
}

/* A boot: its loader knows nothing yet. */
static void boots(bool secure, uint32_t version)
{
	free(l.left);
	memset(&l, 0, sizeof(l));
	memset(&block, 0, sizeof(block));
	memset(shown, 0, sizeof(shown));
	l.boot = &block;
	block.facts.random = randomness(block.secret, sizeof(block.secret) / 8);
	block.left = (uint64_t)&left;
	l.secure_boot = secure;
	l.policy.security_version = version;
	warnings = variable.writes = variable.deletes = 0;
	state_read(&l);
}

static const struct nl_state *stored(void) { return (const void *)variable.data; }

/* A machine that has booted once. */
static int start(void **state)
{
	(void)state;
	memset(&variable, 0, sizeof(variable));
	memset(&left, 0, sizeof(left));
	left_is_free = true;
	poor = false;
	random_source = true;
	boots(true, 3);
	assert_int_equal(state_check(&l), NL_OK);
	state_name(&l);
	block.list_accepted = 5;
	assert_int_equal(state_settle(&l), NL_OK);
	return 0;
}

static void first_boot(void **state)
{
	static const struct nl_state zero;
	struct nl_state found;

	(void)state;
	assert_int_equal(variable.writes, 2); /* the machine's name, and the rest */
	assert_int_equal(nl_state_read(variable.data, variable.size, variable.attributes, &found), NL_OK);
	assert_int_equal(found.security_version, 3);
	assert_int_equal(found.list_sequence, 5);
	assert_int_equal(found.left, (uint64_t)&left);
	assert_int_equal(found.machine_id[15], 0x5a);
	assert_int_equal(found.machine_key[31], 0x5a);
	assert_memory_equal(&l.state, &zero, sizeof(zero)); /* that memory is the operating system's next */
	assert_memory_equal(&l.stored, &zero, sizeof(zero));
	boots(true, 3);
	assert_int_equal(l.state.list_sequence, 5);
	assert_int_equal(state_check(&l), NL_OK);
	assert_int_equal(state_settle(&l), NL_OK);
	assert_int_equal(variable.writes, 0); /* flash wears */
}

/* The name and the number, kept before they are given to the core; what cannot be kept is not given, nor what has no
 * secret behind it. */
static void names(void **state)
{
	static const uint8_t none[16];

	assert_int_equal(block.facts.boots, 1);
	assert_memory_equal(block.facts.machine_id, stored()->machine_id, 16);
	((struct nl_state *)variable.data)->machine_id[0] = 7; /* what this one got at its first boot */
	nl_state_seal((struct nl_state *)variable.data);
	for (unsigned n = 2; n < 5; n++) {
		boots(n & 1, 3);
		state_name(&l);
		assert_int_equal(variable.writes, 1);
		assert_int_equal(stored()->boots, n);
		assert_int_equal(block.facts.boots, n);
		assert_int_equal(block.facts.machine_id[0], 7);
		assert_memory_equal((void *)block.seed, stored()->machine_key, 32); /* until it is settled */
		assert_int_equal(state_settle(&l), NL_OK);
		assert_int_equal(variable.writes, 1);
		assert_memory_equal((void *)block.seed, none, 16);
	}
	variable.full = true; /* the next boot would have the same number */
	boots(true, 3);
	state_name(&l);
	assert_int_equal(block.facts.boots, 0);
	assert_memory_equal(block.facts.machine_id, stored()->machine_id, 16); /* that is what it was */
	assert_int_equal(state_settle(&l), NL_OK);
	memset(&variable, 0, sizeof(variable));
	variable.full = true; /* and was never kept at all */
	boots(false, 3);
	state_name(&l);
	assert_int_equal(block.facts.boots, 0);
	assert_memory_equal(block.facts.machine_id, none, 16);
	start(state);
	random_source = false;
	boots(true, 3); /* a machine with a name, and a boot without a secret */
	state_name(&l);
	assert_int_equal(block.facts.boots, 0);
	assert_memory_equal(block.facts.machine_id, stored()->machine_id, 16);
	for (unsigned secret = 0; secret < 2; secret++) { /* nobody's boot, with a secret or without */
		memset(&variable, 0, sizeof(variable));
		boots(true, 3);
		block.facts.random = secret;
		state_name(&l);
		assert_int_equal(block.facts.boots, 0);
		assert_memory_equal(block.facts.machine_id, none, 16);
	}
}

/* Neither an older image nor an older list comes through, with Secure Boot or without; and none lowers what is there.
 */
static void floors(void **state)
{
	(void)state;
	for (unsigned secure = 0; secure < 2; secure++) {
		boots(secure, 2);
		assert_int_equal(state_check(&l), NL_EOLDIMAGE);
		assert_int_equal(state_settle(&l), NL_OK); /* and if it came so far */
		assert_int_equal(stored()->security_version, 3);
		boots(secure, 3);
		assert_int_equal(state_check(&l), NL_OK);
		block.list_accepted = 4;
		assert_int_equal(state_settle(&l), NL_OK);
		assert_int_equal(variable.writes, 0);
	}
	boots(false, 9); /* anybody's image */
	block.list_accepted = 6;
	block.facts.keys_from_file = 1; /* and list */
	assert_int_equal(state_check(&l), NL_OK);
	assert_int_equal(state_settle(&l), NL_OK);
	assert_int_equal(variable.writes, 0);
	boots(true, 4);
	block.list_accepted = 6;
	assert_int_equal(state_settle(&l), NL_OK);
	assert_int_equal(stored()->security_version, 4);
	assert_int_equal(stored()->list_sequence, 6);
}

/* What the core says of standing orders and keys is the machine's when it will launch, whole; unless a file that
 * anybody writes named the keys. Nothing of it must be lost. */
static void standing_orders(void **state)
{
	(void)state;
	for (unsigned from_file = 2; from_file--;) {
		boots(true, 3);
		assert_int_equal(l.state.standing.epoch, 0);
		block.standing = (struct nl_standing){.epoch = 7, .tried = 6, .sha256 = {1}};
		block.standing.keys[15].role = NL_ROLE_OPERATOR;
		block.facts.keys_from_file = from_file;
		assert_int_equal(state_settle(&l), NL_OK);
	}
	assert_memory_equal(&stored()->standing, &block.standing, sizeof(block.standing));
	boots(true, 3);
	assert_memory_equal(&l.state.standing, &stored()->standing, sizeof(l.state.standing));
	variable.full = true;
	block.standing = l.state.standing;
	assert_int_equal(state_settle(&l), NL_OK);
	boots(true, 3);
	block.standing = l.state.standing;
	block.standing.epoch = 8;
	assert_int_equal(state_settle(&l), NL_EFIRMWARE);
	boots(true, 3);
	block.standing = l.state.standing;
	block.standing.keys[0].role = NL_KEY_LOST(NL_ROLE_REVOKE);
	assert_int_equal(state_settle(&l), NL_EFIRMWARE);
}

/* It does not count, is named, and makes room for one of ours. */
static void does_not_count(void)
{
	boots(true, 1);
	assert_int_equal(l.state_error, NL_ERECORD);
	assert_int_equal(l.state.list_sequence, 0);
	assert_int_equal(l.state.left, 0);
	assert_int_equal(state_check(&l), NL_OK);
	assert_int_equal(warnings, 1);
	assert_int_equal(state_settle(&l), NL_OK);
	assert_int_equal(variable.deletes, 1);
	assert_int_equal(variable.writes, 1);
	assert_int_equal(variable.attributes, NL_STATE_ATTRIBUTES);
	assert_int_equal(stored()->security_version, 1);
}

static void hostile_contents(void **state)
{
	static const UINTN sizes[] = {1, 8, 24, 31, 32, sizeof(struct nl_state) - 8, sizeof(struct nl_state) + 8, 9000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		start(state);
		variable.size = sizes[i];
		does_not_count();
	}
	for (UINT32 attributes = 0; attributes < 8; attributes++) {
		start(state);
		if (attributes == NL_STATE_ATTRIBUTES)
			continue;
		variable.attributes = attributes;
		does_not_count();
	}
	start(state);
	((struct nl_state *)variable.data)->list_sequence--; /* wound back, without its checksum */
	does_not_count();
	start(state);
	((struct nl_state *)variable.data)->head.version = 0;
	does_not_count();
	start(state);
	((struct nl_state *)variable.data)->head.version = NL_STATE_VERSION + 1;
	variable.attributes = 7; /* an operating system says so */
	does_not_count();
}

/* However large it is: it is neither gone without nor written over. */
static void newer(void **state)
{
	static const UINTN sizes[] = {sizeof(struct nl_state), 2048, 2056, 16384};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		start(state);
		((struct nl_state *)variable.data)->head.version = NL_STATE_VERSION + 1;
		variable.size = sizes[i];
		boots(false, 3);
		assert_int_equal(state_check(&l), NL_ENEWER);
		assert_int_equal(state_keep(&l), NL_OK);
		assert_int_equal(variable.writes + variable.deletes, 0);
	}
}

/* With Secure Boot on what cannot be read may hold anything back. */
static void unreadable(void **state)
{
	(void)state;
	for (unsigned secure = 0; secure < 2; secure++) {
		variable.broken = true;
		boots(secure, 3);
		assert_int_equal(state_check(&l), secure ? NL_EFIRMWARE : NL_OK);
		variable.broken = false;
		poor = true;
		boots(secure, 3);
		assert_int_equal(state_check(&l), secure ? NL_EFIRMWARE : NL_OK);
		poor = false;
	}
}

static void unwritable(void **state)
{
	(void)state;
	variable.full = true;
	boots(true, 4);
	assert_int_equal(state_settle(&l), NL_EFIRMWARE); /* the next boot would let an older image pass */
	boots(true, 3);
	block.list_accepted = 6;
	assert_int_equal(state_settle(&l), NL_EFIRMWARE);
	boots(true, 3);
	block.left = 0x1000; /* nothing is held back by that */
	assert_int_equal(state_settle(&l), NL_OK);
	boots(false, 3);
	block.list_accepted = 6;
	assert_int_equal(state_settle(&l), NL_OK);
	assert_int_equal(warnings, 1);
}

static void leave(void)
{
	static const char text[] = "a\n\033[2J\233m\177";

	left.panic.magic = NL_PANIC_MAGIC;
	left.panic.length = sizeof(text) - 1;
	memcpy(left.panic.text, text, sizeof(text));
	left.panic.checksum = nl_panic_checksum(&left.panic);
	memset(&left.kept, 0, sizeof(left.kept));
	nl_lock_out(left.kept.lockouts, leaf, NL_LOCKOUT_PANIC);
	left.kept.floors[0].version = 9;
	left.kept.magic = NL_KEPT_MAGIC;
	left.kept.checksum = nl_kept_checksum(&left.kept);
	for (unsigned i = 0; i < NL_JOURNAL_ENTRIES; i++)
		left.journal[i].entry.seq = i + 1;
}

static bool has_journal(void)
{
	unsigned n = 0;

	while (n < NL_JOURNAL_ENTRIES && l.left && l.left->journal[n].entry.seq == n + 1)
		n++;
	return n == NL_JOURNAL_ENTRIES;
}

/* Shown as text, handed on, and lock-outs are the machine's from then on. Until a launch is certain it stays where it
 * is: a reset in the loader loses nothing. */
static void what_was_left(void **state)
{
	(void)state;
	leave();
	boots(true, 3);
	assert_string_equal(shown, "a\n?[2J?m?\n");
	assert_non_null(l.left);
	assert_true(nl_panic_valid(&l.left->panic));
	assert_int_equal(l.left->kept.floors[0].version, 9);
	assert_true(has_journal());
	assert_int_equal(variable.writes, 1); /* before anything can go wrong */
	assert_true(nl_is_leaf(stored()->lockouts[0].sha256, leaf));
	assert_int_equal(stored()->lockouts[1].reason, 0);
	boots(true, 3);
	assert_int_equal(l.left->kept.floors[0].version, 9);
	assert_true(has_journal());
	block.left = 0x7000; /* from the launch on that is the place */
	assert_int_equal(state_settle(&l), NL_OK);
	boots(true, 3);
	assert_null(l.left);
	assert_int_equal(l.state.lockouts[0].reason, NL_LOCKOUT_PANIC);
	start(state);
	leave();
	left.kept.lockouts[0].reason |= NL_LOCKOUT_ALL; /* there were more than have names */
	left.kept.checksum = nl_kept_checksum(&left.kept);
	boots(true, 3);
	assert_int_equal(l.state.lockouts[0].reason, NL_LOCKOUT_PANIC | NL_LOCKOUT_ALL);
}

/* What nobody had confirmed is locked out for the boot that finds it, and no longer: it is in the state until the core
 * has it and will launch, so that a reset in the loader loses nothing, and not behind that. */
static void what_was_on_trial(void **state)
{
	(void)state;
	leave();
	nl_lock_out(left.kept.lockouts, other, NL_LOCKOUT_TRIAL);
	nl_lock_out(left.kept.lockouts, leaf, NL_LOCKOUT_TRIAL);
	nl_lock_out(left.kept.lockouts, (const uint8_t[32]){9}, NL_LOCKOUT_TRIED); /* its boot is over */
	left.kept.checksum = nl_kept_checksum(&left.kept);
	boots(true, 3);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(stored()->lockouts[0].reason, NL_LOCKOUT_PANIC | NL_LOCKOUT_TRIED);
		assert_true(nl_is_leaf(stored()->lockouts[1].sha256, other));
		assert_int_equal(stored()->lockouts[1].reason, NL_LOCKOUT_TRIED);
		assert_int_equal(stored()->lockouts[2].reason, 0);
		memset(&left, 0, sizeof(left)); /* power was cut in the loader */
		boots(true, 3);
	}
	assert_int_equal(l.state.lockouts[1].reason, NL_LOCKOUT_TRIED); /* the core is given this */
	assert_int_equal(state_settle(&l), NL_OK);
	assert_int_equal(stored()->lockouts[0].reason, NL_LOCKOUT_PANIC);
	assert_true(nl_is_leaf(stored()->lockouts[0].sha256, leaf));
	assert_int_equal(stored()->lockouts[1].reason, 0);
	boots(true, 3);
	assert_int_equal(l.state.lockouts[1].reason, 0);
}

static void nothing_is_taken(void)
{
	boots(true, 3);
	assert_string_equal(shown, "");
	assert_int_equal(l.state.lockouts[0].reason, 0);
	assert_null(l.left);
}

/* Each part by itself: whether the journal is sound, and a panic whole, the core finds out. */
static void what_was_left_is_damaged(void **state)
{
	static const struct nl_kept zero;

	(void)state;
	leave();
	left.panic.text[0]++;
	boots(true, 3);
	assert_string_equal(shown, "");
	assert_false(nl_panic_valid(&l.left->panic));
	assert_int_equal(l.state.lockouts[0].reason, NL_LOCKOUT_PANIC);
	assert_int_equal(l.left->kept.floors[0].version, 9);
	assert_true(has_journal());
	start(state);
	leave();
	nl_lock_out(left.kept.lockouts, other, NL_LOCKOUT_PANIC);
	boots(true, 3);
	assert_int_equal(shown[0], 'a');
	assert_true(nl_panic_valid(&l.left->panic));
	assert_int_equal(l.state.lockouts[0].reason, 0);
	assert_memory_equal(&l.left->kept, &zero, sizeof(zero));
	assert_true(has_journal());
	start(state);
	leave();
	left.kept.magic++;
	boots(true, 3);
	assert_int_equal(l.state.lockouts[0].reason, 0);
	assert_memory_equal(&l.left->kept, &zero, sizeof(zero));
	start(state);
	leave();
	no_room = true; /* lock-outs are in the state all the same */
	boots(true, 3);
	no_room = false;
	assert_null(l.left);
	assert_int_equal(stored()->lockouts[0].reason, NL_LOCKOUT_PANIC);
}

static void what_was_left_is_not_ours(void **state)
{
	(void)state;
	leave();
	left_is_free = false; /* the firmware's by now */
	nothing_is_taken();
	left_is_free = true;
	variable.attributes = 7;
	nothing_is_taken();
	assert_int_equal(left.panic.magic, NL_PANIC_MAGIC); /* not looked at, not touched */
	variable.there = false;
	nothing_is_taken();
	start(state);
	leave();
	((struct nl_state *)variable.data)->left += 8;
	nl_state_seal((struct nl_state *)variable.data);
	nothing_is_taken();
	assert_int_equal(left.kept.magic, NL_KEPT_MAGIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(first_boot, start),
	        cmocka_unit_test_setup(names, start),
	        cmocka_unit_test_setup(floors, start),
	        cmocka_unit_test_setup(standing_orders, start),
	        cmocka_unit_test_setup(hostile_contents, start),
	        cmocka_unit_test_setup(newer, start),
	        cmocka_unit_test_setup(unreadable, start),
	        cmocka_unit_test_setup(unwritable, start),
	        cmocka_unit_test_setup(what_was_left, start),
	        cmocka_unit_test_setup(what_was_on_trial, start),
	        cmocka_unit_test_setup(what_was_left_is_damaged, start),
	        cmocka_unit_test_setup(what_was_left_is_not_ours, start),
	};
	int failed = cmocka_run_group_tests_name("keep", tests, NULL, NULL);

	free(l.left);
	return failed;
}
