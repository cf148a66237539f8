// SPDX-License-Identifier: Apache-2.0
/*
 * Whom this boot trusts and what the guest may do: Secure Boot's state, the image's policy and keys. Keys may also come
 * from a file, but only while Secure Boot is off, and never quietly.
 */
#include "loader.h"
#include "keylist.h"
#include "pe.h"
#include "policy.h"

#define KEYS_FILE L"\\EFI\\newleaf\\keys.bin"

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

static void warn(const char *what) { say_warning(L"%a", what); }

void trust_policy(struct loader *l)
{
	size_t size = 0;
	const void *p = nl_pe_section(l->loaded->ImageBase, l->loaded->ImageSize, ".nlpol", &size);

	l->secure_boot = secure_boot();
	nl_policy_make(p, size, l->secure_boot, &l->conf, &l->policy, warn);
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

enum nl_err trust_keys(struct loader *l, struct nl_boot_block *b)
{
	size_t size = 0;
	const struct nl_key *k = nl_pe_section(l->loaded->ImageBase, l->loaded->ImageSize, ".nlkeys", &size);
	void *file;
	enum nl_err e = NL_OK;
	EFI_STATUS s;

	if (k && (e = add_keys(b, k, size, L"this image")))
		return e;
	if (l->secure_boot) {
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
