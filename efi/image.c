// SPDX-License-Identifier: Apache-2.0
/*
 * The core that the image carries: was it built with this loader?
 */
#include "loader.h"

enum nl_err image_check(void)
{
	if (image_core.magic != NL_CORE_MAGIC)
		return refuse(NL_EBOOTBLOCK, L"this image carries no core");
	if (image_core.version != NL_BOOT_VERSION)
		return refuse(NL_EBOOTBLOCK, L"the core wants boot block version %d, this loader makes version %d",
		              image_core.version, NL_BOOT_VERSION);
	return NL_OK;
}
