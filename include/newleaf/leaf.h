// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf: one signed patch file. Written by `newleaf build`, signed by `newleaf sign`, believed only by the
 * hypervisor.
 *
 * Layout of a file, little endian, no padding between parts but what the header's offsets say:
 *
 *     struct nl_leaf_header
 *     sites[]   struct nl_leaf_site      8-byte aligned
 *     relocs[]  struct nl_leaf_reloc     8-byte aligned
 *     bytes[]   expected and new bytes of all sites
 *     text[]    body code  (goes to the code half of the arena)
 *     data[]    body data  (goes to the data half of the arena: .data, .rodata, .bss written out)
 *     strings[] NUL-terminated names for messages (functions, description)
 *     struct nl_leaf_signature           absent in an unsigned leaf
 *
 * header.signed_size is the length of everything before the signature. A file is exactly signed_size or
 * signed_size + sizeof(struct nl_leaf_signature) bytes; anything else is NL_ELEAF. The signature is ECDSA P-256 over
 * the SHA-256 of the first signed_size bytes, as r || s (64 bytes, big endian each; RFC 6979/FIPS 186-4 "raw" form).
 * All addresses are link addresses of the target (before KASLR). Every reserved byte must be zero.
 */
#ifndef NEWLEAF_LEAF_H
#define NEWLEAF_LEAF_H

#include <newleaf/types.h>

#define NL_LEAF_MAGIC 0x3146414c57454eULL /* "NEWLAF1\0" */
#define NL_LEAF_FORMAT 1
#define NL_SIG_MAGIC 0x315347464145 /* "EAFGS1" */

/* Limits: a file that exceeds one is NL_ELEAF. They bound the hypervisor's memory and time. */
#define NL_LEAF_MAX_SIZE (256u << 10) /* whole file, bytes */
#define NL_LEAF_MAX_SITES 64u
#define NL_LEAF_MAX_RELOCS 4096u
#define NL_SITE_MAX_LEN 64u /* bytes of one site; a site never crosses a page */
#define NL_LEAF_ID_LEN 48   /* incl. NUL; [a-z0-9][a-z0-9._-]* */
#define NL_BUILD_ID_MAX 32
#define NL_PART_ALIGN \
	64u /* the hypervisor places text[] and data[] at multiples of this; no section of a body asks for more */

struct nl_leaf_field {         /* a number in a structure of the guest whose width differs between versions */
	uint16_t offset, size; /* bytes; size 1, 2, 4 or 8 */
};

struct nl_leaf_part {    /* a run of bytes in the file */
	uint32_t offset; /* from the start of the file */
	uint32_t count;  /* elements for sites and relocs, bytes otherwise */
};

/* What the hypervisor must know of the target kernel. Link addresses; 0 = the target has none. */
struct nl_leaf_target {
	uint8_t build_id[NL_BUILD_ID_MAX];
	uint32_t build_id_len;             /* 8..32 */
	uint32_t guest_os;                 /* NL_GUEST_LINUX */
	uint64_t build_id_va;              /* where the note's descriptor bytes lie in memory */
	uint64_t image_start, image_end;   /* _text .. _end */
	uint64_t text_start, text_end;     /* _stext .. _etext */
	uint64_t rodata_start, rodata_end; /* __start_rodata .. __end_rodata */
	uint64_t syscall_entry;            /* entry_SYSCALL_64: what LSTAR holds; gives the KASLR slide */
	uint64_t page_table;               /* init_top_pgt */
	uint64_t arena_pmd;                /* level2_fixmap_pgt: entries 508 (code) and 509 (data) become the arena */
	uint64_t return_thunk;             /* x86_return_thunk, the pointer variable; 0 = none */
	uint64_t kprobe_table;             /* kprobe_table[1 << kprobe_hash_bits] of struct hlist_head; 0 = none */
	uint64_t init_task;
	uint64_t per_cpu_offset; /* __per_cpu_offset[] */
	/* Per-CPU variables: on CPU i at __per_cpu_offset[i] + value, plus the slide when the value lies in the image.
	 */
	uint64_t idle_threads; /* 0 = none */
	uint64_t runqueues;    /* struct rq */
	/* static_key __cfs_bandwidth_used of kernels that take a throttled task off its queue where it returns to user
	 * mode (6.18); 0 = throttled tasks stay in rq.cfs_tasks */
	uint64_t cfs_bandwidth;
	uint64_t ext_class;        /* ext_sched_class; 0 = no sched_ext, and so are the other fields of it */
	uint64_t nr_cpu_ids;       /* the variable: one more than the highest possible CPU; 0 = a constant */
	uint32_t nr_cpu_ids_max;   /* entries in __per_cpu_offset[] */
	uint32_t kprobe_hash_bits; /* 6 in Linux 6.1 */
	/* offsets from the target's BTF, bytes */
	uint32_t kprobe_hlist, kprobe_addr;       /* in struct kprobe */
	uint32_t task_tasks, task_thread_node;    /* in task_struct */
	uint32_t task_signal, signal_thread_head; /* task_struct.signal, signal_struct.thread_head */
	uint32_t task_stack, task_thread_sp;      /* task_struct.stack, task_struct.thread.sp */
	uint32_t task_pid, task_comm;
	struct nl_leaf_field task_on_cpu, task_on_rq;
	uint32_t task_class;                                 /* task_struct.sched_class */
	uint32_t task_cfs_node, task_rt_node, task_ext_node; /* se.group_node, rt.run_list, scx.runnable_node */
	uint32_t task_rt_group;                              /* rt.my_q; 0 = real-time tasks have no groups */
	uint32_t rq_cfs_tasks, rq_rt_queues,
	        rq_ext_tasks; /* in struct rq: cfs_tasks, rt.active.queue[], scx.runnable_list */
	uint32_t rq_tasks, rq_cfs, rq_rt,
	        rq_ext; /* 32-bit counts: nr_running, cfs.h_nr_*, rt.rt_nr_running, scx.nr_running */
	uint32_t rq_curr, rq_stop;
	/* Deadline tasks of a queue: dl.this_bw less the bandwidth of its servers, fair_server.dl_bw, ext_server.dl_bw
	 * (0 = none), each of which counts if its bit is set in the byte at offset + server_attached (mask 0: always).
	 */
	uint32_t rq_dl_bw, rq_server_bw[2];
	uint32_t server_attached, server_attached_mask; /* from dl_bw, in struct sched_dl_entity */
	uint32_t thread_size; /* bytes of a kernel stack; stacks are aligned to it or vmapped */
	uint32_t reserved[8];
};
#define NL_GUEST_LINUX 1u

enum nl_site_kind {
	NL_SITE_RODATA = 1, /* read-only data */
	NL_SITE_TEXT = 2,   /* whole instructions inside one function */
};

struct nl_leaf_site {
	uint64_t va;       /* link address of the first byte */
	uint32_t len;      /* 1..NL_SITE_MAX_LEN; [va, va+len) lies in one 4 KiB page */
	uint32_t kind;     /* enum nl_site_kind */
	uint32_t expected; /* offset in bytes[] of len bytes */
	uint32_t fresh;    /* offset in bytes[] of len bytes: what is written */
	uint64_t func_va;  /* NL_SITE_TEXT: the function replaced, else 0 */
	uint32_t func_size;
	uint32_t name; /* offset in strings[] */
};

enum nl_reloc_type {
	NL_REL_ABS64 = 1,  /* S + A, 8 bytes */
	NL_REL_ABS32S = 2, /* S + A, 4 bytes, must fit signed */
	NL_REL_PC32 = 3,   /* S + A - P, 4 bytes, must fit signed */
	NL_REL_ABS32 = 4,  /* S + A, 4 bytes, must fit unsigned */
};

enum nl_reloc_where {                  /* which part is written */
	              NL_AT_BYTES = 1, /* bytes[]: P is the run-time address of the site byte concerned */
	              NL_AT_TEXT = 2,
	              NL_AT_DATA = 3,
};

enum nl_reloc_symbol {                      /* what S is */
	               NL_SYM_KERNEL = 1,   /* value + KASLR slide; value inside [image_start, image_end) */
	               NL_SYM_ABSOLUTE = 2, /* value as it is: per-CPU offsets, constants; KASLR does not move it */
	               NL_SYM_TEXT = 3,     /* value = offset in text[], at its run-time address in the arena */
	               NL_SYM_DATA = 4,     /* value = offset in data[], at its run-time address in the arena */
	               NL_SYM_RETURN_THUNK =
	                       5, /* *(u64 *)(target.return_thunk + slide), read at apply: the thunk this CPU needs */
};

struct nl_leaf_reloc {
	uint32_t where;  /* enum nl_reloc_where */
	uint32_t offset; /* in that part */
	uint16_t type;   /* enum nl_reloc_type */
	uint16_t symbol; /* enum nl_reloc_symbol */
	uint32_t site;   /* NL_AT_BYTES: index of the site the bytes belong to, else 0 */
	uint64_t value;
	int64_t addend;
};

struct nl_leaf_header {
	uint64_t magic;
	uint32_t format;
	uint32_t header_size; /* sizeof(struct nl_leaf_header) */
	uint32_t signed_size;
	uint32_t flags;   /* NL_LEAF_* */
	uint32_t version; /* of this id: never goes down on one boot */
	uint32_t reserved0;
	char id[NL_LEAF_ID_LEN];
	struct nl_leaf_part sites, relocs, bytes, text, data, strings;
	uint32_t description; /* offset in strings[] */
	uint32_t bss_size;    /* zero bytes behind data[], in the data arena */
	struct nl_leaf_target target;
};
#define NL_LEAF_STRICT (1u << 0)  /* task level: no task inside a replaced function */
#define NL_LEAF_MIXABLE (1u << 1) /* author's word: old and new may run side by side */

struct nl_leaf_signature {
	uint64_t magic;     /* NL_SIG_MAGIC */
	uint32_t algorithm; /* NL_SIG_P256_SHA256 */
	uint32_t size;      /* sizeof(struct nl_leaf_signature) */
	uint8_t key_id[32]; /* SHA-256 of the 65-byte uncompressed public point */
	uint8_t rs[64];
};
#define NL_SIG_P256_SHA256 1u

_Static_assert(sizeof(struct nl_leaf_site) == 40, "leaf site layout");
_Static_assert(sizeof(struct nl_leaf_reloc) == 32, "leaf reloc layout");
_Static_assert(sizeof(struct nl_leaf_target) % 8 == 0, "leaf target layout");
_Static_assert(sizeof(struct nl_leaf_signature) == 112, "leaf signature layout");

#endif
