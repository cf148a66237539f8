// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the kernel's own build system for single objects in a temporary directory, as part of the image (obj-y: no
 * module glue). Debian's headers come in two directories, of which one names the other by an absolute path; an unpacked
 * copy is found beside it.
 */
#define _GNU_SOURCE
#include "compile.h"
#include "fetch.h"
#include "module.h"
#include "toolchain.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The prelude travels inside the program. */
__asm__(".section .rodata\n"
        "prelude_start: .incbin \"tools/author/prelude.h\"\n"
        "prelude_end: .previous\n");
extern const char prelude_start[], prelude_end[];

static char *cleanup_directory;
static pid_t cleanup_owner; /* a child that tries something leaves its parent's directory alone */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

static void cleanup(void)
{
	if (cleanup_directory && cleanup_owner == getpid())
		nftw(cleanup_directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	cleanup_directory = NULL;
}

void compile_clean(struct compiled *c)
{
	(void)c;
	cleanup();
}

char *compile_directory(void)
{
	const char *base = getenv("TMPDIR");
	char *directory = xformat("%s/newleaf-body.XXXXXX", base && *base == '/' ? base : "/tmp");

	if (!mkdtemp(directory))
		refuse(NL_EENVIRONMENT, "cannot make a directory like %s: %s", directory, strerror(errno));
	cleanup_directory = directory;
	cleanup_owner = getpid();
	atexit(cleanup);
	return directory;
}

static bool is_headers(const char *directory)
{
	return file_exists(xformat("%s/include/generated/utsrelease.h", directory));
}

static char *find_headers(const struct kernel *k, const char *given)
{
	char *candidates[] = {
	        given ? xformat("%s", given) : xformat("/usr/src/linux-headers-%s", k->release),
	        given ? xformat("%s/usr/src/linux-headers-%s", given, k->release)
	              : xformat("/lib/modules/%s/build", k->release),
	        given ? xformat("%s/linux-headers-%s", given, k->release) : NULL,
	};
	char *resolved, *fetched;
	glob_t g;

	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
		if (candidates[i] && is_headers(candidates[i]) && (resolved = realpath(candidates[i], NULL)))
			return resolved;
	/* Headers of many kernels, as get-kernel's cache has them. */
	if (given && !glob(xformat("%s/*/usr/src/linux-headers-%s", given, k->release), 0, NULL, &g) &&
	    is_headers(g.gl_pathv[0]) && (resolved = realpath(g.gl_pathv[0], NULL)))
		return resolved;
	if (!given && (fetched = fetch_part(k, "headers")))
		return find_headers(k, fetched);
	refuse(NL_EENVIRONMENT,
	       "no headers of %s in %s; install linux-headers-%s, or unpack it with its -common and linux-kbuild "
	       "packages and give -H",
	       k->release, candidates[0], k->release);
}

static void check_release(const struct kernel *k, const char *headers)
{
	struct buf b = file_read(xformat("%s/include/generated/utsrelease.h", headers), 4096);
	char *text = xformat("%.*s", (int)b.n, (char *)b.p);

	if (!strstr(text, xformat("\"%s\"", k->release)))
		refuse(NL_ETARGET, "%s holds the headers of another kernel than %s", headers, k->release);
}

/* Make and the shell of its rules read these paths: a directory called `$(command)` would run it, and a blank would end
 * the option. */
const char *compile_plain_path(const char *path)
{
	for (const char *p = path; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("/._-+,:@~", *p) && (unsigned char)*p < 0x80)
			refuse(NL_EUSAGE, "the kernel's makefiles cannot take the '%c' in %s: use another directory",
			       *p, path);
	return path;
}

/*
 * The makefile to run: the one that Debian's stub includes, or the directory's own. Since 6.13 the stub also says by an
 * absolute path where the configuration is (KBUILD_OUTPUT): compile() says it.
 */
static char *find_makefile(const char *headers)
{
	char *stub = xformat("%s/Makefile", headers);
	struct buf b = file_read(stub, 1u << 20);
	char *text = xformat("%.*s", (int)b.n, (char *)b.p), *included, *slash, *real;

	if (!strncmp(text, "KBUILD_OUTPUT=", 14) && strchr(text, '\n'))
		text = strchr(text, '\n') + 1;
	if (strncmp(text, "include /", 9))
		return stub;
	included = xformat("%.*s", (int)strcspn(text + 8, "\n"), text + 8);
	if (file_exists(included))
		return included;
	*strrchr(included, '/') = 0; /* .../linux-headers-X-common/Makefile */
	slash = strrchr(included, '/');
	included = xformat("%s/..%s/Makefile", headers, slash ? slash : "");
	real = realpath(included, NULL);
	if (!real)
		refuse(NL_EENVIRONMENT, "%s is missing; unpack the -common headers package beside the other", included);
	return real;
}

#define SHOWN 4096u /* at a time, by whole lines where they are not longer */

/* What a compiler says repeats lines of the source, whoever wrote it. Until nobody has the other end of the pipe. */
static void show(int from)
{
	char text[SHOWN];
	size_t n = 0;
	ssize_t got;

	while ((got = read(from, text + n, sizeof(text) - n)) > 0 || (got < 0 && errno == EINTR)) {
		const char *last = got > 0 ? memrchr(text, '\n', n += (size_t)got) : NULL;
		size_t lines = last ? (size_t)(last + 1 - text) : n == sizeof(text) ? n : 0;

		escape_lines(stderr, text, lines);
		memmove(text, text + lines, n -= lines);
	}
	escape_lines(stderr, text, n);
	close(from);
}

int compile_run_into(char *const argv[], const char *directory, const char *log)
{
	static const char *const of_make[] = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEFILES", "GNUMAKEFLAGS"};
	int status, ends[2] = {-1, -1};
	pid_t pid = !log && pipe2(ends, O_CLOEXEC) ? -1 : fork();

	if (pid < 0)
		refuse(NL_EENVIRONMENT, "cannot start %s: %s", argv[0], strerror(errno));
	if (!pid) {
		for (size_t i = 0; i < NL_ARRAY_SIZE(of_make); i++)
			unsetenv(of_make[i]);
		setenv("LC_ALL", "C", 1);
		dup2(log ? open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : ends[1], STDERR_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		if (directory && chdir(directory))
			_exit(127);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (!log) {
		close(ends[1]);
		show(ends[0]);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int compile_run(char *const argv[], const char *directory) { return compile_run_into(argv, directory, NULL); }

int compile_run_quietly(char *const argv[], const char *directory)
{
	return compile_run_into(argv, directory, "/dev/null");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The kernel's Makefile takes goals of these names for its own, and does without the configuration. */
static const char *goal_name(const char *name)
{
	bool own = starts_with(name, "check") || starts_with(name, "help") || starts_with(name, "headers_");

	return own ? xformat("source_%s", name) : name;
}

static void copy_sources(const struct recipe *r, struct compiled *c)
{
	for (size_t i = 0; i < r->n_source; i++) {
		const char *name = base_name(r->source[i]);
		char *from = *r->source[i] == '/' ? r->source[i] : xformat("%s/%s", r->directory, r->source[i]);
		struct buf b = file_read(from, 1u << 20);

		for (size_t j = 0; j < i; j++)
			if (!strcmp(base_name(r->source[j]), name))
				refuse(NL_ERECIPE, "%s: two sources are called %s", r->path, name);
		name = goal_name(name);
		file_write(xformat("%s/%s", c->directory, name), b.p, b.n, 0644);
		c->path[i] = xformat("%s/%.*s.o", c->directory, (int)strlen(name) - 2, name);
	}
}

enum form { AS_BODY, AS_KERNEL, AS_KERNEL_UNTRACED };

/* What code of a module is compiled as: THIS_MODULE is its own, and messages begin with its name. */
static char *as_module(const struct kernel *k, const char *directory)
{
	char *path = xformat("%s/newleaf-module.h", directory), *text;

	if (!k->module)
		return xformat("%s", "");
	text = xformat("#undef KBUILD_MODNAME\n#define KBUILD_MODNAME \"%s\"\n"
	               "#undef __KBUILD_MODNAME\n#define __KBUILD_MODNAME kmod_%s\n",
	               k->module->name, k->module->name);
	file_write(path, text, strlen(text), 0644);
	return xformat("ccflags-y += -DMODULE -include %s\n", path);
}

static void write_kbuild(const struct kernel *k, const struct recipe *r, const struct compiled *c, enum form form)
{
	char *real = realpath(r->directory, NULL);
	const char *include = compile_plain_path(real ? real : c->directory);
	struct buf b = {0};
	char *s;

	for (size_t i = 0; i < r->n_source; i++) {
		s = xformat("obj-y += %s\n", base_name(c->path[i]));
		buf_add(&b, s, strlen(s));
	}
	/* No ftrace call in a body (nobody lists it), no objtool: its tables would tell of a place that the kernel does
	 * not know. -fno-ipa-ra: a function of the body may be called from elsewhere. -gbtf: its types, which are
	 * compared with the kernel's. No padding before functions: boot fills it only where the kernel's tables lead.
	 */
	s = xformat(
	        "ccflags-y := -include %s/newleaf-prelude.h -I%s -g0 -fmacro-prefix-map=%s/= -fmacro-prefix-map=%s/="
	        " -fno-ipa-ra $(call cc-option,-gbtf) $(call cc-option,-gno-prune-btf)\n"
	        "ccflags-remove-y := $(CC_FLAGS_FTRACE) $(PADDING_CFLAGS)\nOBJECT_FILES_NON_STANDARD := y\n",
	        compile_plain_path(c->directory), include, c->directory, include);
	if (form != AS_BODY)
		s = xformat("ccflags-y := -I%s -g0\n%s", include,
		            form == AS_KERNEL ? "" : "ccflags-remove-y := $(CC_FLAGS_FTRACE)\n");
	buf_add(&b, s, strlen(s));
	s = as_module(k, c->directory);
	buf_add(&b, s, strlen(s));
	file_write(xformat("%s/Kbuild", c->directory), b.p, b.n, 0644);
	compile_prelude(xformat("%s/newleaf-prelude.h", c->directory));
}

char *compile_headers(const struct kernel *k, const char *given)
{
	char *headers = find_headers(k, given);

	check_release(k, headers);
	return headers;
}

void compile_prelude(const char *path) { file_write(path, prelude_start, (size_t)(prelude_end - prelude_start), 0644); }

static struct compiled compile_in(const struct kernel *k, const struct recipe *r, const char *given, const char *cc,
                                  enum form form)
{
	struct compiled c = {.directory = NULL};
	struct toolchain tools = toolchain_find(k, cc);
	char *argv[RECIPE_MAX + 8 + TOOLCHAIN_ARGUMENTS], *headers = compile_headers(k, given), *makefile;
	size_t n = 0;
	int status;

	makefile = find_makefile(headers);
	c.note = tools.note;
	c.directory = compile_directory();
	copy_sources(r, &c);
	write_kbuild(k, r, &c, form);
	argv[n++] = xformat("make");
	argv[n++] = xformat("-s");
	argv[n++] = xformat("-C%s", compile_plain_path(headers));
	argv[n++] = xformat("-f%s", compile_plain_path(makefile));
	argv[n++] = xformat("M=%s", c.directory);
	argv[n++] = xformat("KBUILD_OUTPUT=%s", headers);
	n += toolchain_arguments(&tools, argv + n);
	for (size_t i = 0; i < r->n_source; i++)
		argv[n++] = xformat("%s", base_name(c.path[i]));
	argv[n] = NULL;
	status = compile_run(argv, NULL);
	if (status == 127)
		refuse(NL_EENVIRONMENT, "make is not installed");
	for (size_t i = 0; i < r->n_source; i++)
		if (status || !file_exists(c.path[i]))
			refuse(NL_ECOMPILE, "%s: %s does not compile for %s (make ended with %d): see above", r->path,
			       r->source[i], k->release, status);
	return c;
}

struct compiled compile(const struct kernel *k, const struct recipe *r, const char *headers, const char *cc)
{
	return compile_in(k, r, headers, cc, AS_BODY);
}

struct compiled compile_as_kernel(const struct kernel *k, const struct recipe *r, const char *headers, const char *cc,
                                  bool traced)
{
	return compile_in(k, r, headers, cc, traced ? AS_KERNEL : AS_KERNEL_UNTRACED);
}
