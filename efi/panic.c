// SPDX-License-Identifier: Apache-2.0
/*
 * The record of a panic (newleaf/panic.h): found by an EFI variable, believed by its checksum, shown once.
 */
#include "loader.h"

#define NAME L"" NL_PANIC_VARIABLE
#define ATTRIBUTES 3u /* non-volatile, boot services only: what we are told to look at comes from ourselves */

static EFI_GUID guid = {0x5f0b4c1e, 0x6e65, 0x776c, {0x65, 0x61, 0x66, 0x62, 0x6f, 0x6f, 0x74, 0x31}};

static uint64_t remembered(void)
{
	uint64_t at;
	UINTN size = sizeof(at);
	UINT32 attributes = 0;
	EFI_STATUS s = RT->GetVariable(NAME, &guid, &attributes, &size, &at);

	return EFI_ERROR(s) || size != sizeof(at) || attributes != ATTRIBUTES ? 0 : at;
}

static void show(const char *text)
{
	say_why(L"the boot before ended in a panic of Newleaf, which said:");
	for (; *text; text++)
		if (*text == '\n')
			Print(L"\n");
		else
			Print(L"%c", *text >= 0x20 && *text <= 0x7e ? (CHAR16)*text : L'?');
	Print(L"\n");
}

void panic_read(struct loader *l)
{
	uint64_t at = remembered();
	struct nl_panic_record *r = (struct nl_panic_record *)at;

	if (!at || (at & NL_PAGE_MASK) || !memory_is_free(at, sizeof(*r)) || !nl_panic_valid(r))
		return;
	show(r->text);
	l->panic = AllocatePool(sizeof(*r));
	if (l->panic)
		CopyMem(l->panic, r, sizeof(*r));
	r->magic = 0; /* once */
}

void panic_hand_over(struct loader *l)
{
	EFI_STATUS s = EFI_SUCCESS;

	if (l->panic)
		CopyMem((void *)l->boot->panic, l->panic, sizeof(*l->panic));
	if (remembered() != l->boot->panic) {             /* flash wears: write what changed */
		RT->SetVariable(NAME, &guid, 0, 0, NULL); /* whatever attributes it had */
		s = RT->SetVariable(NAME, &guid, ATTRIBUTES, sizeof(l->boot->panic), &l->boot->panic);
	}
	if (EFI_ERROR(s))
		say_warning(L"a panic of this boot will not be shown by the next: %r", s);
}
