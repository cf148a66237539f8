// SPDX-License-Identifier: Apache-2.0
/*
 * What the image carries: core, keys, policy. Keys may also come from a file, but only while Secure Boot is off, and
 * never quietly.
 */
#include "loader.h"
#include "keys.h"
#include "pe.h"

#define KEYS_FILE L"\\EFI\\newleaf\\keys.bin"

enum nl_err image_find_core(struct loader *l)
{
	size_t size;
	const struct nl_core_header *h = nl_pe_section(l->loaded->ImageBase, l->loaded->ImageSize, ".core", &size);

	if (!h || size < sizeof(*h) || h->magic != NL_CORE_MAGIC) {
		say_why(L"this image carries no core");
		return NL_EBOOTBLOCK;
	}
	if (h->version != NL_BOOT_VERSION) {
		say_why(L"the core wants boot block version %d, this loader makes version %d", h->version,
		        NL_BOOT_VERSION);
		return NL_EBOOTBLOCK;
	}
	if (h->image_size < sizeof(*h) || h->image_size > size || h->memory_size < h->image_size ||
	    h->memory_size > NL_REGION_ARENA_TEXT || h->entry_va < NL_CORE_VA ||
	    h->entry_va - NL_CORE_VA >= h->image_size) {
		say_why(L"the core's header is damaged");
		return NL_EBOOTBLOCK;
	}
	l->core = h;
	return NL_OK;
}

void image_policy(struct loader *l, struct nl_boot_block *b)
{
	size_t size;
	const struct nl_policy *p = nl_pe_section(l->loaded->ImageBase, l->loaded->ImageSize, ".nlpol", &size);

	/* No policy in the image means that nobody has allowed anything. */
	b->policy = (struct nl_policy){.guest_may = NL_GUEST_MAY_NONE, .deadline_ms = 1000};
	if (p && size >= sizeof(*p) && p->deadline_ms >= 1 && p->deadline_ms <= 10000) {
		b->policy.guest_may = p->guest_may & (NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT);
		b->policy.deadline_ms = p->deadline_ms;
	} else {
		say_warning(L"this image carries no valid policy: the guest may do nothing");
	}
	if (l->conf.has_guest_may) {
		if (l->conf.guest_may & ~b->policy.guest_may)
			say_warning(L"newleaf.conf: guest-may wants more than the image allows: only restricted");
		b->policy.guest_may &= l->conf.guest_may;
	}
	if (l->conf.has_deadline) {
		if (l->conf.deadline_ms > b->policy.deadline_ms)
			say_warning(L"newleaf.conf: deadline-ms is more than the image allows: %d",
			            b->policy.deadline_ms);
		else
			b->policy.deadline_ms = l->conf.deadline_ms;
	}
}

static bool secure_boot(void)
{
	static EFI_GUID global = EFI_GLOBAL_VARIABLE;
	UINT8 on = 0, setup = 0;
	UINTN size = sizeof(on);

	if (EFI_ERROR(RT->GetVariable(L"SecureBoot", &global, NULL, &size, &on)))
		return false;
	size = sizeof(setup);
	if (EFI_ERROR(RT->GetVariable(L"SetupMode", &global, NULL, &size, &setup)))
		setup = 0;
	return on == 1 && setup != 1;
}

static enum nl_err add_keys(struct nl_boot_block *b, const void *list, size_t size, const CHAR16 *from)
{
	enum nl_err e = nl_keys_add(b, list, size);

	if (e == NL_EROLE)
		say_why(L"a key in %s has another role than author", from);
	else if (e)
		say_why(L"a key in %s is damaged, or there are more than %d", from, NL_MAX_KEYS);
	return e;
}

enum nl_err image_keys(struct loader *l, struct nl_boot_block *b)
{
	size_t size = 0;
	const struct nl_key *k = nl_pe_section(l->loaded->ImageBase, l->loaded->ImageSize, ".nlkeys", &size);
	void *file;
	enum nl_err e = NL_OK;
	EFI_STATUS s;

	b->secure_boot = secure_boot();
	if (k && (e = add_keys(b, k, size, L"this image")))
		return e;
	if (b->secure_boot) {
		if (file_exists(l, KEYS_FILE))
			say_warning(L"%s is not read: Secure Boot is on, keys come from the image alone", KEYS_FILE);
	} else {
		s = file_read(l, KEYS_FILE, sizeof(b->keys), &file, &size);
		if (!EFI_ERROR(s)) {
			e = add_keys(b, file, size, KEYS_FILE);
			FreePool(file);
			if (e)
				return e;
			b->keys_from_file = 1;
			say_warning(
			        L"trusted keys come from %s: whoever can write this partition decides what is trusted",
			        KEYS_FILE);
		} else if (s != EFI_NOT_FOUND) {
			say_why(L"cannot read %s: %r", KEYS_FILE, s);
			return NL_EKEYLIST;
		}
	}
	if (b->n_keys == 0)
		say_warning(L"no trusted key: no leaf will be accepted");
	return NL_OK;
}
