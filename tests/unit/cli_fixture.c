// SPDX-License-Identifier: Apache-2.0
/* See cli_fixture.h. */
#include "cli_fixture.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

char dir[] = "/tmp/newleaf-test-XXXXXX";
char path_a[PATH_MAX], path_b[PATH_MAX], path_a2[PATH_MAX];
char out[1 << 16], err[1 << 16];
struct fake *f;

void slurp(const char *name, char *to, size_t size)
{
	char path[PATH_MAX];
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	n = fread(to, 1, size - 1, file);
	to[n] = 0;
	fclose(file);
}

static int redirect(int fd, const char *name)
{
	char path[PATH_MAX];
	int saved = dup(fd), to;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	to = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(to, fd);
	close(to);
	return saved;
}

/* Runs `newleaf ARGS` in this process on the fake; out[] and err[] hold what it said. */
int run(const char **args)
{
	int argc = 0, code, saved_out, saved_err;

	while (args[argc])
		argc++;
	fflush(stdout);
	fflush(stderr);
	saved_out = redirect(STDOUT_FILENO, "out");
	saved_err = redirect(STDERR_FILENO, "err");
	code = cli_main(argc, (char **)args, &f->transport);
	fflush(stdout);
	fflush(stderr);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	slurp("out", out, sizeof(out));
	slurp("err", err, sizeof(err));
	return code;
}

void assert_schema(const char *name)
{
	char command[3 * PATH_MAX];
	char problems[4096] = "";
	FILE *p;

	snprintf(
	        command, sizeof(command),
	        "jq -r --slurpfile schema docs/reference/schemas/newleaf.%s-1.json -f tests/unit/schema.jq %s/out 2>&1",
	        name, dir);
	p = popen(command, "r");
	problems[fread(problems, 1, sizeof(problems) - 1, p)] = 0;
	assert_int_equal(pclose(p), 0);
	assert_string_equal(problems, "");
	assert_non_null(strstr(out, "\"schema\":\"newleaf."));
}

static void write_leaf(char *path, const char *file, const char *id, uint32_t salt)
{
	uint8_t bytes[4096];
	size_t n = fake_leaf(bytes, id, salt);
	FILE *file_out;

	snprintf(path, PATH_MAX, "%s/%s", dir, file);
	file_out = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, n, file_out), n);
	fclose(file_out);
}

int set_up_group(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	cli_run_dir = dir;
	cli_livepatch_dir = dir; /* nothing in it is one */
	write_leaf(path_a, "a.leaf", "alpha", 1);
	write_leaf(path_a2, "a2.file", "alpha", 2);
	write_leaf(path_b, "b.leaf", "beta", 1);
	return 0;
}

int tear_down_group(void **state)
{
	char command[PATH_MAX + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int set_up(void **state)
{
	(void)state;
	f = fake_new();
	f->cancel = &cli_cancel;
	return 0;
}
