// SPDX-License-Identifier: Apache-2.0
/*
 * What the loader says. A failure says: not done, why, what next; the name of the error last, as the `newleaf` command
 * does.
 */
#include "loader.h"

static const struct error {
	enum nl_err code;
	const char *name, *what, *next;
} errors[] = {
#define ROW(name, code, exit, what, next) {name, #name, what, next},
        NL_ERRORS(ROW)
#undef ROW
                {0, NULL, NULL, NULL},
};

/* The last row is that of errors which this loader does not know. */
static const struct error *find(enum nl_err code)
{
	const struct error *e = errors;

	while (e->name && e->code != code)
		e++;
	return e;
}

const char *error_name(enum nl_err error)
{
	const char *name = find(error)->name;

	return name ? name : "an error that this loader does not know";
}

void say_error(enum nl_err error)
{
	const struct error *e = find(error);

	if (e->name)
		Print(L"newleaf: not launched: %a [%a]\n  next  %a\n", e->what, e->name, e->next);
	else
		Print(L"newleaf: not launched: the core answered %d, which this loader does not know\n", error);
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
