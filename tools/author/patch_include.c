// SPDX-License-Identifier: Apache-2.0
/* Not yet: refuses. */
#include "patch_include.h"

void include_find(const struct tree *t, char *const header[], size_t n_headers, char **list, size_t *n)
{
	(void)t, (void)n_headers, (void)list, (void)n;
	refuse(NL_EUNSUPPORTED, "%s: changed headers are not supported yet", header[0]);
}
