// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf: one signed patch file. Written by `newleaf build`, signed by `newleaf sign`, believed only by the
 * hypervisor.
 *
 * Layout of a file, little endian. The parts come in this order, each where the one before ends, rounded up to its
 * alignment; padding is zero; the signed part ends with the last of them:
 *
 *     struct nl_leaf_header
 *     objects[] struct nl_leaf_object    8-byte aligned: modules, numbered from 1; object 0, the kernel, stands in
 *                                        the header
 *     sites[]   struct nl_leaf_site      8-byte aligned
 *     relocs[]  struct nl_leaf_reloc     8-byte aligned
 *     facts[]   struct nl_leaf_fact      4-byte aligned, and so is each of them
 *     bytes[]   expected, then new bytes of the first site, of the second, ... without a gap
 *     text[]    body code  (goes to the code half of the arena), object by object
 *     data[]    body data  (goes to the data half of the arena: .data, .rodata, .bss written out), object by object
 *     strings[] NUL-terminated names for messages (functions, description)
 *     struct nl_signatures               absent in an unsigned leaf
 *
 * header.signed_size is the length of everything before the signatures (signature.h, domain NL_DOMAIN_LEAF), which
 * reach to the end of the file and need no alignment. Anything else is NL_ELEAF.
 * Every reserved byte must be zero.
 *
 * Places of the kernel are (object, region, offset): a region is a run of memory that keeps its shape, and has one base
 * at run time. The kernel's regions are where they were linked, plus the KASLR slide; a module's are where its struct
 * module says.
 *
 * Each object has its own part of text[] and data[], because a module comes and goes: its part is placed in the arena
 * anew whenever it comes. The parts of the modules stand first, in their order, then the kernel's, which the zero bytes
 * of bss_size follow; each begins where the one before ends, rounded up to NL_PART_ALIGN with zeroes.
 */
#ifndef NEWLEAF_LEAF_H
#define NEWLEAF_LEAF_H

#include <newleaf/signature.h>
#include <newleaf/types.h>

#define NL_LEAF_MAGIC 0x324641454c57454eULL /* "NEWLEAF2" */
#define NL_LEAF_FORMAT 3

/* Limits: a file that exceeds one is NL_ELEAF. They bound the hypervisor's memory and time. */
#define NL_LEAF_MAX_SIZE (256u << 10) /* whole file, bytes */
#define NL_LEAF_MAX_SITES 64u
#define NL_LEAF_MAX_RELOCS 4096u
#define NL_SITE_MAX_LEN 64u /* bytes of one site; a site never crosses a page */
#define NL_LEAF_ID_LEN 48   /* incl. NUL; [a-z0-9][a-z0-9._-]* */
#define NL_BUILD_ID_MAX 32
#define NL_LEAF_MAX_OBJECTS 8u /* with the kernel */
#define NL_OBJECT_NAME_LEN 56  /* incl. NUL, as Linux has it for modules */
#define NL_MAX_REGIONS 8u
#define NL_LEAF_MAX_FACTS 4096u      /* bytes of all facts */
#define NL_LEAF_MAX_STRINGS 4096u    /* bytes of all of them: they are read with the guest's interrupts off */
#define NL_FACT_MAX_LEN 512u         /* characters of one */
#define NL_LEAF_MAX_CONFIRM_S 86400u /* a day, for the author's tools */
#define NL_PART_ALIGN \
	64u /* the hypervisor places text[] and data[] at multiples of this; no section of a body asks for more */

struct nl_leaf_field {         /* a number in a structure of the guest whose width differs between versions */
	uint16_t offset, size; /* bytes; size 1, 2, 4 or 8 */
};

struct nl_leaf_run {           /* of code of the kernel's image; size 0: none */
	uint32_t offset, size; /* bytes, from the image's start */
};

struct nl_leaf_part {    /* a run of bytes in the file */
	uint32_t offset; /* from the start of the file */
	uint32_t count;  /* elements for sites and relocs, bytes otherwise */
};

enum nl_object_kind { NL_OBJECT_KERNEL = 1, NL_OBJECT_MODULE = 2 };

// clang-format off
enum nl_memory_kind { /* what a region holds */
	NL_MEM_IMAGE = 1,         /* the kernel's whole image, _text .. _end; a module's core layout before 6.4 */
	NL_MEM_TEXT = 2,          /* _stext .. _etext; a module's code */
	NL_MEM_RODATA = 3,        /* __start_rodata .. __end_rodata; what is read-only from a module's start on */
	NL_MEM_RO_AFTER_INIT = 4, /* this one and the following are modules' alone */
	NL_MEM_DATA = 5,
	NL_MEM_INIT_TEXT = 6,     /* this one and the next are freed when the module's initialiser has returned */
	NL_MEM_INIT_DATA = 7,
	NL_MEM_PERCPU = 8,        /* the base is an offset from each CPU's own area */
};
// clang-format on

struct nl_leaf_region {
	uint32_t kind; /* enum nl_memory_kind; 0 in those that are not used */
	uint32_t size; /* bytes */
	/* A module's: where struct module has the pointer to it, and its 32-bit size (NL_MEM_PERCPU, too). Regions may
	 * share a pointer: before 6.4 all of a module but what its initialiser needs is one run. 0 in the kernel. */
	uint32_t pointer_at, size_at;
	uint64_t base; /* link address; 0 in a module, which has none */
};

struct nl_leaf_object {
	uint32_t kind; /* enum nl_object_kind */
	uint32_t n_regions;
	char name[NL_OBJECT_NAME_LEN]; /* "vmlinux", or the module's, with underscores; then zeroes */
	uint8_t build_id[NL_BUILD_ID_MAX];
	uint32_t build_id_len;                     /* 8..32 */
	uint32_t build_id_region, build_id_offset; /* where the note's descriptor bytes lie in memory */
	uint32_t reserved;
	struct nl_leaf_part text, data; /* its part of text[] and of data[]: offset there, and bytes */
	struct nl_leaf_region regions[NL_MAX_REGIONS];
};
enum nl_kernel_region {
	NL_KERNEL_IMAGE,
	NL_KERNEL_TEXT,
	NL_KERNEL_RODATA,
	NL_KERNEL_REGIONS
}; /* object 0's, in order */

/* What the hypervisor must know of the target kernel. Link addresses; 0 = the target has none. */
struct nl_leaf_target {
	struct nl_leaf_object kernel; /* object 0 */
	uint32_t guest_os;            /* NL_GUEST_LINUX */
	uint32_t reserved;
	uint64_t syscall_entry; /* entry_SYSCALL_64: what LSTAR holds; gives the KASLR slide */
	uint64_t page_table;    /* init_top_pgt */
	uint64_t arena_pmd;     /* level2_fixmap_pgt: entries 508 (code) and 509 (data) become the arena */
	uint64_t return_thunk;  /* x86_return_thunk, the pointer variable; 0 = none */
	uint64_t kprobe_table;  /* kprobe_table[1 << kprobe_hash_bits] of struct hlist_head; 0 = none */
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
	/* What a body returns and jumps through, as boot left the kernel's own (docs/reference/assumptions.md). */
	uint64_t return_default;  /* __x86_return_thunk where it is a trap for what boot forgot; 0 = it returns */
	uint64_t return_plain;    /* what stands for it then: its_return_thunk, a bare return */
	uint64_t indirect_thunks; /* __x86_indirect_thunk_rax; the next registers' follow by 32 bytes; 0 = none */
	uint64_t its_thunks;      /* __x86_indirect_its_thunk_rax; by 64 bytes; 0 = none */
	/* What a leaf with modules needs; without any, all of it is 0. */
	uint64_t modules;                                /* the list's head */
	uint64_t module_notify;                          /* module_notify_list, a struct blocking_notifier_head */
	uint32_t module_size;                            /* of struct module: what is read of it lies inside */
	uint32_t module_list, module_name;               /* in struct module */
	uint32_t notify_count, notify_head;              /* in blocking_notifier_head: rwsem.count (64 bits), head */
	uint32_t block_call, block_next, block_priority; /* in struct notifier_block */
	struct nl_leaf_field module_state;               /* LIVE 0, COMING 1, GOING 2, UNFORMED 3 */
	uint32_t reserved2;
	/* Code that functions return to whose own return addresses the guest keeps elsewhere, and which then returns
	 * for them: kretprobes' trampoline, the function graph tracer's. Size 0 = none. */
	struct nl_leaf_run returns[2];
	/*
	 * What a commit without an agent must know besides; where the first two are 0, there is none
	 * (docs/explanation/orders.md). Code in which a stack does not tell who is where: .entry.text, .noinstr.text,
	 * __switch_to_asm, __switch_to.
	 */
	struct nl_leaf_run nowhere[4];
	uint64_t irq_stack; /* per-CPU variable: where a CPU's interrupt stack ends, or its last word is, which links
	                       back */
	/* kprobe_insn_slots and kprobe_optinsn_slots, struct kprobe_insn_cache; 0 = none */
	uint64_t probe_slots[2];
	uint32_t slots_pages;             /* in struct kprobe_insn_cache: the list's head */
	uint32_t slots_list, slots_insns; /* in struct kprobe_insn_page */
	/* What a standing order is carried out by before the first program runs; 0 = later. */
	uint32_t format_load; /* in struct linux_binfmt, whose list node comes first */
	uint64_t formats;     /* the list's head */
};
#define NL_GUEST_LINUX 1u

enum nl_site_kind {
	NL_SITE_RODATA = 1, /* read-only data */
	NL_SITE_TEXT = 2,   /* whole instructions inside one function */
};

struct nl_leaf_site {
	uint16_t object, region; /* NL_SITE_TEXT: NL_MEM_TEXT or NL_MEM_INIT_TEXT; NL_SITE_RODATA: NL_MEM_RODATA */
	uint32_t offset;         /* of the first byte, in that region */
	uint32_t len;            /* 1..NL_SITE_MAX_LEN; the bytes lie in one 4 KiB page */
	uint16_t kind;           /* enum nl_site_kind */
	uint16_t counter;        /* NL_SITE_TEXT: which of header.counters counts calls of its body, from 1; 0 = none */
	uint32_t expected;       /* offset in bytes[] of len bytes */
	uint32_t fresh;          /* offset in bytes[] of len bytes: what is written */
	uint32_t func_offset;    /* NL_SITE_TEXT: the function replaced, in the same region; else both 0 */
	uint32_t func_size;
	uint32_t name;                   /* offset in strings[] */
	uint32_t body_offset, body_size; /* NL_SITE_TEXT: what replaces the function, in text[]: for the reader; or 0 */
	/* NL_SITE_TEXT: SHA-256 of the old function, normalised: what the author saw is what stands in the kernel that
	 * the leaf was built for (docs/reference/leaf-format.md). For the author's tools; zero in data. */
	uint8_t old_hash[32];
};

enum nl_reloc_type {
	NL_REL_ABS64 = 1,  /* S + A, 8 bytes */
	NL_REL_ABS32S = 2, /* S + A, 4 bytes, must fit signed */
	NL_REL_PC32 = 3,   /* S + A - P, 4 bytes, must fit signed */
	NL_REL_ABS32 = 4,  /* S + A, 4 bytes, must fit unsigned */
};

// clang-format off
enum nl_reloc_where { /* which part is written */
	NL_AT_BYTES = 1, /* bytes[]: P is the run-time address of the site byte concerned */
	NL_AT_TEXT = 2,
	NL_AT_DATA = 3,
};

enum nl_reloc_symbol { /* what S is */
	NL_SYM_REGION = 1,       /* value = offset in (object, region), up to its size: where that is at run time */
	NL_SYM_ABSOLUTE = 2,     /* value as it is: per-CPU offsets, constants; KASLR does not move it */
	NL_SYM_TEXT = 3,         /* value = offset in text[], in the object's part: where that is in the arena */
	NL_SYM_DATA = 4,         /* value = offset in data[], likewise */
	NL_SYM_RETURN_THUNK = 5, /* *(u64 *)(target.return_thunk + slide), read at apply: the thunk this CPU needs */
	NL_SYM_INDIRECT_THUNK = 6, /* value = number of a register, 0..15: the thunk that jumps there on this CPU */
};
// clang-format on

/*
 * Whose field is written decides what it may refer to: the kernel's to the kernel and its own part, a module's to any
 * region, its own part and the kernel's. A module that another's code refers to is an object, with or without sites.
 */
struct nl_leaf_reloc {
	uint16_t where;  /* enum nl_reloc_where */
	uint16_t type;   /* enum nl_reloc_type */
	uint16_t symbol; /* enum nl_reloc_symbol */
	uint16_t site;   /* NL_AT_BYTES: index of the site the bytes belong to, else 0 */
	uint32_t offset; /* in the part that is written */
	uint16_t object; /* NL_SYM_REGION, NL_SYM_TEXT, NL_SYM_DATA; else 0 */
	uint16_t region; /* NL_SYM_REGION; else 0 */
	uint64_t value;
	int64_t addend;
};

/*
 * What the author says of the leaf, to people and to programs. The hypervisor acts on REQUIRES, SUPERSEDES and
 * CONFLICTS: of the leaves that are to be applied at once, no two may conflict or one supersede the other, and what one
 * requires must be among them. Where the policy forbids reverts, a leaf leaves its place to what supersedes its
 * version. The others it keeps and shows (NL_CALL_FACTS).
 */
enum nl_fact_kind {
	NL_FACT_CVE = 1,    /* "CVE-2024-1086" */
	NL_FACT_AUTHOR,     /* of the fix */
	NL_FACT_SOURCE,     /* URL of the patch */
	NL_FACT_LICENCE,    /* SPDX expression of the body */
	NL_FACT_DATE,       /* of the leaf, "2026-11-25" */
	NL_FACT_REQUIRES,   /* id of another leaf; version = the lowest that will do, 0 = any */
	NL_FACT_SUPERSEDES, /* id; version = the highest that the author knew, 0 = none in particular */
	NL_FACT_CONFLICTS,  /* id */
	NL_FACT_ALLOW,      /* an override: what the author said a check may let pass */
	NL_FACT_NOTE,       /* what could not be proven */
	NL_FACT_KINDS
};

struct nl_leaf_fact {
	uint16_t kind;   /* enum nl_fact_kind */
	uint16_t length; /* of text, 1..NL_FACT_MAX_LEN; the record is padded to 4 bytes with zeroes */
	uint32_t version;
	char text[]; /* printable ASCII, no NUL */
};

/* What recipes and answers for programs call them, by kind. */
#define NL_FACT_NAMES \
	{ \
		"", "cve", "author", "source", "licence", "date", "requires", "supersedes", "conflicts", "allow", \
		        "note" \
	}

static inline size_t nl_fact_size(const struct nl_leaf_fact *f) { return sizeof(*f) + ((f->length + 3u) & ~3u); }

/* The fact behind that one (NULL: the first) in a run of them, 4-byte aligned; NULL where there is none, or no whole
 * one. */
static inline const struct nl_leaf_fact *nl_fact_next(const uint8_t *facts, size_t size,
                                                      const struct nl_leaf_fact *before)
{
	size_t at = before ? (size_t)((const uint8_t *)before - facts) + nl_fact_size(before) : 0;
	const struct nl_leaf_fact *f = (const struct nl_leaf_fact *)(const void *)(facts + at);

	return at < size && size - at >= sizeof(*f) && size - at >= nl_fact_size(f) ? f : NULL;
}

enum nl_consistency {
	NL_CONSISTENCY_SWITCH = 0,  /* no CPU and no task inside the bytes that change; old calls finish in old code */
	NL_CONSISTENCY_STRICT = 1,  /* task level: no task inside a replaced function */
	NL_CONSISTENCY_MIXABLE = 2, /* as SWITCH; author's word that old and new may run side by side */
};

struct nl_leaf_header {
	uint64_t magic;
	uint32_t format;
	uint32_t header_size; /* sizeof(struct nl_leaf_header) */
	uint32_t signed_size;
	uint32_t version;     /* of this id: never goes down on one boot */
	uint32_t consistency; /* enum nl_consistency */
	/* How long it may be on without a confirmation before it is taken back, seconds; 0 = for ever. The policy can
	 * make it shorter; one that knows no probation refuses the leaf. */
	uint32_t confirm_s;
	uint32_t reserved; /* meant for a security level */
	char id[NL_LEAF_ID_LEN];
	struct nl_leaf_part objects, sites, relocs, facts, bytes, text, data, strings;
	uint32_t description; /* offset in strings[] */
	uint32_t bss_size;    /* zero bytes behind data[], in the data arena */
	/*
	 * Hit counters: one row for each of counter_cpus CPUs in the zero bytes behind data[], of 64-bit numbers, one
	 * for each counter, rounded up to NL_COUNTER_LINE bytes, so that no two CPUs share a line. A CPU counts in row
	 * (its number modulo counter_cpus). The guest can write there: what they say is information, nothing more.
	 */
	uint32_t counters;       /* 0 = none, and so are the other two; at most one per site */
	uint32_t counter_cpus;   /* a power of two, 1..NL_COUNTER_CPUS */
	uint32_t counter_offset; /* from the start of data[], a multiple of NL_COUNTER_LINE */
	struct nl_leaf_target target;
};
#define NL_COUNTER_LINE 64u
#define NL_COUNTER_CPUS 512u /* NL_MAX_CPUS */
#define NL_COUNTER_ROW(counters) (((counters)*8u + NL_COUNTER_LINE - 1) / NL_COUNTER_LINE * NL_COUNTER_LINE)

_Static_assert(sizeof(struct nl_leaf_region) == 24 && sizeof(struct nl_leaf_object) == 320, "leaf object layout");
_Static_assert(sizeof(struct nl_leaf_site) == 76, "leaf site layout");
_Static_assert(sizeof(struct nl_leaf_reloc) == 32, "leaf reloc layout");
_Static_assert(sizeof(struct nl_leaf_target) % 8 == 0, "leaf target layout");
_Static_assert(sizeof(struct nl_leaf_header) % 8 == 0, "leaf header layout");

#endif
