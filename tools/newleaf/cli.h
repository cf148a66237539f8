// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the `newleaf` command share: options, the verb table, answers. Verbs are functions of one struct
 * cli and return the exit code.
 */
#ifndef NEWLEAF_CLI_H
#define NEWLEAF_CLI_H

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"

#define CLI_VERSION "0.1.0"

enum option { /* bits: which options a verb takes, besides --json -q --help */
	      OPT_DEADLINE = 1 << 0,
	      OPT_DRY_RUN = 1 << 1,
	      OPT_ALL = 1 << 2,
	      OPT_CHECK = 1 << 3,
	      OPT_FOLLOW = 1 << 4,
	      OPT_SINCE = 1 << 5,
	      OPT_INTERVAL = 1 << 6,
	      OPT_VEX = 1 << 7,
	      OPT_PROMETHEUS = 1 << 8,
	      OPT_PRODUCT = 1 << 9,
	      OPT_TRANSACTION = 1 << 10,
	      OPT_LAST = 1 << 11,
	      OPT_CHROME = 1 << 12,
	      OPT_SVG = 1 << 13,
	      OPT_TIMELINE = 1 << 14,
	      OPT_KEEP = 1 << 15,
	      OPT_VERIFY = 1 << 16,
	      OPT_AGENTLESS = 1 << 17,
	      OPT_SIGNED = 1 << 18,
	      OPT_NONCE = 1 << 19,
	      OPT_OUT = 1 << 20,
	      OPT_MACHINE_KEY = 1 << 21,
	      OPT_ESP = 1 << 22,
	      OPT_CONFIRM = 1 << 23,
};

struct cli {
	const struct verb *verb;
	const struct nl_transport *transport;
	char **args; /* what is left behind the verb and its options */
	int n_args;
	bool json, quiet, help;
	uint32_t given; /* bits of enum option that stood on the command line */
	uint64_t deadline_ns, interval_ns, confirm_ns, since;
	uint64_t transaction, last;
	const char *product;                 /* --product */
	const char *chrome, *svg, *timeline; /* files to write */
	const char *keep, *verify;           /* files of newleaf log */
	const char *nonce, *out, *esp;       /* --nonce, --out, --esp */
	uint64_t begin_tsc;                  /* after cli_timeline_begin */

	struct nl_agent agent;
	bool open;
	struct nl_status status; /* valid after cli_open */
	int lock;                /* file descriptor, -1 = not held */
};

enum verb_group { GROUP_LOOK, GROUP_CHANGE, GROUP_MACHINE, GROUP_MAKE, GROUP_LATER };

struct verb {
	const char *name, *synonym; /* synonym: kpatch's word, or NULL */
	const char *args;           /* as in the usage line */
	int min_args, max_args;     /* max -1: any number */
	uint32_t options;           /* bits of enum option */
	enum verb_group group;
	const char *summary; /* one line */
	const char *more;    /* paragraphs for --help and the man page; of GROUP_LATER what to do meanwhile, a sentence
	                        without its full stop */
	int (*run)(struct cli *c);
};
extern const struct verb cli_verbs[];
extern const size_t cli_n_verbs;

struct cli_option {
	enum option bit;
	const char *brief, *name, *value, *what; /* brief and value may be NULL */
};
extern const struct cli_option cli_options[];
extern const size_t cli_n_options;

struct cli_error {
	const char *name;
	enum nl_err code;
	enum nl_exit_code exit;
	const char *what, *next;
};
extern const struct cli_error cli_errors[];
extern const size_t cli_n_errors;
const struct cli_error *cli_error(enum nl_err e); /* never NULL: unknown codes are NL_EINTERNAL */

int cli_main(int argc, char **argv, const struct nl_transport *transport);
void cli_usage(FILE *f, const struct verb *v);

/* Open the agent and read status. On failure the answer is printed and the exit code returned; NL_EXIT_OK otherwise. */
int cli_open(struct cli *c, const char *what);
/* The same under the lock that serialises commands that change something. */
int cli_open_locked(struct cli *c, const char *what);
int cli_lock(struct cli *c, const char *what);

/*
 * A failure, in the one form that all have: not done, whether anything changed, code; why; next. `what` reads "x not
 * applied". cli_fail says why itself; cli_fail_agent takes it from the last call of the agent and, when there is one,
 * the leaf file and what VERIFY found.
 */
int cli_fail(struct cli *c, const char *what, enum nl_err e, const char *why, ...)
        __attribute__((format(printf, 4, 5)));
struct cli_leaf_file;
int cli_fail_agent(struct cli *c, const char *what, enum nl_err e, const struct cli_leaf_file *leaf);
int cli_nothing(struct cli *c, const char *schema, const char *what, ...) __attribute__((format(printf, 3, 4)));

/* "verify   ok   ..." on stderr, only on a terminal. */
void cli_progress(const struct cli *c, const char *step, const char *format, ...) __attribute__((format(printf, 3, 4)));

struct cli_leaf_file {
	const char *path;
	uint8_t *bytes;
	size_t size;
	struct nl_verify_report report;
};
/* An aligned part of it, NULL: it is not inside. */
const void *cli_leaf_part(const struct cli_leaf_file *f, const struct nl_leaf_part *p, size_t each);
enum nl_err cli_read_file(const char *path, size_t max, uint8_t **bytes, size_t *size); /* errno is kept */

/* The longest piece for which this command took a CPU from everybody else so far. */
struct text;
struct json;
const char *cli_blackout(const struct cli *c, struct text *t); /* ", blackout 640 us (verify)", or nothing */
void cli_blackout_json(const struct cli *c, struct json *j);

/* Around a commit: what the agent sees of it is kept for newleaf timeline, and written if --timeline asks for it. */
void cli_timeline_begin(struct cli *c);
void cli_timeline_end(struct cli *c);

extern volatile sig_atomic_t cli_cancel; /* Ctrl-C */
extern const char *cli_run_dir;          /* /run/newleaf; tests have their own */
extern const char *cli_livepatch_dir;    /* /sys/kernel/livepatch; likewise */

int verb_status(struct cli *c);
int status_signed(struct cli *c); /* of its --signed and --machine-key */
int verb_apply(struct cli *c);
int verb_revert(struct cli *c);
int verb_sync(struct cli *c);
int verb_log(struct cli *c);
int verb_explain(struct cli *c);
int verb_exits(struct cli *c);
int verb_console(struct cli *c);
int verb_timeline(struct cli *c);
int verb_blockers(struct cli *c);
int verb_alive(struct cli *c);
int verb_challenge(struct cli *c);
int carry_standing(struct cli *c, const void *file, size_t size); /* what carry does with a standing order */
/* The count of boots that did not finish (newleaf/bootcounter.h). NL_EXIT_NOTHING: it says so already. */
struct nl_boot_counter;
extern const char *cli_boots; /* its file; tests have their own */
int boots_set(struct cli *c, const char *what, uint8_t unfinished, struct nl_boot_counter *before);
int verb_carry(struct cli *c);
int verb_confirm(struct cli *c);

extern uid_t (*cli_uid)(void); /* tests have their own */
/* An order, carried by a process without any right: until it is accepted, or for some seconds. */
enum nl_err anybody_carries(const void *file, size_t size);
int verb_author(struct cli *c);
bool cli_is_remote(int argc, char **argv);            /* is it said with --host? */
int cli_remote(struct cli *c, int argc, char **argv); /* then all of it is newleaf-remote's */
int verb_later(struct cli *c);

#endif
