// SPDX-License-Identifier: Apache-2.0
/* Which CVEs a patch says that it mends. A leaf answers scanners with them, so that a CVE is only spoken of is no
 * claim.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_CVES_H
#define NEWLEAF_AUTHOR_PATCH_CVES_H

#include "patch_diff.h"

/* Lines of the header in their order, without their ends; the whole subject apart from them; the name of the file. */
void cves_of_line(struct diff *d, const char *line);
void cves_of_subject(struct diff *d, const char *subject);
void cves_of_file(struct diff *d, const char *path);
/* The author's own word, which is all that counts then. */
void cves_given(struct diff *d, const char *const *cve, size_t n);

bool cve_is_one(const char *text); /* CVE-2024-1086 */

#endif
