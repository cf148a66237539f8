// SPDX-License-Identifier: Apache-2.0
/*
 * The boot counter (newleaf/bootcounter.h): a machine whose guest never came up twice in a row boots without Newleaf.
 */
#include "loader.h"

static EFI_GUID guid = {0x5f0b4c1e, 0x6e65, 0x776c, {0x65, 0x61, 0x66, 0x62, 0x6f, 0x6f, 0x74, 0x31}};

static EFI_STATUS store(struct loader *l)
{
	EFI_STATUS s = RT->SetVariable(L"" NL_BOOT_COUNTER_NAME, &guid, NL_BOOT_COUNTER_ATTRIBUTES, sizeof(l->counter),
	                               &l->counter);

	if (EFI_ERROR(s))
		say_warning(L"cannot write the boot counter: %r", s);
	return s;
}

void counter_read(struct loader *l)
{
	UINTN size = sizeof(l->counter);
	EFI_STATUS s = RT->GetVariable(L"" NL_BOOT_COUNTER_NAME, &guid, NULL, &size, &l->counter);

	if (EFI_ERROR(s) || size != sizeof(l->counter) || l->counter.version != NL_BOOT_COUNTER_VERSION)
		l->counter = (struct nl_boot_counter){.version = NL_BOOT_COUNTER_VERSION};
}

enum nl_err counter_check(struct loader *l)
{
	if (l->conf.boot_tries == 0 || l->counter.unfinished < l->conf.boot_tries)
		return NL_OK;
	say_why(L"%d boots on Newleaf were not reported as finished", l->counter.unfinished);
	Print(L"  To try again: delete the EFI variable %a-%a,\n  or put boot-tries 0 into newleaf.conf.\n",
	      NL_BOOT_COUNTER_NAME, NL_BOOT_COUNTER_GUID);
	return NL_EBOOTS;
}

/* Without a count there is no way out of a boot that hangs: no launch then, unless the conf file says not to count. */
enum nl_err counter_start(struct loader *l)
{
	bool count = l->conf.boot_tries != 0 && l->counter.unfinished < UINT8_MAX;

	if (!count && l->counter.outcome == NL_OK)
		return NL_OK;
	l->counter.unfinished += count;
	l->counter.outcome = NL_OK;
	l->counted = count;
	return EFI_ERROR(store(l)) && count ? NL_EFIRMWARE : NL_OK;
}

void counter_failed(struct loader *l, enum nl_err outcome)
{
	if (l->counted)
		l->counter.unfinished--;
	else if (l->counter.outcome == outcome)
		return; /* flash wears: write what changed */
	l->counted = false;
	l->counter.outcome = (uint16_t)outcome;
	store(l);
}
