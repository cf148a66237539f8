// SPDX-License-Identifier: Apache-2.0
/*
 * The whole contract between common code (hv/) and one vendor (vmx/, svm/). The vendor decodes its exit into a neutral
 * struct nl_exit, common code decides, the vendor acts. hv/ includes this header and no other of arch/ but x86.h; it
 * never sees a VMCS or a VMCB.
 */
#pragma once

#include <newleaf/bootblock.h>
#include <newleaf/hypercall.h>
#include <newleaf/errors.h>

/* Guest's general registers, in the order of their numbers, in which the entry code saves them. rsp and rax are kept
 * here too, whoever stores them. */
struct nl_gprs {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

/* What common code may want to know of a stopped guest CPU. Filled by vendor->context on demand, not at every exit,
 * from registers alone: nothing of the guest's memory is read for it. */
struct nl_context {
	uint64_t rip, rflags, cr0, cr3, cr4, efer, lstar;
	uint64_t cs_base;
	unsigned cpl;
	bool halted;          /* in the activity state HLT: VMX. nl_guest_waits (guest.h) looks at the instruction */
	bool long_mode;       /* EFER.LMA and CS.L */
	bool code32;          /* CS.D: else, outside long mode, 16-bit code */
	const uint8_t *bytes; /* of the instruction that faulted, where the hardware hands them over: n_bytes of them,
	                         else 0 */
	unsigned n_bytes;
};

struct nl_segment {
	uint16_t selector;
	uint16_t attributes; /* VMCB form: type, S, DPL, P, AVL, L, D/B, G in bits 0..11 (APM vol. 2, 15.5) */
	uint32_t limit;
	uint64_t base;
};

/* In the order of the VMCB, as are the MSRs below (APM vol. 2, table B-2). GDTR, IDTR: base and limit. */
enum nl_segment_name { NL_ES, NL_CS, NL_SS, NL_DS, NL_FS, NL_GS, NL_GDTR, NL_LDTR, NL_IDTR, NL_TR, NL_SEGMENTS };

/* STAR, LSTAR, CSTAR, FMASK, KERNEL_GS_BASE, SYSENTER_CS, _ESP, _EIP (core/cpu.c) */
#define NL_START_MSRS 8
extern const uint32_t nl_start_msrs[NL_START_MSRS];

/* The state in which a guest CPU starts: from where the loader stands, or as SIPI leaves it (core/cpu.c). */
struct nl_launch_state {
	struct nl_gprs gprs;
	uint64_t rip, rflags, cr0, cr2, cr3, cr4, efer;
	uint64_t dr6, dr7;
	struct nl_segment segments[NL_SEGMENTS];
	uint64_t msrs[NL_START_MSRS], pat, debugctl;
};

/* An exit that common code decides. What the vendor does by itself (NMI, INIT, SIPI, kick, CR) it also counts. */
struct nl_exit {
	enum nl_cause cause;
	unsigned length; /* bytes to skip when the instruction is emulated; 0 = the vendor does not know, and of
	                    NL_CAUSE_VIRT: it is not VMCALL or VMMCALL */
	union {
		struct {
			uint32_t index;
			bool write;
		} msr; /* value in edx:eax */
		struct {
			uint16_t port;
			uint8_t width;
			bool in, string;
		} io;
		struct {
			gpa_t gpa;
			bool read, write, fetch;
		} npf; /* also for NL_CAUSE_APIC: a write to the APIC page */
		struct {
			uint64_t code, info1, info2;
		} raw; /* NL_CAUSE_OTHER: printed */
	};
};

struct nl_cpu {
	unsigned index; /* 0 = the boot CPU */
	uint32_t apic_id;
	struct nl_gprs gprs;
	uint32_t nmis; /* taken by the core itself (entry.S counts) */
	uint64_t exits[NL_CAUSES];
	uint64_t root_generation; /* of the root this CPU has loaded (hv/view/view.h) */
	hpa_t root;               /* which that is */
	/* life of the CPU: core/cpu.h alone; atomics */
	uint32_t state;          /* enum nl_cpu_state */
	uint32_t sipi_vector;    /* 0x100 | vector when a SIPI waits */
	uint32_t init_pending;   /* an INIT waits */
	uint32_t request;        /* a freeze is under way and this CPU has not answered (quiesce.c) */
	uint32_t kick;           /* one of ours is in flight to this CPU (nmi.c) */
	uint32_t nmi_pending;    /* an NMI waits for the guest: one, as in hardware; more merge into it */
	bool mc_pending;         /* a machine check came while the core ran: injected at the next entry */
	uint64_t hold_since_tsc; /* 0: it is not held */
	struct {
		uint64_t value, until_tsc, made;
		uint32_t epoch;
	} token;      /* exits/token.c */
	void *vendor; /* struct vmx_cpu or struct svm_cpu */
	void *stack_top;
};
_Static_assert(offsetof(struct nl_cpu, nmis) == 136, "rows.S says where");

struct nl_npt_format; /* hv/view/npt.h */

struct nl_vendor {
	char name[8], paging[8]; /* "VMX" and "EPT", "SVM" and "NPT" */

	/* Can this CPU do it? NL_OK, NL_ENOVIRT, NL_ELOCKED, NL_EVIRTUALISED. Changes nothing. */
	enum nl_err (*probe)(void);
	/* Format of the nested tables on this machine. */
	const struct nl_npt_format *(*format)(void);
	/* Once per machine, on the boot CPU, before the first cpu_init: permission maps and so on, from the pool. */
	enum nl_err (*machine_init)(void);
	/* On the CPU itself: switch virtualisation on, build VMCS/VMCB, load `root`. Undone by cpu_exit when a later
	 * step fails; CR0, CR4 and EFER by host_unload, also when this one does. */
	enum nl_err (*cpu_init)(struct nl_cpu *cpu, hpa_t root);
	void (*cpu_exit)(struct nl_cpu *cpu);
	/* The guest starts in exactly this state, and with no event, shadow, blocking or translation of another life.
	 */
	void (*launch_state)(struct nl_cpu *cpu, const struct nl_launch_state *s);
	/* After nl_cpu_stopped: VMX by activity state (returns; the next entry waits), SVM by a loop in the core. */
	void (*wait_for_sipi)(struct nl_cpu *cpu);
	/* The loop: enter the guest, decode, hv_exit(); before every entry hv_before_entry(). Never returns. */
	void (*run)(struct nl_cpu *cpu) __attribute__((noreturn));

	/* On the stopped CPU itself, between an exit and the next entry: */
	void (*context)(struct nl_cpu *cpu, struct nl_context *out);
	/* past an emulated instruction: clears the interrupt shadow, honours TF */
	void (*skip)(struct nl_cpu *cpu, unsigned length);
	/* a fault at the current instruction */
	void (*inject)(struct nl_cpu *cpu, uint8_t vector, bool has_error, uint32_t error);
	/* Before each entry: do page faults of accesses as a user exit (NL_CAUSE_EXCEPTION) instead of being delivered?
	 * All others are delivered as ever. */
	void (*hold)(struct nl_cpu *cpu, bool programs);
	/*
	 * Translation caches (SDM vol. 3, 29.4; APM vol. 2, 15.16): what a CPU must forget before it enters again.
	 * tests/unit/test_tlb.c holds both vendors against a model of caches that keep everything until they are told.
	 *
	 *        tags of a translation      set_root                    a CPU that starts
	 *   VMX  VPID, PCID and EPT root    INVEPT single-context       INVEPT and INVVPID all-context
	 *   SVM  ASID alone                 TLB_CONTROL = 3, or 1 without FlushByAsid, for both
	 *
	 * One VPID or ASID serves all generations: the guest's own INVLPG reaches only the current one.
	 */
	/* Another root than at the last entry: what was cached through it goes, even when its view is new, for its page
	 * may have been a released view's root, and the pool does not tell. */
	void (*set_root)(struct nl_cpu *cpu, hpa_t root);
	void (*set_flags)(struct nl_cpu *cpu, uint64_t rflags); /* of an emulated instruction, before skip */
	/* MSRs whose guest value is not in the hardware register while the core runs (EFER, PAT, ...). false: not such
	 * a one. */
	bool (*get_msr)(struct nl_cpu *cpu, uint32_t index, uint64_t *value);
	bool (*set_msr)(struct nl_cpu *cpu, uint32_t index, uint64_t value); /* value was checked by common code */
	/* Which MSRs exit. Before the first launch only. */
	void (*intercept_msr)(uint32_t index, bool read, bool write);
	void (*intercept_port)(uint16_t port);

	/* From another CPU: make it leave the guest soon and pass hv_before_entry. */
	void (*kick)(struct nl_cpu *cpu);
	void (*dump)(struct nl_cpu *cpu); /* VMCS/VMCB of this CPU, for a panic; no locks */
	bool init_exits;                  /* INIT and SIPI are exits of their target; else they are caught at the ICR */
};

/* The functions of a vendor have the names of its members, behind `prefix`; the contract says their types. Not so
 * `run`: gcc's type of what never returns is not that of a definition. */
/* clang-format off */
#define NL_VENDOR_OPS(X, prefix) \
	X(probe, prefix) X(format, prefix) X(machine_init, prefix) X(cpu_init, prefix) X(cpu_exit, prefix) \
	X(launch_state, prefix) X(wait_for_sipi, prefix) X(context, prefix) X(skip, prefix) \
	X(inject, prefix) X(hold, prefix) X(set_root, prefix) X(set_flags, prefix) X(get_msr, prefix) \
	X(set_msr, prefix) X(intercept_msr, prefix) X(intercept_port, prefix) X(dump, prefix)
#define NL_VENDOR_DECLARE(op, prefix) __typeof__(*((struct nl_vendor *)0)->op) prefix##op;
#define NL_VENDOR_BIND(op, prefix) .op = prefix##op,
#define NL_VENDOR(prefix, ...) {__VA_ARGS__, NL_VENDOR_OPS(NL_VENDOR_BIND, prefix)}
/* clang-format on */

extern const struct nl_vendor nl_vmx, nl_svm;
extern const struct nl_vendor *nl_vendor; /* the one of this machine; set once by nl_arch_probe */

/* Upcalls, hv/exits/exit.c */
void hv_exit(struct nl_cpu *cpu, const struct nl_exit *exit); /* counts, decides, acts */
/* freeze requests, INIT/SIPI of SVM, root of the current generation. Interrupts off. */
void hv_before_entry(struct nl_cpu *cpu);

/* cpu.c */
extern struct nl_cpu *nl_cpus[NL_MAX_CPUS];
extern unsigned nl_n_cpus; /* all of the machine's that ever run */
#define NL_EACH_CPU(cpu) \
	for (struct nl_cpu **at_ = nl_cpus, *cpu; at_ < nl_cpus + nl_n_cpus && (cpu = *at_, true); at_++)
struct nl_cpu *nl_this_cpu(void);
