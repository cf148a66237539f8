// SPDX-License-Identifier: Apache-2.0
/*
 * One child process for each kernel, because saying no ends the process; as many at a time as there are CPUs. The
 * answers lie in memory that all of them share. What a child's compiler says is shown when the child has failed.
 */
#define _GNU_SOURCE
#include "matrix.h"
#include "check.h"
#include "fetch.h"
#include "kernels.h"

#include <errno.h>
#include <fcntl.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME_SIZE 256u
#define SAID_MAX (64u << 10)

struct answer { /* written by the child, but for the last two */
	char release[NAME_SIZE], id[NAME_SIZE], leaf[1024], note[1024];
	struct refusal refusal;
	bool reached; /* the child came to its end, or refused */
	int said;     /* what it said on stderr */
	pid_t pid;
};

enum verdict { FITS, BUILDS, FIXED, NOTHING, UNPROVEN, REFUSED, N_VERDICTS };
static const char *const names[] = {"fits", "builds", "already fixed", "nothing to patch", "unproven", "refused"};

static enum verdict verdict(const struct matrix_job *job, const struct answer *a)
{
	if (a->refusal.err)
		return a->refusal.err == NL_FIXED ? FIXED : a->refusal.err == NL_NOTHING ? NOTHING : REFUSED;
	if (job->is_leaf)
		return FITS;
	return *a->note ? UNPROVEN : BUILDS;
}

static const char *detail(const struct matrix_job *job, const struct answer *a)
{
	if (a->refusal.err == NL_FIXED || a->refusal.err == NL_NOTHING)
		return a->refusal.why;
	if (a->refusal.err)
		return xformat("%s: %s", err_name(a->refusal.err), a->refusal.why);
	if (*a->leaf && *a->note)
		return xformat("-> %s (%s)", a->leaf, a->note);
	return *a->note ? a->note : *a->leaf ? xformat("-> %s", a->leaf) : job->is_leaf ? "every expected byte" : "";
}

static void keep(char *to, size_t room, const char *from) { snprintf(to, room, "%s", from); }

/* Ends by exit, so that what it made in /tmp goes. */
static _Noreturn void child(const struct matrix_job *job, const char *path, struct answer *a)
{
	struct kernel *k;
	struct built b;

	refuse_to(&a->refusal);
	fetch_speak_to(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
	dup2(a->said, STDERR_FILENO);
	dup2(a->said, STDOUT_FILENO);
	k = kernel_open_with(path, &job->with.modules);
	keep(a->release, sizeof(a->release), k->release);
	if (job->is_leaf) {
		struct leaffile l = leaffile_read(job->subject);

		keep(a->id, sizeof(a->id), l.leaf.header->id);
		check_leaf(&l, k);
	} else {
		b = build_file(job->subject, k, &job->with);
		keep(a->id, sizeof(a->id), b.id);
		keep(a->note, sizeof(a->note), b.note ? b.note : "");
		if (job->write) {
			char *to = xformat("%s%s%s_%s.leaf", job->output ? job->output : "", job->output ? "/" : "",
			                   b.id, k->release);

			if (strchr(k->release, '/'))
				refuse(NL_EKERNEL, "its release cannot be a file's name: %s", k->release);
			build_write(&b, to);
			keep(a->leaf, sizeof(a->leaf), to);
		}
	}
	a->reached = true;
	exit(NL_EXIT_OK);
}

static void start(const struct matrix_job *job, const char *path, struct answer *a)
{
	pid_t pid;

	keep(a->release, sizeof(a->release), path); /* until the kernel says it itself */
	a->said = memfd_create("said", MFD_CLOEXEC);
	if (a->said < 0)
		refuse(NL_EENVIRONMENT, "no memory for messages: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		refuse(NL_EENVIRONMENT, "cannot start a child: %s", strerror(errno));
	if (!pid)
		child(job, path, a);
	a->pid = pid;
}

static void show_said(const struct answer *a)
{
	char *text = xalloc(SAID_MAX + 1);
	ssize_t n = pread(a->said, text, SAID_MAX, 0);

	if (n <= 0)
		return;
	fprintf(stderr, "%s said:\n", escape(a->release, FOR_TERMINAL));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		fprintf(stderr, "  | %s\n", escape(line, FOR_TERMINAL));
}

/* Waits for one child. */
static void end_one(const struct matrix_job *job, struct answer *all, size_t n, size_t done)
{
	struct answer *a = NULL;
	int status;
	pid_t pid;

	while ((pid = wait(&status)) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < n; i++)
		if (all[i].pid == pid)
			a = &all[i];
	if (!a)
		refuse(NL_EINTERNAL, "lost a child: %s", strerror(errno));
	if (!a->reached && !a->refusal.err) {
		a->refusal.err = NL_EINTERNAL;
		snprintf(a->refusal.why, sizeof(a->refusal.why),
		         WIFSIGNALED(status) ? "ended by signal %d" : "ended with %d",
		         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	if (verdict(job, a) == REFUSED)
		show_said(a);
	close(a->said);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "%zu of %zu: %s: %s\n", done, n, escape(a->release, FOR_TERMINAL),
		        names[verdict(job, a)]);
}

static int worst(const struct matrix_job *job, const struct answer *all, size_t n, const size_t count[N_VERDICTS])
{
	int code = count[FIXED] + count[NOTHING] == n ? NL_EXIT_NOTHING
	           : count[UNPROVEN]                  ? NL_EXIT_DEGRADED
	                                              : NL_EXIT_OK;

	for (size_t i = 0; i < n; i++)
		if (verdict(job, &all[i]) == REFUSED && err_exit(all[i].refusal.err) > code)
			code = err_exit(all[i].refusal.err);
	return code;
}

static void print_json(const struct matrix_job *job, const struct kernels *ks, const struct answer *all, int code)
{
	printf("{\"schema\":\"newleaf.matrix/1\",\"subject\":");
	json_string(stdout, job->subject);
	printf(",\"exit\":%d,\"kernels\":[", code);
	for (size_t i = 0; i < ks->n; i++) {
		printf("%s{\"path\":", i ? "," : "");
		json_string(stdout, ks->path[i]);
		printf(",\"kernel\":");
		json_string(stdout, all[i].release);
		printf(",\"answer\":\"%s\",\"code\":\"%s\",\"detail\":", names[verdict(job, &all[i])],
		       err_name(all[i].refusal.err));
		json_string(stdout, all[i].refusal.err ? all[i].refusal.why : all[i].note);
		if (*all[i].leaf) {
			printf(",\"leaf\":");
			json_string(stdout, all[i].leaf);
		}
		printf("}");
	}
	printf("],\"ignored\":[");
	for (size_t i = 0; i < ks->n_ignored; i++) {
		printf("%s", i ? "," : "");
		json_string(stdout, ks->ignored[i]);
	}
	printf("]}\n");
}

static void print_text(const struct matrix_job *job, const struct kernels *ks, const struct answer *all)
{
	int width = (int)strlen("KERNEL");

	for (size_t i = 0; i < ks->n; i++)
		if ((int)strlen(all[i].release) > width)
			width = (int)strlen(all[i].release);
	printf("%-*s  %-16s  %s\n", width, "KERNEL", "ANSWER", "WHY");
	for (size_t i = 0; i < ks->n; i++)
		printf("%-*s  %-16s  %s\n", width, escape(all[i].release, FOR_TERMINAL), names[verdict(job, &all[i])],
		       escape(detail(job, &all[i]), FOR_TERMINAL));
	for (size_t i = 0; i < ks->n_ignored; i++)
		printf("ignored, no kernel: %s\n", escape(ks->ignored[i], FOR_TERMINAL));
}

bool matrix_wanted(const char *kernels)
{
	struct stat st;

	return !stat(kernels, &st) && S_ISDIR(st.st_mode);
}

int matrix_run(const struct matrix_job *job)
{
	struct kernels ks = kernels_find(job->kernels);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count[N_VERDICTS] = {0}, running = 0, done = 0;
	struct answer *all;
	int code;

	if (!ks.n)
		refuse(NL_EENVIRONMENT, "no vmlinuz and no vmlinuz-* in %s is a kernel", job->kernels);
	if (job->output && mkdir(job->output, 0755) && errno != EEXIST)
		refuse(NL_EENVIRONMENT, "cannot make %s: %s", job->output, strerror(errno));
	all = mmap(NULL, ks.n * sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		refuse(NL_EENVIRONMENT, "out of memory");
	for (size_t i = 0; i < ks.n; i++) {
		if (running == (size_t)(cpus > 2 ? cpus : 2)) {
			end_one(job, all, ks.n, ++done);
			running--;
		}
		start(job, ks.path[i], &all[i]);
		running++;
	}
	for (; running; running--)
		end_one(job, all, ks.n, ++done);
	for (size_t i = 0; i < ks.n; i++)
		count[verdict(job, &all[i])]++;
	code = worst(job, all, ks.n, count);
	if (job->json)
		print_json(job, &ks, all, code);
	else
		print_text(job, &ks, all);
	return code;
}
