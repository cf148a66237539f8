// SPDX-License-Identifier: Apache-2.0
/*
 * What the loader says. A failure says: not done, why, what next; the name of the error last, as the `newleaf` command
 * does.
 */
#include "loader.h"

static const struct {
	const char *name, *what, *next;
} errors[] = {
#define ROW(name, code, exit, what, next) [code] = {#name, what, next},
        NL_ERRORS(ROW)
#undef ROW
};

const char *error_name(enum nl_err error) { return errors[error].name; }

void say_error(enum nl_err error)
{
	Print(L"newleaf: not launched: %a [%a]\n  next  %a\n", errors[error].what, errors[error].name,
	      errors[error].next);
}

enum nl_err refuse(enum nl_err error, const CHAR16 *why, ...)
{
	va_list args;

	Print(L"newleaf: ");
	va_start(args, why);
	VPrint(why, args);
	va_end(args);
	Print(L"\n");
	return error;
}
