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

	if (!h || size < sizeof(*h) || h->magic != NL_CORE_MAGIC) {
		say_why(L"this image carries no core");
		return NL_EBOOTBLOCK;
	}
	if (h->version != NL_BOOT_VERSION) {
		say_why(L"the core wants boot block version %d, this loader makes version %d", h->version,
		        NL_BOOT_VERSION);
		return NL_EBOOTBLOCK;
	}
	if (h->image_size < sizeof(*h) || h->image_size > size || h->memory_size < h->image_size ||
	    h->memory_size > NL_REGION_SIZE(1) - NL_REGION_CORE || h->rodata_end > h->image_size ||
	    h->text_end > h->rodata_end || ((h->text_end | h->rodata_end) & NL_PAGE_MASK) ||
	    h->entry_va - (NL_CORE_VA + NL_REGION_CORE) >= h->text_end) {
		say_why(L"the core's header is damaged");
		return NL_EBOOTBLOCK;
	}
	l->core = h;
	return NL_OK;
}
