// SPDX-License-Identifier: Apache-2.0
/*
 * Memory encryption that the firmware has switched on. Tested on the host.
 */
#pragma once

/* The name of what gives memory more than one physical address, so that hiding one hides nothing; NULL: none. */
const char *nl_encryption(void);
