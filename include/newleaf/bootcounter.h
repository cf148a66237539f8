// SPDX-License-Identifier: Apache-2.0
/*
 * The boot counter: one EFI variable that the loader and the agent share. The loader counts a boot up just before it
 * launches the core; the agent clears `unfinished` through efivarfs once the guest is up. At `boot-tries`
 * (newleaf.conf) the loader steps aside. The file in efivarfs is NewleafBoots-5f0b4c1e-6e65-776c-6561-66626f6f7431:
 * four bytes of attributes (07 00 00 00), then this. Linux makes variables it does not know immutable: clear that flag
 * (FS_IOC_SETFLAGS) before writing.
 */
#ifndef NEWLEAF_BOOTCOUNTER_H
#define NEWLEAF_BOOTCOUNTER_H

#include <newleaf/types.h>

#define NL_BOOT_COUNTER_NAME "NewleafBoots"
#define NL_BOOT_COUNTER_GUID "5f0b4c1e-6e65-776c-6561-66626f6f7431"
#define NL_BOOT_COUNTER_ATTRIBUTES 7u /* non-volatile, boot service, run-time */
#define NL_BOOT_COUNTER_VERSION 1

struct nl_boot_counter {
	uint8_t unfinished; /* boots on Newleaf that no agent has reported as up */
	uint8_t version;  /* NL_BOOT_COUNTER_VERSION; the loader takes a variable of another size or version for absent
	                   */
	uint16_t outcome; /* enum nl_err of the latest boot: NL_OK = Newleaf was launched, else why it was not */
};

_Static_assert(sizeof(struct nl_boot_counter) == 4, "boot counter layout");

#endif
