// SPDX-License-Identifier: Apache-2.0
/*
 * The floor of security versions: one EFI variable that only boot services can reach, so that no operating system
 * lowers it. An image below it is signed, and yet not to be trusted any more. How to lower it:
 * docs/how-to/real-machine.md.
 */
#include "loader.h"
#include "policy.h"

#define NAME L"NewleafFloor"

static EFI_GUID guid = {0x5f0b4c1e, 0x6e65, 0x776c, {0x65, 0x61, 0x66, 0x62, 0x6f, 0x6f, 0x74, 0x31}};

static enum nl_err store(const struct nl_security_floor *found, uint32_t version)
{
	EFI_STATUS s;

	if (nl_security_forged(found)) /* attributes of a variable cannot be changed, only the variable be deleted */
		RT->SetVariable(NAME, &guid, 0, 0, NULL);
	s = RT->SetVariable(NAME, &guid, NL_SECURITY_ATTRIBUTES, sizeof(version), &version);
	if (!EFI_ERROR(s))
		return NL_OK;
	say_why(L"cannot write the floor of security versions: %r", s);
	return NL_EFIRMWARE;
}

enum nl_err security_hold(struct loader *l)
{
	struct nl_security_floor f = {.size = sizeof(f.version)};
	EFI_STATUS s = RT->GetVariable(NAME, &guid, &f.attributes, &f.size, &f.version);
	uint32_t version = l->policy.security_version;
	enum nl_err e;
	bool raise;

	f.there = s != EFI_NOT_FOUND;
	if (EFI_ERROR(s) && s != EFI_NOT_FOUND && s != EFI_BUFFER_TOO_SMALL) {
		say_why(L"cannot read the floor of security versions: %r", s);
		return NL_EFIRMWARE;
	}
	if (nl_security_forged(&f))
		say_warning(L"an EFI variable %s was not written by this loader: it does not count", NAME);
	e = nl_security_check(&f, version, l->secure_boot, &raise);
	if (e)
		say_why(L"this image has security version %d, the floor is %d", version, f.version);
	return !e && raise ? store(&f, version) : e;
}
