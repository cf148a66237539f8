// SPDX-License-Identifier: Apache-2.0
/*
 * Memory encryption that the firmware has switched on. Pure C on two instructions that it is given, tested on the host.
 */
#ifndef EFI_ENCRYPTION_H
#define EFI_ENCRYPTION_H

#include <newleaf/types.h>

struct nl_probe {
	void (*cpuid)(uint32_t leaf, uint32_t sub, uint32_t r[4]);
	uint64_t (*rdmsr)(uint32_t index); /* only of registers that CPUID promises */
};

/* The name of what gives memory more than one physical address, so that hiding one hides nothing; NULL: none. */
const char *nl_encryption(const struct nl_probe *p);

#endif
