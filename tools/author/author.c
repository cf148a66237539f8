// SPDX-License-Identifier: Apache-2.0
/* Buffers, files and output helpers of the authoring companion. Not here: how a refusal ends the command (refuse.c). */
#define _GNU_SOURCE /* vasprintf */
#include "author.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *xalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		refuse(NL_EENVIRONMENT, "out of memory");
	return p;
}

char *xformat(const char *format, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, format);
	if (vasprintf(&s, format, ap) < 0)
		s = NULL;
	va_end(ap);
	if (!s)
		refuse(NL_EENVIRONMENT, "out of memory");
	return s;
}

bool starts_with(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

bool ends_with(const char *s, const char *with)
{
	size_t n = strlen(s), m = strlen(with);

	return n >= m && !strcmp(s + n - m, with);
}

static bool in_name(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$'; }

bool has_name(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; n && p && (p = strstr(p, name)); p++)
		if ((p == list || !in_name(p[-1])) && !in_name(p[n]))
			return true;
	return false;
}

size_t buf_add(struct buf *b, const void *bytes, size_t n)
{
	size_t at = b->n;

	if (b->n + n > b->room) {
		size_t room = (b->n + n) * 2 + 64;
		uint8_t *p = xalloc(room);

		if (b->n)
			memcpy(p, b->p, b->n);
		free(b->p);
		b->p = p;
		b->room = room;
	}
	if (n && bytes)
		memcpy(b->p + at, bytes, n);
	else if (n)
		memset(b->p + at, 0, n);
	b->n += n;
	return at;
}

size_t buf_align(struct buf *b, size_t align, uint8_t fill)
{
	while (b->n % align)
		buf_add(b, &fill, 1);
	return b->n;
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

struct buf file_read(const char *path, size_t max)
{
	struct buf b = {0};
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe does not make it wait */

	if (fd < 0 || fstat(fd, &st) < 0)
		refuse(NL_EENVIRONMENT, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		refuse(NL_EENVIRONMENT, "cannot read %s: not a regular file", path);
	if ((uint64_t)st.st_size > max)
		refuse(NL_EENVIRONMENT, "%s is larger than %zu bytes: not what is wanted here", path, max);
	buf_add(&b, NULL, (size_t)st.st_size);
	for (size_t got = 0; got < b.n;) {
		ssize_t n = read(fd, b.p + got, b.n - got);

		if (n <= 0)
			refuse(NL_EENVIRONMENT, "cannot read %s: %s", path, n ? strerror(errno) : "it shrank");
		got += (size_t)n;
	}
	close(fd);
	return b;
}

void file_write(const char *path, const void *p, size_t n, unsigned mode)
{
	char *temporary = xformat("%s.XXXXXX", path);
	int fd = mkstemp(temporary);
	bool good = fd >= 0 && fchmod(fd, mode) == 0;

	for (size_t done = 0; good && done < n;) {
		ssize_t w = write(fd, (const uint8_t *)p + done, n - done);

		good = w > 0;
		done += good ? (size_t)w : 0;
	}
	good = good && fsync(fd) == 0 && close(fd) == 0 && rename(temporary, path) == 0;
	if (!good) {
		int why = errno;

		if (fd >= 0)
			unlink(temporary);
		refuse(NL_EENVIRONMENT, "cannot write %s: %s", path, strerror(why));
	}
	free(temporary);
}

void hex_print(FILE *f, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%02x", p[i]);
}
