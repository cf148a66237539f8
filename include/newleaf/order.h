// SPDX-License-Identifier: Apache-2.0
/*
 * Signed orders: when something is applied or taken back, by whom the owner of a machine calls an operator. Any channel
 * may carry one. docs/explanation/orders.md says what each means, and which are heeded.
 *
 *     struct nl_order         168 bytes
 *     struct nl_order_entry[] head.count of 40 bytes
 *     signatures              as behind a leaf (leaf.h), in the domain "order"
 *
 * Fixed places, nothing in between: an order is understood whole or not at all, so its head and entries have exactly
 * the size that this version knows. Every reserved byte is zero.
 */
#ifndef NEWLEAF_ORDER_H
#define NEWLEAF_ORDER_H

#include <newleaf/hypercall.h>
#include <newleaf/record.h>

#define NL_ORDER_MAGIC 0x524544524f4c4eULL /* "NLORDER" */
#define NL_ORDER_VERSION 1u
#define NL_ORDER_MAX_KEYS 16u
#define NL_ORDER_MAX_ENTRIES (NL_MAX_LEAVES + NL_ORDER_MAX_KEYS)
#define NL_ORDER_RECORD \
	(&(const struct nl_record_kind){NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(struct nl_order), \
	                                sizeof(struct nl_order_entry), 0, NL_ORDER_MAX_ENTRIES})
#define NL_ORDER_MAX_SIZE 4096u           /* of the file, with its signatures: one page */
#define NL_ORDER_MAX_EPOCH (1ULL << 62)   /* no slip of the finger shall be the last order that a machine takes */
#define NL_ORDER_MAX_DEADLINE_MS 10000u   /* the longest that a policy can allow */
#define NL_ORDER_MAX_CONFIRM_MS 86400000u /* a day */

enum nl_order_what {
	NL_ORDER_SYNC = 1, /* exactly these leaves are on */
	NL_ORDER_APPLY,    /* these besides */
	NL_ORDER_REVERT,   /* these no more */
	NL_ORDER_FREEZE,   /* from now on nothing changes */
	NL_ORDER_RELEASE,
	NL_ORDER_STOP,    /* FREEZE, and what is under way is abandoned */
	NL_ORDER_CONFIRM, /* what is on probation is good */
	NL_ORDER_VERBS
};
/* By the place of each. */
#define NL_ORDER_NAMES \
	{ \
		"", "sync", "apply", "revert", "freeze", "release", "stop", "confirm" \
	}

/* NOW: once, on the boot whose challenge it bears. STANDING: all that is wanted of a machine, at each boot, until an
 * order of a higher epoch takes its place. */
enum nl_order_kind { NL_ORDER_NOW = 1, NL_ORDER_STANDING = 2 };

/* AGENTLESS: the hypervisor commits by itself. FROZEN, of a standing one: nothing changes behind it. */
enum nl_order_flag { NL_ORDER_AGENTLESS = 1, NL_ORDER_FROZEN = 2 };

struct nl_order {
	struct nl_record head; /* 0 */
	uint32_t what;         /* 24: enum nl_order_what */
	uint32_t kind;         /* 28: enum nl_order_kind */
	uint32_t flags;        /* 32: bits of enum nl_order_flag */
	uint32_t deadline_ms;  /* 36: of the commit, from 1 on; 0 where there is none */
	uint32_t confirm_ms;   /* 40: on probation for so long; 0: not */
	uint32_t build_id_len; /* 44: STANDING: 8..32, or 0: whatever kernel its leaves are for */
	/* The address: what it is bound to, compared before anything that costs. */
	uint8_t machine_id[16];            /* 48 */
	uint8_t boot_id[16];               /* 64: NOW, else zero */
	uint8_t challenge[32];             /* 80: NOW, else zero */
	uint64_t generation;               /* 112: NOW: that its sender saw, UINT64_MAX = any; else zero */
	uint64_t epoch;                    /* 120: STANDING: 1..NL_ORDER_MAX_EPOCH; else zero */
	uint8_t build_id[NL_BUILD_ID_MAX]; /* 128: zero behind build_id_len */
	uint64_t reserved;                 /* 160 */
};

enum nl_order_entry_what {
	NL_ORDER_LEAF = 1, /* name: SHA-256 of the leaf's signed part */
	NL_ORDER_TRUST,    /* name: a public key, which gets the role: an operator's */
	NL_ORDER_DISTRUST, /* name: SHA-256 of a key that is no operator's any more */
};

/* They ascend, all their bytes compared from the first on: none is there twice. */
struct nl_order_entry {
	uint32_t what; /* enum nl_order_entry_what */
	uint32_t role; /* TRUST: NL_ROLE_OPERATOR; else 0 */
	uint8_t name[32];
};

_Static_assert(sizeof(struct nl_order) == 168 && offsetof(struct nl_order, what) == 24 &&
                       offsetof(struct nl_order, machine_id) == 48 && offsetof(struct nl_order, boot_id) == 64 &&
                       offsetof(struct nl_order, challenge) == 80 && offsetof(struct nl_order, generation) == 112 &&
                       offsetof(struct nl_order, epoch) == 120 && offsetof(struct nl_order, build_id) == 128 &&
                       offsetof(struct nl_order, reserved) == 160,
               "order layout");
_Static_assert(sizeof(struct nl_order_entry) == 40, "order entry layout");
_Static_assert(sizeof(struct nl_order) + NL_ORDER_MAX_ENTRIES * sizeof(struct nl_order_entry) +
                               sizeof(struct nl_signatures) + NL_MAX_SIGNATURES * sizeof(struct nl_signature) <=
                       NL_ORDER_MAX_SIZE,
               "the longest order fits");

/* A place of a standing order, \EFI\newleaf\order-0.nlo or order-1.nlo. What is cut off or changed is no order any
 * more, and the other place counts. */
struct nl_order_place {
	union {
		struct nl_order order; /* its file */
		uint8_t bytes[NL_ORDER_MAX_SIZE];
	};
	uint64_t size;
	struct { /* files of the leaves that it names, in its order: in this file, at multiples of eight */
		uint64_t base, size;
	} leaves[NL_MAX_LEAVES];
};
_Static_assert(sizeof(struct nl_order_place) == NL_ORDER_MAX_SIZE + 8 + 16 * NL_MAX_LEAVES, "place layout");

/* What a machine gives to whoever may ask, to be answered by one order NOW. */
#define NL_CHALLENGE_MAGIC 0x4c4c4148434c4eULL /* "NLCHALL" */
struct nl_challenge {
	struct nl_record head; /* version 1, no records */
	uint8_t machine_id[16];
	uint8_t boot_id[16];
	uint8_t challenge[32];
	uint64_t generation;
};
_Static_assert(sizeof(struct nl_challenge) == 96, "challenge layout");
#define NL_CHALLENGE_KIND (&(const struct nl_record_kind){NL_CHALLENGE_MAGIC, 1, sizeof(struct nl_challenge), 0, 0, 0})

/* Bytes that are signed, of a file whose form was checked. */
static inline size_t nl_order_signed_size(const struct nl_order *o)
{
	return sizeof(*o) + o->head.count * sizeof(struct nl_order_entry);
}

static inline const struct nl_order_entry *nl_order_entry(const struct nl_order *o, uint32_t i)
{
	return (const struct nl_order_entry *)(const void *)(o + 1) + i;
}

/* Does the policy allow such an order? */
static inline bool nl_order_allowed(const struct nl_order *o, const struct nl_policy *p)
{
	uint32_t n = o->head.count, needs = o->kind == NL_ORDER_NOW ? NL_ORDER_MAY_NOW : NL_ORDER_MAY_STANDING;

	if (o->flags & NL_ORDER_AGENTLESS)
		needs |= NL_ORDER_MAY_AGENTLESS;
	if (n && nl_order_entry(o, n - 1)->what != NL_ORDER_LEAF) /* leaves come first */
		needs |= NL_ORDER_MAY_KEYS;
	return p->operators && !(needs & ~p->order_may) && o->deadline_ms <= p->deadline_ms &&
	       o->confirm_ms <= p->confirm_ms;
}

/* Does the verb commit leaves, and so want a deadline? */
static inline bool nl_order_commits(const struct nl_order *o) { return o->what <= NL_ORDER_REVERT; }

#endif
