// SPDX-License-Identifier: Apache-2.0
/*
 * A firmware that is otherwise: stands where the firmware looks first, changes what its MP services say, and starts
 * Newleaf. \firmware on the same partition names how (tests/guest/run --firmware).
 *   hide    there are no MP services
 *   refuse  the last CPU cannot be virtualised: its APIC stands elsewhere while the procedure runs
 */
#include <cpuid.h>
#include <efi.h>
#include <efilib.h>

#include "../../../efi/mp.h"

#define APIC_BASE 0x1b

static struct mp_services was;
static UINT64 last_id; /* of the last CPU's APIC */
static char mode;
static mp_procedure procedure;

static EFI_STATUS EFIAPI count(struct mp_services *self, UINTN *all, UINTN *enabled)
{
	return mode == 'h' ? EFI_UNSUPPORTED : was.count(self, all, enabled);
}

static uint64_t rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index));
	return (uint64_t)hi << 32 | lo;
}

static void wrmsr(uint32_t index, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static VOID EFIAPI on_each(VOID *argument)
{
	unsigned a, b, c, d;
	uint64_t base = rdmsr(APIC_BASE);

	__cpuid(1, a, b, c, d);
	if (b >> 24 != last_id) {
		procedure(argument);
		return;
	}
	wrmsr(APIC_BASE, base ^ 0x100000);
	procedure(argument);
	wrmsr(APIC_BASE, base);
}

static EFI_STATUS EFIAPI run_all(struct mp_services *self, mp_procedure p, BOOLEAN one_by_one, EFI_EVENT event,
                                 UINTN time_us, VOID *argument, UINTN **failed)
{
	procedure = p;
	return was.run_all(self, on_each, one_by_one, event, time_us, argument, failed);
}

static EFI_STATUS change(EFI_HANDLE device)
{
	static EFI_GUID guid = MP_SERVICES_GUID;
	EFI_FILE_HANDLE root = LibOpenRoot(device), file;
	struct mp_services *mp;
	struct mp_processor p;
	UINTN n = 1, all, enabled;
	EFI_STATUS s;

	if (!root)
		return EFI_NOT_FOUND;
	s = root->Open(root, &file, L"\\firmware", EFI_FILE_MODE_READ, 0);
	if (!EFI_ERROR(s))
		s = file->Read(file, &n, &mode);
	if (!EFI_ERROR(s))
		s = LibLocateProtocol(&guid, (void **)&mp);
	if (!EFI_ERROR(s))
		s = mp->count(mp, &all, &enabled);
	if (!EFI_ERROR(s))
		s = mp->info(mp, all - 1, &p);
	if (EFI_ERROR(s))
		return s;
	last_id = p.id;
	was = *mp;
	mp->count = count;
	mp->run_all = run_all;
	return EFI_SUCCESS;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_HANDLE next;
	EFI_STATUS s;

	InitializeLib(image, table);
	s = BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&loaded);
	if (!EFI_ERROR(s))
		s = change(loaded->DeviceHandle);
	if (!EFI_ERROR(s))
		s = BS->LoadImage(FALSE, image, FileDevicePath(loaded->DeviceHandle, L"\\EFI\\newleaf\\newleafx64.efi"),
		                  NULL, 0, &next);
	if (EFI_ERROR(s)) {
		Print(L"firmware: %r\n", s);
		return s;
	}
	return BS->StartImage(next, NULL, NULL);
}
