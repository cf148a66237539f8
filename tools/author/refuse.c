// SPDX-License-Identifier: Apache-2.0
/* The one way a command of the companion fails: the form of docs/reference, the exit codes of include/newleaf/errors.h.
 */
#include "author.h"

#include <stdarg.h>
#include <stdlib.h>

static const char *context_subject, *context_what = "done";
static bool context_json;
static struct refusal *refusal;

struct err_row {
	const char *name;
	int exit;
	const char *what, *next;
};

static const struct err_row rows[] = {
#define ROW(name, code, exit, what, next) [code] = {#name, exit, what, next},
        NL_ERRORS(ROW)
#undef ROW
};

const char *err_name(enum nl_err err) { return rows[err].name; }

int err_exit(enum nl_err err) { return rows[err].exit; }

void refuse_context(const char *subject, const char *what, bool json)
{
	context_subject = subject;
	context_what = what;
	context_json = json;
}

/* The table's advice is for a machine with a guest; here the same code means a file. */
static const char *next_step(enum nl_err err)
{
	switch (err) {
	case NL_EKERNEL:
		return "give the /boot/vmlinuz of the kernel's own package, unchanged";
	case NL_EBYTES:
		return "build the leaf again for this kernel file";
	case NL_EOVERLAP:
		return "merge the statements of the recipe that take the same bytes";
	case NL_ECONF:
		return "mend these lines: docs/reference/conf.md says what there is";
	case NL_EARENA:
		return "use a smaller body, or several leaves";
	default:
		return rows[err].next;
	}
}

void refuse_to(struct refusal *r) { refusal = r; }

void refuse(enum nl_err err, const char *why, ...)
{
	const struct err_row *row = &rows[err];
	char text[2048];
	va_list ap;

	va_start(ap, why);
	vsnprintf(text, sizeof(text), why, ap);
	va_end(ap);
	if (refusal) {
		refusal->err = err;
		snprintf(refusal->why, sizeof(refusal->why), "%s", text);
		exit(row->exit);
	}
	fflush(stdout);
	if (context_json) {
		printf("{\"schema\":\"newleaf.error/"
		       "1\",\"result\":\"failed\",\"code\":\"%s\",\"exit\":%d,\"changed\":false,\"detail\":",
		       row->name, row->exit);
		json_string(stdout, text);
		printf(",\"next\":");
		json_string(stdout, next_step(err));
		printf(",\"blockers\":[]}\n");
	}
	fprintf(stderr,
	        "newleaf: %s%snot %s; nothing changed [%s, exit %d]\n  why   %s\n  next  %s;  newleaf explain %s\n",
	        context_subject ? escape(context_subject, FOR_TERMINAL) : "", context_subject ? " " : "", context_what,
	        row->name, row->exit, escape(text, FOR_TERMINAL), next_step(err), row->name);
	exit(row->exit);
}
