// SPDX-License-Identifier: Apache-2.0
/*
 * From one boot to the next: the variable of state.h, and what the core left in its memory (newleaf/kept.h): the text
 * of a panic, which is shown until a launch, and leaves that are locked out. How to clear the variable:
 * docs/how-to/real-machine.md.
 */
#include "loader.h"

#define NAME L"NewleafState"

static EFI_GUID guid = {0x5f0b4c1e, 0x6e65, 0x776c, {0x65, 0x61, 0x66, 0x62, 0x6f, 0x6f, 0x74, 0x31}};

static void show(const char *text)
{
	say_why(L"the boot before ended in a panic of Newleaf, which said:");
	for (; *text; text++)
		Print(*text == '\n' ? L"\n" : L"%c", *text >= ' ' && *text <= '~' ? (CHAR16)*text : L'?');
	Print(L"\n");
}

static void read_left(struct loader *l)
{
	struct nl_left *r = (struct nl_left *)l->state.left;

	if (!r || (l->state.left & NL_PAGE_MASK) || !memory_is_free(l->state.left, sizeof(*r)))
		return;
	if (nl_panic_valid(&r->panic))
		show(r->panic.text);
	if (r->kept.magic != NL_KEPT_MAGIC || r->kept.checksum != nl_kept_checksum(&r->kept))
		ZeroMem(&r->kept, sizeof(r->kept));
	NL_EACH(o, r->kept.lockouts, NL_MAX_LOCKOUTS)
		nl_lock_out(l->state.lockouts, o->sha256, nl_lockout_next(o->reason));
	l->left = AllocatePool(sizeof(*r));
	if (l->left) /* the core looks whether panic and journal are whole */
		*l->left = *r;
}

/* Flash wears: only what changed is written. Attributes cannot be changed, so a stranger's variable goes first.
 * NL_EFIRMWARE: Secure Boot is on, and what must not be lost would be. */
static enum nl_err state_keep(struct loader *l)
{
	EFI_STATUS s;

	if (l->state_error == NL_ENEWER || !CompareMem(&l->state, &l->stored, sizeof(l->state)))
		return NL_OK;
	if (l->state_error)
		RT->SetVariable(NAME, &guid, 0, 0, NULL);
	nl_state_seal(&l->state);
	s = RT->SetVariable(NAME, &guid, NL_STATE_ATTRIBUTES, sizeof(l->state), &l->state);
	if (!EFI_ERROR(s)) {
		l->stored = l->state;
		l->state_error = NL_OK;
		return NL_OK;
	}
	say_warning(L"cannot write the EFI variable %s: %r", NAME, s);
	return l->secure_boot && nl_state_rises(&l->stored, &l->state) ? NL_EFIRMWARE : NL_OK;
}

/* Of whatever size: one that is too large for us may be a newer Newleaf's. */
void state_read(struct loader *l)
{
	UINTN size = 0;
	UINT32 attributes = 0;
	void *found = NULL;

	l->state_status = RT->GetVariable(NAME, &guid, NULL, &size, NULL);
	if (l->state_status == EFI_BUFFER_TOO_SMALL && (found = AllocatePool(size)))
		l->state_status = RT->GetVariable(NAME, &guid, &attributes, &size, found);
	if (found && !EFI_ERROR(l->state_status))
		l->state_error = nl_state_read(found, size, attributes, &l->state);
	l->stored = l->state;
	read_left(l);
	state_keep(l); /* lock-outs, before anything can hang */
	if (!found)
		return;
	ZeroMem(found, size); /* it holds the key */
	FreePool(found);
}

enum nl_err state_check(struct loader *l)
{
	uint32_t version = l->policy.security_version;

	if (l->state_error == NL_ENEWER)
		return refuse(NL_ENEWER, L"a newer Newleaf has written the EFI variable %s", NAME);
	if (l->state_error)
		say_warning(L"an EFI variable %s was not written by this loader, or is damaged: it does not count",
		            NAME);
	else if (EFI_ERROR(l->state_status) && l->state_status != EFI_NOT_FOUND) {
		say_warning(L"cannot read the EFI variable %s: %r", NAME, l->state_status);
		return l->secure_boot ? NL_EFIRMWARE : NL_OK;
	}
	if (version >= l->state.security_version)
		return NL_OK;
	return refuse(NL_EOLDIMAGE, L"this image has security version %d, the floor is %d", version,
	              l->state.security_version);
}

void state_name(struct loader *l)
{
	struct nl_boot_block *b = l->boot;
	struct nl_state *s = &l->state;

	if (!(((uint64_t *)s->machine_id)[0] | ((uint64_t *)s->machine_id)[1]) &&
	    randomness(s->machine_key, sizeof(s->machine_key) / sizeof(uint64_t)))
		randomness(s->machine_id, sizeof(s->machine_id) / sizeof(uint64_t));
	s->boots++;
	state_keep(l); /* said if it fails; then the next boot would have this one's number */
	CopyMem(b->facts.machine_id, l->stored.machine_id, sizeof(b->facts.machine_id));
	b->seed = (uint64_t)s->machine_key;
	if (l->stored.boots == s->boots && ((uint64_t *)s->machine_id)[0] && b->facts.random)
		b->facts.boots = s->boots;
}

enum nl_err state_settle(struct loader *l)
{
	const struct nl_boot_block *b = l->boot;
	struct nl_state *s = &l->state;
	enum nl_err e;

	if (l->secure_boot && l->policy.security_version > s->security_version)
		s->security_version = l->policy.security_version;
	if (!b->facts.keys_from_file && b->list_accepted > s->list_sequence)
		s->list_sequence = b->list_accepted;
	if (!b->facts.keys_from_file)
		s->standing = b->standing;
	nl_lock_in(s->lockouts, NULL, NL_LOCKOUT_TRIALS); /* for this boot alone, and the core has them */
	s->left = b->left;
	e = state_keep(l);
	if (!e)
		state_forget(l);
	return e;
}

void state_forget(struct loader *l)
{
	ZeroMem(&l->state, sizeof(l->state));
	ZeroMem(&l->stored, sizeof(l->stored));
}
