// SPDX-License-Identifier: Apache-2.0
/* See nearby.h. Near is as people mistype: one or two letters more, less or other. */
#include "nearby.h"

#include <string.h>

#define SHOWN 4u
#define NAME_MAX_LENGTH 128u
#define FAR 3u
#define SHORT_NAME 8u /* of these one letter is as much as two of others */

/* Letters to change, take away or put in between a and b; FAR = that many or more. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[NAME_MAX_LENGTH + 1];

	if (n >= NAME_MAX_LENGTH || m >= NAME_MAX_LENGTH || n + FAR <= m || m + FAR <= n)
		return FAR;
	for (unsigned j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		unsigned diagonal = row[0], best;

		row[0] = (unsigned)i;
		best = row[0];
		for (size_t j = 1; j <= m; j++) {
			unsigned other = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
			row[j] = other < row[j] ? other : row[j];
			best = row[j] < best ? row[j] : best;
		}
		if (best >= FAR)
			return FAR;
	}
	return row[m] < FAR ? row[m] : FAR;
}

char *nearby_names(const struct kernel *k, const char *name)
{
	char *all = xformat("%s", "");
	unsigned shown = 0;

	for (unsigned wanted = 1; wanted < (strlen(name) < SHORT_NAME ? FAR - 1 : FAR); wanted++)
		for (size_t i = 0; i < k->syms.n - k->syms.n_hidden && shown < SHOWN; i++) {
			const char *other = k->syms.sym[k->syms.by_name[i]].name;

			if (i && !strcmp(other, k->syms.sym[k->syms.by_name[i - 1]].name))
				continue;
			if (distance(name, other) == wanted)
				all = xformat("%s%s%s", all, shown++ ? ", " : "; there is: ", other);
		}
	return all;
}
