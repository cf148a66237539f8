// SPDX-License-Identifier: Apache-2.0
/* What every target says, whatever its OS: see target.h. */
#include "guest/target.h"

static bool part_of_image(const struct nl_leaf_target *t, uint64_t start, uint64_t end)
{
	return end >= start && nl_in_image(t, start, end - start);
}

enum nl_err nl_target_check(const struct nl_leaf_target *t)
{
	size_t i;

	if (t->guest_os != NL_GUEST_LINUX)
		return NL_EUNSUPPORTED;
	if (t->build_id_len < 8 || t->build_id_len > NL_BUILD_ID_MAX)
		return NL_ELEAF;
	for (i = t->build_id_len; i < NL_BUILD_ID_MAX; i++)
		if (t->build_id[i])
			return NL_ELEAF;
	for (i = 0; i < NL_ARRAY_SIZE(t->reserved); i++)
		if (t->reserved[i])
			return NL_ELEAF;
	if (t->image_end <= t->image_start || !part_of_image(t, t->text_start, t->text_end) ||
	    !part_of_image(t, t->rodata_start, t->rodata_end) || !nl_in_image(t, t->build_id_va, t->build_id_len))
		return NL_ERANGE;
	return nl_linux_target_check(t);
}
