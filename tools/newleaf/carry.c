// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf carry of a standing order: the EFI partition first, whole and synced, then the hypervisor. Power may go at
 * any moment, and so may a machine on which its leaves are on: the boot counter is raised between, and cleared behind
 * it, or by `newleaf alive` when they have been confirmed.
 */
#include "cli.h"
#include "probation.h"
#include "standing.h"
#include "text.h"

#include <newleaf/bootcounter.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LIMIT_NS 75000000000ULL
#define PAUSE_NS 20000000ULL
#define PIECE (64u << 10) /* by which a place grows */

static const char *const what = "standing order not carried out";
static const char *const later = "standing order written: if it is well signed, in force from the next boot on";

struct files {
	char folder[256];
	struct standing_leaf leaves[NL_MAX_LEAVES];
	size_t n_leaves;
	uint8_t *places[2];
	size_t sizes[2];
};

static void forget(struct files *f)
{
	for (size_t i = 0; i < f->n_leaves; i++)
		free((void *)(uintptr_t)f->leaves[i].bytes);
	free(f->places[0]);
	free(f->places[1]);
}

static void path_of(const struct files *f, unsigned place, char *out, size_t size)
{
	snprintf(out, size, "%s/order-%u.nlo", f->folder, place);
}

static int find(struct cli *c, struct files *f)
{
	const char *usual[] = {c->esp ? c->esp : "/boot/efi", "/efi", "/boot"};
	struct stat s;

	for (size_t i = 0; i < (c->esp ? 1 : NL_ARRAY_SIZE(usual)); i++) {
		snprintf(f->folder, sizeof(f->folder), "%s/EFI/newleaf", usual[i]);
		if (!stat(f->folder, &s) && S_ISDIR(s.st_mode))
			return NL_EXIT_OK;
	}
	return cli_fail(c, what, NL_EENVIRONMENT, "no EFI/newleaf in %s: mount the EFI partition, and name it by --esp",
	                c->esp ? c->esp : "/boot/efi, /efi or /boot");
}

static int read_all(struct cli *c, struct files *f)
{
	char path[300];

	for (int i = 1; i < c->n_args; i++) {
		uint8_t *bytes;
		size_t size;
		enum nl_err e = f->n_leaves == NL_MAX_LEAVES
		                        ? NL_EUSAGE
		                        : cli_read_file(c->args[i], NL_LEAF_MAX_SIZE, &bytes, &size);

		if (e != NL_OK)
			return cli_fail(c, what, e, "cannot read the leaf %s", c->args[i]);
		f->leaves[f->n_leaves++] = (struct standing_leaf){bytes, size};
	}
	for (unsigned i = 0; i < 2; i++) {
		path_of(f, i, path, sizeof(path));
		if (cli_read_file(path, NL_FILE_MAX_SIZE, &f->places[i], &f->sizes[i])) {
			free(f->places[i]);  /* one that is too long */
			f->places[i] = NULL; /* what cannot be read is no order */
			f->sizes[i] = 0;
		}
	}
	return NL_EXIT_OK;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && !fsync(fd);

	return (fd < 0 || !close(fd)) && good;
}

/* The entry goes first, its clusters when nobody has the file open any more: not an entry whose clusters are free. */
static bool take_away(const struct files *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = fd < 0 || (!unlink(path) && sync_folder(f->folder));

	return (fd < 0 || !close(fd)) && good;
}

/* A file that stays as long as it is changes nothing of a FAT. One that is too short is made anew, by pieces, so
 * seldom, and its clusters are on the disk before its entry names them: a sync of the folder writes all that was said
 * of clusters. */
static bool write_place(const struct files *f, const char *path, const uint8_t *bytes, size_t size, bool anew)
{
	int fd = anew && !take_away(f, path) ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool good = fd >= 0;

	for (size_t at = 0; good && at < size;) {
		ssize_t n = write(fd, bytes + at, size - at);

		good = n > 0;
		at += good ? (size_t)n : 0;
	}
	good = good && sync_folder(f->folder) && !fsync(fd);
	return (fd < 0 || !close(fd)) && good && sync_folder(f->folder);
}

static int not_written(struct cli *c, const struct files *f, const char *path)
{
	if (errno == EROFS)
		return cli_fail(c, what, NL_EENVIRONMENT,
		                "%s is read-only: mount -o remount,rw, and fsck it before if it was damaged",
		                f->folder);
	return cli_fail(c, what, NL_EENVIRONMENT, "cannot write %s: %s%s", path, strerror(errno),
	                errno == EIO ? ": unmount it, and fsck it" : "");
}

/* How long the place's file is to be: as it is, or some pieces. *more: by how much it grows, and is made anew. */
static size_t length_of(const char *path, size_t needed, size_t *more)
{
	struct stat s;
	size_t has = stat(path, &s) ? 0 : (size_t)s.st_size, size = (needed + PIECE - 1) / PIECE * PIECE;

	if (has >= needed && has <= NL_FILE_MAX_SIZE)
		return needed;
	*more = has < size ? size - has : 1; /* what is too long is read by nobody */
	return size;
}

static int put(struct cli *c, struct files *f, const void *file, size_t size)
{
	int place = standing_free(&c->status.standing, (const uint8_t *const *)f->places, f->sizes);
	struct statvfs room;
	uint8_t *content;
	char path[300];
	size_t n, more = 0;
	int result;

	if (place < 0)
		return cli_fail(c, what, NL_ESTATE,
		                "the next boot needs the orders in both places: boot the machine first");
	content = standing_place(file, size, f->leaves, f->n_leaves, &n);
	if (!content)
		return cli_fail(c, what, NL_EUNKNOWN_LEAF,
		                "name the files of all its leaves; in all they have room for 512 KiB");
	path_of(f, (unsigned)place, path, sizeof(path));
	n = length_of(path, n, &more); /* behind it there are zeroes */
	if (more && !statvfs(f->folder, &room) && (uint64_t)room.f_bavail * room.f_frsize < more) {
		free(content);
		return cli_fail(c, what, NL_EENVIRONMENT, "%s is full: it needs %zu KiB", f->folder,
		                (more + 1023) / 1024);
	}
	result = write_place(f, path, content, n, more) ? NL_EXIT_OK : not_written(c, f, path);
	free(content);
	return result;
}

/* Until the hypervisor has done it, or given it up. */
static enum nl_err await(struct cli *c)
{
	const struct nl_transport *t = c->transport;
	uint64_t until = t->now_ns(t->ctx) + LIMIT_NS;
	enum nl_err e;

	while (!(e = nl_agent_status(&c->agent, &c->status)) && c->status.standing.carried == NL_AGAIN) {
		if (t->now_ns(t->ctx) > until || cli_cancel)
			return NL_EDEADLINE;
		t->pause_ns(t->ctx, PAUSE_NS);
	}
	e = e ? e : (enum nl_err)c->status.standing.carried;
	return e == NL_NOTHING ? NL_OK : e;
}

static int hand_over(struct cli *c, struct files *f, const struct nl_order *o, size_t size)
{
	struct nl_verify_report report;
	enum nl_err e;

	for (size_t i = 0; i < f->n_leaves; i++) /* what root may not bring comes with the next boot */
		(void)nl_agent_verify(&c->agent, f->leaves[i].bytes, f->leaves[i].size, &report);
	e = nl_agent_order(&c->agent, o, size);
	if (e == NL_ERATE || e == NL_EDEADLINE || e == NL_EINTERRUPTED)
		return cli_fail_agent(c, later, e, NULL);
	if (e == NL_EFROZEN)
		return cli_fail_agent(
		        c, "standing order written: if it is well signed, in force when released and booted", e, NULL);
	if (e != NL_OK)
		return cli_fail_agent(c, what, e, NULL);
	e = await(c);
	if (e == NL_EUNKNOWN_LEAF)
		return cli_fail(c, "standing order in force, and not carried out", e,
		                "guest root may not bring its leaves; they come with the next boot: reboot");
	return e ? cli_fail(c, "standing order in force, and not carried out", e, "newleaf log says why") : NL_EXIT_OK;
}

/* Is one of its leaves on trial? If nobody can tell, it is: the counter is cleared by who can. */
static bool on_trial(struct cli *c)
{
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	size_t n;

	return nl_agent_leaves(&c->agent, leaves, NL_MAX_LEAVES, &n) || probation_longest(leaves, n);
}

int carry_standing(struct cli *c, const void *file, size_t size)
{
	const struct nl_order *o = file;
	struct nl_boot_counter before;
	struct files f = {.n_leaves = 0};
	bool counted = false, trial = false;
	int result = NL_EXIT_OK;

	if (nl_record_check(NL_ORDER_RECORD, o, size))
		return cli_fail(c, what, NL_EORDER, "%s is no order", c->args[0]);
	/* What would be refused is not to stand beside the one in force: neither place were free then, for ever. */
	if (size < sizeof(*o) || (c->status.standing.epoch && o->epoch <= c->status.standing.epoch))
		return cli_fail(c, what, size < sizeof(*o) ? NL_EORDER : NL_EEPOCH, "epoch %llu is in force",
		                (unsigned long long)c->status.standing.epoch);
	if (size < nl_order_signed_size(o))
		return cli_fail(c, what, NL_EORDER, "%s is no order", c->args[0]);
	/* Refused by the policy it would lie in its place all the same, and be looked at at each boot. */
	if (o->kind != NL_ORDER_STANDING || !nl_order_allowed(o, &c->status.boot.policy))
		return cli_fail(
		        c, what, NL_EPOLICY,
		        "the image's policy takes no such standing order (newleaf status --json, .orders.may), or "
		        "none with so long a --deadline-ms or --confirm-ms");
	result = find(c, &f);
	if (result == NL_EXIT_OK)
		result = read_all(c, &f);
	if (result == NL_EXIT_OK)
		result = put(c, &f, file, size);
	/* Not before: power that goes while it is written is no fault of the order in force. */
	if (result == NL_EXIT_OK && !access(cli_boots, F_OK)) {
		result = boots_set(c, later, 1, &before);
		counted = result == NL_EXIT_OK;
		result = result == NL_EXIT_NOTHING ? NL_EXIT_OK : result;
	}
	if (result == NL_EXIT_OK)
		result = hand_over(c, &f, o, size);
	if (counted && result == NL_EXIT_OK)
		trial = on_trial(c);
	if (counted && !trial && boots_set(c, "boot counter not cleared", 0, &before) > NL_EXIT_NOTHING &&
	    result == NL_EXIT_OK)
		result = NL_EXIT_ABSENT;
	forget(&f);
	if (result != NL_EXIT_OK)
		return result;
	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "carry", "ok");
		json_string(&j, "order", "sync");
		json_bool(&j, "waiting", false);
		json_end(&j);
	} else if (!c->quiet) {
		printf("standing order of epoch %llu: in force, now and at each boot\n", (unsigned long long)o->epoch);
		if (trial)
			printf("on trial: newleaf alive clears the boot counter when newleaf confirm has said that it "
			       "is "
			       "good\n");
	}
	return NL_EXIT_OK;
}
