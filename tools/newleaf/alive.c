// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf alive: the system is up. Clears the boot counter that the loader keeps in an EFI variable, and tells the
 * hypervisor.
 */
#define _GNU_SOURCE
#include "cli.h"
#include "probation.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <newleaf/bootcounter.h>

#define DIR_EFIVARS "/sys/firmware/efi/efivars"
/* <linux/fs.h> is not there for every libc. */
#define GET_FLAGS _IOR('f', 1, long)
#define SET_FLAGS _IOW('f', 2, long)
#define IMMUTABLE 0x10

struct variable {
	uint32_t attributes;
	struct nl_boot_counter counter;
};
_Static_assert(sizeof(struct variable) == 8, "efivarfs hands over attributes and content in one piece");

const char *cli_boots = DIR_EFIVARS "/" NL_BOOT_COUNTER_NAME "-" NL_BOOT_COUNTER_GUID;

/* Linux makes variables it does not know immutable. */
static void allow_writing(void)
{
	int flags, fd = open(cli_boots, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (ioctl(fd, GET_FLAGS, &flags) == 0 && (flags & IMMUTABLE)) {
		flags &= ~IMMUTABLE;
		(void)ioctl(fd, SET_FLAGS, &flags); /* if it fails the write fails, and that is reported */
	}
	close(fd);
}

int boots_set(struct cli *c, const char *what, uint8_t unfinished, struct nl_boot_counter *before)
{
	struct variable v;
	ssize_t n;
	int fd = open(cli_boots, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && mount("efivarfs", DIR_EFIVARS, "efivarfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		fd = open(cli_boots, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_fail(c, what, NL_EENVIRONMENT, "cannot open %s: %s (is efivarfs there? modprobe efivarfs)",
		                cli_boots, strerror(errno));
	n = read(fd, &v, sizeof(v));
	close(fd);
	if (n != sizeof(v) || v.counter.version != NL_BOOT_COUNTER_VERSION)
		return cli_fail(c, what, NL_EABI, "the EFI variable %s is of another version", NL_BOOT_COUNTER_NAME);
	*before = v.counter;
	if (v.counter.unfinished == unfinished)
		return NL_EXIT_NOTHING;
	v.counter.unfinished = unfinished;
	allow_writing();
	fd = open(cli_boots, O_WRONLY | O_CLOEXEC);
	n = fd >= 0 ? write(fd, &v, sizeof(v)) : -1;
	if (n != sizeof(v)) {
		int kept = errno;

		if (fd >= 0)
			close(fd);
		return cli_fail(c, what, NL_EENVIRONMENT, "cannot write %s: %s", cli_boots, strerror(kept));
	}
	close(fd);
	return NL_EXIT_OK;
}

/* Beyond it a standing order is not what this boot waits for; nor does taking back what nobody has confirmed. */
#define LIMIT_NS 60000000000ULL
#define PAUSE_NS 100000000ULL

static void tell_waiting(const struct cli *c, const struct nl_leaf_state *l)
{
	struct text t;

	if (c->json || c->quiet || probation_of(&c->status, l) != PROBATION_RUNNING)
		return;
	printf("waiting for %s, which is on trial for %s: newleaf confirm says that it is good\n", l->id,
	       c->status.boot.tsc_hz ? text_age(&t, probation_left_ns(&c->status, l)) : "some time");
	fflush(stdout);
}

/* A machine that is up, and not with its standing order yet, has proven nothing of that; nor of a leaf on trial, for
 * which the counter is the only witness of a power-off. Without the lock: meanwhile others are at work, or confirm. */
static int await(struct cli *c, const char *what)
{
	const struct nl_transport *t = c->transport;
	uint64_t begun = t->now_ns(t->ctx), now = begun, running = begun;
	uint64_t most = c->status.boot.policy.confirm_ms * 1000000ULL + LIMIT_NS;
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	const struct nl_leaf_state *l;
	bool told = false;
	enum nl_err e;
	size_t n;

	for (;; now = t->now_ns(t->ctx)) {
		if ((e = nl_agent_status(&c->agent, &c->status)) ||
		    (e = nl_agent_leaves(&c->agent, leaves, NL_MAX_LEAVES, &n)))
			return cli_fail_agent(c, what, e, NULL);
		l = probation_longest(leaves, n);
		if (!l && (c->status.standing.carried != NL_AGAIN || now - begun >= LIMIT_NS))
			return NL_EXIT_OK;
		if (l && probation_of(&c->status, l) == PROBATION_RUNNING)
			running = now;
		if (now - running >= LIMIT_NS || now - begun >= most)
			return cli_fail(c, what, NL_ETRIAL, "%s is on, and nobody has confirmed it",
			                l ? l->id : "a leaf");
		if (cli_cancel)
			return cli_fail(c, what, NL_EINTERRUPTED, "this boot is not known to be good yet");
		if (l && !told)
			tell_waiting(c, l);
		told |= l != NULL;
		t->pause_ns(t->ctx, PAUSE_NS);
	}
}

int verb_alive(struct cli *c)
{
	const char *what = "boot counter not cleared";
	struct nl_boot_counter before = {0};
	int result = cli_open(c, what);
	enum nl_err e;

	if (result != NL_EXIT_OK)
		return result;
	e = nl_agent_alive(&c->agent);
	if (e != NL_OK && e != NL_NOTHING)
		return cli_fail_agent(c, "not reported as up", e, NULL);
	result = await(c, what);
	if (result == NL_EXIT_OK)
		result = cli_lock(c, what);
	if (result == NL_EXIT_OK)
		result = boots_set(c, what, 0, &before);
	if (result == NL_EXIT_NOTHING)
		return cli_nothing(c, "alive", "the boot counter is clear");
	if (result != NL_EXIT_OK)
		return result;
	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "alive", "ok");
		json_uint(&j, "unfinished_before", before.unfinished);
		json_end(&j);
	} else if (!c->quiet) {
		printf("this boot is finished: boot counter %u -> 0\n", before.unfinished);
	}
	return NL_EXIT_OK;
}
