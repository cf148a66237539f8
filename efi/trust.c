// SPDX-License-Identifier: Apache-2.0
/*
 * Whom this boot trusts and what the guest may do: Secure Boot's state, the image's policy and keys. Keys may also come
 * from a file, but only while Secure Boot is off, and never quietly.
 */
#include "loader.h"
#include "keylist.h"
#include "policy.h"

#define KEYS_FILE L"\\EFI\\newleaf\\keys.bin"

/* What somebody signed: the core finds out whether to believe it. */
static const CHAR16 *const signed_files[NL_FILES] = {[NL_FILE_LIST] = L"\\EFI\\newleaf\\list.nll",
                                                     [NL_FILE_ORDER_0] = L"\\EFI\\newleaf\\order-0.nlo",
                                                     [NL_FILE_ORDER_1] = L"\\EFI\\newleaf\\order-1.nlo"};

static UINT8 variable(const CHAR16 *name, EFI_GUID *owner, UINT32 *attributes)
{
	UINT8 v = 0;
	UINTN size = sizeof(v);

	return EFI_ERROR(RT->GetVariable((CHAR16 *)name, owner, attributes, &size, &v)) ? 0 : v;
}

static bool secure_boot(void)
{
	static EFI_GUID global = EFI_GLOBAL_VARIABLE;

	return variable(L"SecureBoot", &global, NULL) == 1 && variable(L"SetupMode", &global, NULL) != 1;
}

/* `mokutil --disable-validation`: the firmware's Secure Boot stays on, and shim starts anything. As kernels read it: a
 * variable that an operating system can write is not shim's. */
static bool shim_is_off(void)
{
	static EFI_GUID shim = {0x605dab50, 0xe046, 0x4300, {0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23}};
	UINT32 attributes = 0;

	return variable(L"MokSBState", &shim, &attributes) == 1 && !(attributes & EFI_VARIABLE_RUNTIME_ACCESS);
}

static void warn(const char *what) { say_warning(L"%a", what); }

void trust_policy(struct loader *l)
{
	l->secure_boot = secure_boot();
	nl_policy_make(image_policy, IMAGE_ROOM, l->secure_boot, &l->conf, &l->policy, warn);
}

static enum nl_err add_keys(struct nl_boot_block *b, const void *list, size_t size, const CHAR16 *from)
{
	enum nl_err e = nl_keys_add(b, list, size);

	if (e)
		say_why(L"the list of keys in %s is not taken", from);
	return e;
}

enum nl_err trust_keys(struct loader *l, struct nl_boot_block *b)
{
	UINTN size = 0;
	void *file;
	enum nl_err e = add_keys(b, image_keys, IMAGE_ROOM, L"this image");
	EFI_STATUS s;

	if (e)
		return e;
	if (l->secure_boot) {
		/* As shown: what conf file and key file may say stays restricted. */
		b->facts.secure_boot = !shim_is_off();
		if (!b->facts.secure_boot)
			say_warning(
			        L"shim checks no signature (MokSBState): who writes this partition decides what runs");
		if (file_exists(l, KEYS_FILE))
			say_warning(L"%s is not read: Secure Boot is on, keys come from the image alone", KEYS_FILE);
	} else {
		s = file_read(l, KEYS_FILE, NL_KEYS_MAX_SIZE, &file, &size);
		if (!EFI_ERROR(s)) {
			e = add_keys(b, file, size, KEYS_FILE);
			FreePool(file);
			if (e)
				return e;
			b->facts.keys_from_file = 1;
			say_warning(
			        L"trusted keys come from %s: whoever can write this partition decides what is trusted",
			        KEYS_FILE);
		} else if (s != EFI_NOT_FOUND)
			return refuse(NL_ERECORD, L"cannot read %s: %r", KEYS_FILE, s);
	}
	if (b->facts.n_keys == 0)
		say_warning(L"no trusted key: no leaf will be accepted");
	return NL_OK;
}

void trust_files(struct loader *l)
{
	for (unsigned i = 0; i < NL_FILES; i++) {
		struct file *f = &l->files[i];
		EFI_STATUS s = file_read(l, signed_files[i], NL_FILE_MAX_SIZE, &f->data, &f->size);

		if (!EFI_ERROR(s) || s == EFI_NOT_FOUND)
			continue;
		f->data = NULL;
		f->size = 1; /* the core calls it damaged: not as if there never had been one */
		say_warning(L"cannot read %s: %r", signed_files[i], s);
	}
}
