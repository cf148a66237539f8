// SPDX-License-Identifier: Apache-2.0
/*
 * EFI_MP_SERVICES_PROTOCOL (PI 1.8, vol. 2, 13.4), which gnu-efi does not have. The members that nobody here calls are
 * named, to keep the order.
 */
#pragma once

#include <efi.h>

#define MP_SERVICES_GUID \
	{ \
		0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } \
	}

#define MP_IS_ENABLED 2u

struct mp_processor {
	UINT64 id; /* of its local APIC */
	UINT32 status;
	UINT32 location[3], extended[6];
};
_Static_assert(sizeof(struct mp_processor) == 48, "EFI_PROCESSOR_INFORMATION");

typedef VOID(EFIAPI *mp_procedure)(VOID *argument);

struct mp_services {
	EFI_STATUS(EFIAPI *count)(struct mp_services *self, UINTN *all, UINTN *enabled);
	EFI_STATUS(EFIAPI *info)(struct mp_services *self, UINTN number, struct mp_processor *out);
	/* event NULL: returns when all have come back. time_us 0: without limit. */
	EFI_STATUS(EFIAPI *run_all)
	(struct mp_services *self, mp_procedure procedure, BOOLEAN one_by_one, EFI_EVENT event, UINTN time_us,
	 VOID *argument, UINTN **failed);
	VOID *run_one, *switch_bsp, *enable, *who_am_i;
};
