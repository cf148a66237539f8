// SPDX-License-Identifier: Apache-2.0
/* A leaf for nobody's kernel, well-formed and not signed, as a file: `leaf FILE ID VERSION BUILD-ID-BYTE`. Needs no
 * kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "badleaf.h"

int main(int argc, char **argv)
{
	FILE *f = argc == 5 ? fopen(argv[1], "we") : NULL;
	size_t n;

	if (!f)
		return 2;
	start_leaf();
	memset(m.header.id, 0, sizeof(m.header.id));
	snprintf(m.header.id, sizeof(m.header.id), "%s", argv[2]);
	m.header.version = (uint32_t)strtoul(argv[3], NULL, 10);
	memset(m.header.target.kernel.build_id, argv[4][0], m.header.target.kernel.build_id_len);
	n = make_write(&m, file);
	return fwrite(file, n, 1, f) == 1 && !fclose(f) ? 0 : 1;
}
