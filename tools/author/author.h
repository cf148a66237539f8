// SPDX-License-Identifier: Apache-2.0
/*
 * What every file of the authoring companion shares: buffers, files, and the one way to say no.
 * The companion lives for one command, so memory belongs to the process and is not given back piece by piece.
 */
#ifndef NEWLEAF_AUTHOR_H
#define NEWLEAF_AUTHOR_H

#include <newleaf/errors.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct buf { /* grows; p is NULL while n is 0 */
	uint8_t *p;
	size_t n, room;
};

/* What the user asked for, for the first line of a failure: "prctl-auxv not built". */
void refuse_context(const char *subject, const char *what, bool json);

/* Ends the command: not done, why, that nothing changed, what next, the code. Unit tests link their own. */
_Noreturn void refuse(enum nl_err err, const char *why, ...) __attribute__((format(printf, 2, 3)));

/* A command that runs in a child of this program for one kernel among many says no to its parent instead: the place is
 * shared memory. */
struct refusal {
	enum nl_err err;
	char why[2048];
};
void refuse_to(struct refusal *r);

const char *err_name(enum nl_err err);
int err_exit(enum nl_err err);

void *xalloc(size_t n); /* zeroed, never NULL */
char *xformat(const char *format, ...) __attribute__((format(printf, 1, 2)));

bool starts_with(const char *s, const char *with);
bool ends_with(const char *s, const char *with);
bool has_name(const char *list, const char *name); /* whole; "a" is not in "a.1, b_a"; the list may be NULL */

size_t buf_add(struct buf *b, const void *bytes, size_t n); /* returns the offset; bytes NULL = zeroes */
size_t buf_align(struct buf *b, size_t align, uint8_t fill);

struct buf file_read(const char *path, size_t max); /* refuses NL_EENVIRONMENT */
bool file_exists(const char *path);
void file_write(const char *path, const void *p, size_t n, unsigned mode); /* whole or not at all */

/* Whatever comes from outside goes through here on its way to a terminal (\x1b for what it would obey) or into JSON. */
enum escape_for { FOR_TERMINAL, FOR_JSON };
char *escape(const char *text, enum escape_for form);
/* What another program says, for a terminal: lines and tabs stay. */
void escape_lines(FILE *f, const void *bytes, size_t n);
void json_string(FILE *f, const char *s); /* with its quotes */
void hex_print(FILE *f, const uint8_t *p, size_t n);

#endif
