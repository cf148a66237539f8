// SPDX-License-Identifier: Apache-2.0
/*
 * The core that the image carries.
 */
#include "loader.h"
#include "pe.h"

enum nl_err image_find_core(struct loader *l)
{
	size_t size;
	const struct nl_core_header *h = nl_pe_section(l->loaded->ImageBase, l->loaded->ImageSize, ".core", &size);

	if (!h || size < sizeof(*h) || h->magic != NL_CORE_MAGIC)
		return refuse(NL_EBOOTBLOCK, L"this image carries no core");
	if (h->version != NL_BOOT_VERSION)
		return refuse(NL_EBOOTBLOCK, L"the core wants boot block version %d, this loader makes version %d",
		              h->version, NL_BOOT_VERSION);
	if (h->image_size < sizeof(*h) || h->image_size > size || h->memory_size < h->image_size ||
	    h->memory_size > NL_REGION_SIZE(1) - NL_REGION_CORE || h->rodata_end > h->image_size ||
	    h->text_end > h->rodata_end || ((h->text_end | h->rodata_end) & NL_PAGE_MASK) ||
	    h->entry_va - (NL_CORE_VA + NL_REGION_CORE) >= h->text_end)
		return refuse(NL_EBOOTBLOCK, L"the core's header is damaged");
	l->core = h;
	return NL_OK;
}
