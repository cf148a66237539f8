// SPDX-License-Identifier: Apache-2.0
/*
 * What the loader says. A failure says: not done, why, what next; the name of the error last, as the `newleaf` command
 * does.
 */
#include "loader.h"

static const struct {
	enum nl_err code;
	const char *name, *what, *next;
} errors[] = {
#define ROW(name, code, exit, what, next) {name, #name, what, next},
        NL_ERRORS(ROW)
#undef ROW
};

static void say(const CHAR16 *before, const CHAR16 *format, va_list args)
{
	Print(L"%s", before);
	VPrint(format, args);
	Print(L"\n");
}

const char *error_name(enum nl_err error)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(errors); i++)
		if (errors[i].code == error)
			return errors[i].name;
	return "an error that this loader does not know";
}

void say_error(enum nl_err error)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(errors); i++)
		if (errors[i].code == error) {
			Print(L"newleaf: not launched: %a [%a]\n  next  %a\n", errors[i].what, errors[i].name,
			      errors[i].next);
			return;
		}
	Print(L"newleaf: not launched: the core answered %d, which this loader does not know\n", error);
}

void say_why(const CHAR16 *format, ...)
{
	va_list args;

	va_start(args, format);
	say(L"newleaf: ", format, args);
	va_end(args);
}

enum nl_err refuse(enum nl_err error, const CHAR16 *why, ...)
{
	va_list args;

	va_start(args, why);
	say(L"newleaf: ", why, args);
	va_end(args);
	return error;
}

void say_warning(const CHAR16 *format, ...)
{
	va_list args;

	va_start(args, format);
	say(L"newleaf: warning: ", format, args);
	va_end(args);
}
