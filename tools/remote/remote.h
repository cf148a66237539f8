// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf --host: the verbs from outside, over the network of the machines' hypervisors. What its files share: who is
 * asked, what is asked for, and what came of it.
 *
 * Each host has a thread of its own, which never ends the command: refuse() is for what goes wrong before the first
 * machine is asked. What a machine says is believed if it is signed by its key and answers a nonce of ours; nothing
 * else of it decides what is reported.
 */
#ifndef NEWLEAF_REMOTE_H
#define NEWLEAF_REMOTE_H

#include "author.h"
#include "http.h"
#include "witness.h"

#include <newleaf/order.h>
#include <openssl/evp.h>

#define HOSTS_MAX 4096u
#define JOURNAL_MAX 1024u /* entries that are asked for at most: a hypervisor keeps half as many */

/* A leaf as it was named on the command line. */
struct leaf_name {
	const char *text;
	bool by_hash;       /* sha256 is known: it is a file's, or was given */
	uint8_t sha256[32]; /* of the signed part */
	const uint8_t *file;
	size_t size;
	char id[NL_LEAF_ID_LEN]; /* of a file, or what was given */
	uint8_t build_id[NL_BUILD_ID_MAX];
	uint32_t build_id_len; /* of the kernel that a file's leaf is for; 0 = not known */
};

/* What becomes of a leaf on one machine, each told apart from the others. */
enum leaf_word {
	LEAF_NONE,         /* it is not there */
	LEAF_APPLIED,      /* and nothing weakens it */
	LEAF_TRIAL,        /* applied, and on probation */
	LEAF_WEAKENED,     /* applied; its note says by what */
	LEAF_PROBED,       /* a probe stands in it: applied or not, see `applied` */
	LEAF_OTHER_KERNEL, /* it is for another one than runs there */
	LEAF_FIXED,        /* the kernel that runs there has the fix itself */
	LEAF_LOCKED_OUT,   /* it was on when the machine failed */
	LEAF_TAKEN_BACK,   /* nobody confirmed it in time */
	LEAF_REFUSED,      /* by another error, which is in `err` */
	LEAF_WORDS
};

struct leaf_state {
	enum leaf_word word;
	bool applied;
	enum nl_err err; /* why it is not as it should be */
	const char *id;
	uint8_t sha256[32];
	uint32_t version;
	uint64_t trial_left_ns;
};

enum host_word {
	HOST_UNREACHABLE,
	HOST_NOT_BELIEVED, /* something answers, and not as this machine would */
	HOST_KNOWN,        /* what follows is its own signed word */
};

struct proven { /* entries of a journal, the newest of which the machine has signed the hash of */
	struct nl_journal_entry *entries;
	size_t n;
};

struct host {
	const char *name; /* as given */
	char *base;       /* http://NAME:PORT */
	bool has_key;
	struct witness_wanted wanted; /* its key, and the lowest number of its boot */

	struct buf order;  /* carry: read before anybody is asked */
	uint64_t until_ms; /* of now_ms: then it is given up */

	/* What came of it. */
	enum host_word word;
	enum nl_err err;
	char why[256];
	unsigned broken; /* requests to which no answer came, so that nobody knows whether they did */
	bool accepted;   /* an order, as the machine's journal says */
	bool changed;    /* by this order, and its signed status says so */
	bool would;      /* change, if this were no dry run */
	bool holds;      /* a status in: */
	union {
		struct nl_signed_status s;
		uint8_t bytes[NL_SIGNED_MAX_SIZE];
	} status __attribute__((aligned(8)));
	struct proven journal; /* for `log`, and for what became of leaves */
	struct leaf_state leaves[NL_MAX_LEAVES];
	size_t n_leaves;
	uint8_t order_sha256[32]; /* of what was sent */
	struct nl_challenge challenge;
	bool challenged;
};

enum verb_kind { VERB_STATUS, VERB_LOG, VERB_CHALLENGE, VERB_CARRY, VERB_ORDER };

struct remote_verb {
	const char *name, *synonym, *args;
	enum verb_kind kind;
	enum nl_order_what what; /* of VERB_ORDER */
	int min_args, max_args;  /* -1: as many leaves as a machine has */
	void (*run)(struct host *h);
	const char *summary;
};

struct wish { /* the command line, the same for every host */
	const struct remote_verb *verb;
	struct leaf_name names[NL_MAX_LEAVES];
	size_t n_names;
	EVP_PKEY *keys[NL_MAX_SIGNATURES];
	size_t n_keys;
	uint8_t (*fixed)[NL_BUILD_ID_MAX]; /* build-ids of kernels that have the fix, zero behind their ends */
	size_t n_fixed;
	uint64_t time_ms; /* for each host */
	uint32_t deadline_ms, confirm_ms;
	uint64_t since;
	const char *place; /* challenge, carry: a file; of many hosts a directory with one for each, called as it is */
	bool json, quiet, check, dry_run, any_generation;
	bool many; /* hosts */
	unsigned jobs;
};
extern struct wish wish;

/* hosts.c */
size_t hosts_add(struct host **hosts, size_t n, const char *list);          /* NAME[:PORT],... or @FILE; refuses */
void hosts_key(struct host *hosts, size_t n, const char *key);              /* of the only one; refuses */
void hosts_keys(struct host *hosts, size_t n, const char *path, bool must); /* lines HOST KEY [BOOT]; refuses */

/* ask.c: h->err and h->why say what is wrong; the time is that of h, from remote_begin on. */
uint64_t now_ms(void);
void pause_ms(uint64_t ms);
uint64_t left_ms(const struct host *h);
enum nl_err host_fail(struct host *h, enum nl_err err, const char *why, ...) __attribute__((format(printf, 3, 4)));
/* Asks until an answer comes that is none of "later", or the time is over. The answer is to be freed after NL_OK. */
enum nl_err ask(struct host *h, const char *method, const char *path, const void *body, size_t size, size_t max,
                struct http_answer *a);
enum nl_err ask_status(struct host *h); /* into h->status, proven */
/* Entries from `from` on up to the newest that h->status has, as many as there are; proven by it. */
enum nl_err ask_journal(struct host *h, uint64_t from);

/* leaves.c */
bool kernel_fixed(const struct host *h); /* is its kernel one of those that have the fix themselves? */
void leaves_judge(struct host *h);       /* h->leaves, of what h->status and h->journal say */
const struct nl_signed_leaf *status_leaf(const struct host *h, const struct leaf_name *name);
enum nl_err leaves_sum(const struct host *h); /* the worst of them */

/* orders.c */
void run_order(struct host *h);
void run_challenge(struct host *h);
void run_carry(struct host *h);

/* show.c */
void show_progress(size_t done, size_t n); /* on a terminal */
void show(const struct host *hosts, size_t n, enum nl_err worst);

#endif
