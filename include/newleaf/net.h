// SPDX-License-Identifier: Apache-2.0
/*
 * Between the core and the network's stack, which runs without privilege in a cell of its own: the image's head, the
 * mailbox, and the calls. docs/explanation/network.md says who may do what. The stack is untrusted: the core believes
 * no length, address or order of calls of it, and tells it nothing that it may not send to anybody.
 *
 * The image is a flat binary, linked at NL_NET_BASE, where its cell shows it: nothing else is there. It runs at CPL 3
 * in long mode, without x87, SSE or any other state but the general registers (-mgeneral-regs-only), interrupts off.
 * It starts at `entry` with rsp at its stack's end and rdi = enum nl_net_vendor, and is left at any instruction.
 *
 * A call: VMMCALL (NL_NET_SVM) or VMCALL (NL_NET_VMX), rax = enum nl_net_call, rdi, rsi, rdx = arguments.
 * It answers in rax and rdx; all other registers stay. Everything else that leaves the cell is its end: the core
 * journals it and starts the image anew, from its file, on a fresh heap.
 */
#ifndef NEWLEAF_NET_H
#define NEWLEAF_NET_H

#include <newleaf/hypercall.h>

#define NL_NET_BASE 0x400000ULL
#define NL_NET_MAGIC 0x54454e4c4eULL /* "NLNET" */
#define NL_NET_VERSION 1u
#define NL_NET_TEXT_MAX (128u << 10) /* bytes of text */
#define NL_NET_MAX (512u << 10)      /* of all memory that the cell has, mailbox and stack in it */

/* First bytes of the image. All ends are page aligned offsets: [0, text_end) is executed and read, [.., rodata_end)
 * only read, the rest, up to memory_size, written; image_size bytes are in the file, what is behind starts as zero. */
struct nl_net_header {
	uint64_t magic;
	uint32_t version, image_size;
	uint32_t text_end, rodata_end;
	uint32_t memory_size;
	uint32_t mailbox; /* offset of the struct nl_net_mailbox, page aligned, behind rodata_end */
	uint32_t entry;   /* offset, in the text */
	uint32_t stack;   /* offset of the end of its stack, 16-aligned */
};

enum nl_net_vendor { NL_NET_SVM = 1, NL_NET_VMX = 2 };

#define NL_NET_FRAME_MIN 14u   /* an Ethernet header; neither padding nor check sum is part of a frame here */
#define NL_NET_FRAME_MAX 1514u /* MTU 1500 */
#define NL_NET_DATA 16384u

/* Filled by the core before the stack's first instruction. Texts are the owner's, of newleaf.conf, and parsed by the
 * stack alone. */
struct nl_net_config {
	uint8_t mac[6];
	uint16_t reserved;
	uint32_t may;          /* bits of enum nl_net_may */
	uint64_t seed[4];      /* random */
	char ip[NL_NET_TEXT];  /* net-ip: "dhcp", or "ADDRESS/PREFIX[,GATEWAY]"; empty: no IPv4 */
	char ip6[NL_NET_TEXT]; /* net-ip6: "auto" (link-local and what routers announce), or as above; empty: no IPv6 */
	uint32_t port;         /* net-port: TCP, 1..65535 */
	uint32_t starts;       /* of the stack in this boot: 1 = the first */
};

struct nl_net_mailbox {
	struct nl_net_config config;
	uint8_t reserved[4096 - sizeof(struct nl_net_config)];
	uint8_t receive[2048]; /* of WAIT */
	uint8_t send[2048];    /* of SEND */
	uint8_t data[NL_NET_DATA];
};

enum nl_net_call {
	NL_NET_WAIT = 1,  /* rdi = ms after which it is called again even without a frame, 0 = at once. rax = bytes of
	                     the frame in receive[], 0 = none; rdx = ms since the launch */
	NL_NET_SEND,      /* rdi = bytes of the frame in send[]. rax = NL_OK, NL_EUSAGE (length), NL_EBUSY: lost, the
	                     card's ring is full */
	NL_NET_RANDOM,    /* rax = 64 random bits */
	NL_NET_FACTS,     /* data: struct nl_net_facts */
	NL_NET_LEAVES,    /* data: struct nl_leaf_state[]; rax = enum nl_err, rdx = how many. NL_AGAIN: again */
	NL_NET_JOURNAL,   /* rdi = first seq wanted; data: struct nl_journal_entry[]; rdx = how many, 0 = no newer */
	NL_NET_SIGNED,    /* data: 32 bytes nonce in, out the signed status; rdx = its bytes. NL_AGAIN: again, with the
	                     nonce */
	NL_NET_CHALLENGE, /* data: struct nl_challenge, the wire's own: the same until it is used, or ten
	                      minutes old */
	NL_NET_ORDER,     /* rdi = bytes of the order in data. rax = enum nl_err: NL_OK = accepted; NL_AGAIN: again with
	                     the same bytes; NL_ERATE: after a second */
	/* rdi = offset, 0 starts anew, rsi = size of the whole file, rdx = bytes of this piece. data: SHA-256 of the
	 * leaf's signed part, as the order names it, and behind it the piece. NL_EUNKNOWN_LEAF: no accepted order waits
	 * for it. With the last piece it is verified: NL_AGAIN: again with rdx = 0. */
	NL_NET_LEAF,
	NL_NET_FAIL, /* rdi = a number that says where: the stack gives up, and is started anew */
};

/* What the journal says of the network (NL_EV_NET). After all but OPENED the stack is started anew. */
enum nl_net_event {
	NL_NET_OPENED = 1, /* or not (error); b = the card's PCI function */
	NL_NET_FAULTED,    /* the stack did what its cell forbids */
	NL_NET_LOOPED,     /* it waited for nothing any more */
	NL_NET_GAVE_UP,    /* by FAIL: b = its number */
	NL_NET_BROKE,      /* the card said what cannot be */
};

/* Everything /metrics is made of. */
struct nl_net_facts {
	struct nl_status status;
	uint64_t exits[NL_CAUSES]; /* of all CPUs */
	uint64_t tsc_hz;           /* 0: not known */
	uint64_t frames_received, frames_sent;
	uint64_t frames_refused; /* by their length, or no descriptor of ours */
	uint64_t frames_lost;    /* the card had no buffer, or the ring was full */
	uint64_t calls;          /* of the stack */
	uint64_t starts, faults,
	        overruns; /* of the stack: begun; ended by a fault; stopped, because it took too long */
};

_Static_assert(sizeof(struct nl_net_header) == 40, "image head layout");
_Static_assert(sizeof(struct nl_net_config) == 248, "config layout");
_Static_assert(sizeof(struct nl_net_mailbox) == 4096 + 2 * 2048 + NL_NET_DATA, "mailbox layout");
_Static_assert(sizeof(struct nl_net_facts) <= NL_NET_DATA && 32 * sizeof(struct nl_leaf_state) <= NL_NET_DATA,
               "answers fit");

#endif
