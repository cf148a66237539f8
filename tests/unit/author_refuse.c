// SPDX-License-Identifier: Apache-2.0
/* Stands in for tools/author/refuse.c. What a refused call had allocated stays until the test ends, as in the program.
 */
#include "author_refuse.h"

#include <stdarg.h>

jmp_buf author_refused;
enum nl_err author_code;
char author_why[2048];

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0"; /* memory belongs to the process: tools/author/author.h */
}

void refuse(enum nl_err err, const char *why, ...)
{
	va_list ap;

	author_code = err;
	va_start(ap, why);
	vsnprintf(author_why, sizeof(author_why), why, ap);
	va_end(ap);
	longjmp(author_refused, 1);
}
