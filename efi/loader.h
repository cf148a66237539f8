// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the loader share: its state, and one line per step. Each step returns an error of the common table
 * after it has said why; main.c decides what that means. The pure parts have headers of their own (conf.h, hostmap.h,
 * acpi.h).
 */
#pragma once

#include <efi.h>
#include <efilib.h>
#include <x86.h>

#include <newleaf/bootblock.h>
#include <newleaf/bootcounter.h>
#include <newleaf/errors.h>

#include "acpi.h"
#include "conf.h"
#include "state.h"

struct mp_services;

struct loader {
	EFI_HANDLE image;
	EFI_LOADED_IMAGE *loaded;
	struct nl_conf conf;
	bool secure_boot;
	struct nl_policy policy; /* the image's, restricted by newleaf.conf */
	struct nl_boot_counter counter;
	bool counted;                  /* this boot is in the counter */
	uint64_t region;               /* 0 = not allocated */
	bool smi_page;                 /* the pages at NL_SMI_HANDLER are ours */
	struct nl_state state, stored; /* as it is to be, and as the firmware has it */
	EFI_STATUS state_status;       /* of reading it, and what was wrong with it */
	enum nl_err state_error;
	struct nl_left *left; /* by the boot before; NULL = nothing */
	struct file {
		void *data;
		UINTN size;
	} files[NL_FILES];                      /* size 0 = there is none */
	struct nl_boot_block *boot;             /* in the region: out of reach once launched */
	uint64_t launch_cr3, entry_va, boot_va; /* the way into the core (launch.S) */
	struct mp_services *mp;                 /* NULL: the firmware has none */
	enum nl_err cpu_error;                  /* what one of the other CPUs met in the core, and which */
	uint32_t failed_apic_id;
	uint64_t boot_cr4;
	uint64_t tsc_hz;
	uint32_t n_cpus, n_keys;
};

/* say.c: messages. All go to the firmware's console. */
void say_error(enum nl_err error);
const char *error_name(enum nl_err error);
enum nl_err refuse(enum nl_err error, const CHAR16 *why, ...); /* says why; returns `error` */
#define say_why(...) ((void)refuse(NL_OK, __VA_ARGS__))
#define say_warning(...) say_why(L"warning: " __VA_ARGS__)

/* files.c: whole files of the partition that the loader came from. *data is from the pool and has one NUL behind it. */
EFI_STATUS file_read(struct loader *l, const CHAR16 *path, UINTN max, void **data, UINTN *size);
bool file_exists(struct loader *l, const CHAR16 *path);
enum nl_err conf_load(struct loader *l);

/* sections.S: sections of this image. In a built one keys and policy may be replaced by what is shorter than their
 * room: no byte behind a record's own end means anything. */
#define IMAGE_ROOM 4096u
#define IN_IMAGE extern const __attribute__((visibility("hidden")))
IN_IMAGE struct nl_core_header image_core;
IN_IMAGE uint8_t image_keys[IMAGE_ROOM], image_policy[IMAGE_ROOM];

/* trust.c: policy and keys, from sections of the image; keys, unless Secure Boot is on, from a file as well. */
void trust_policy(struct loader *l); /* and takes out of the conf what it may not say */
enum nl_err trust_keys(struct loader *l, struct nl_boot_block *b);
void trust_files(struct loader *l); /* reads what is revoked, and orders */

/* memory.c */
enum nl_err memory_reserve(struct loader *l);
enum nl_err memory_fill(struct loader *l); /* core image, boot block's place, host page tables, ranges */
void memory_release(struct loader *l);
bool memory_is_free(uint64_t base, uint64_t size); /* nobody has it, so nobody minds our looking at it */

/* keep.c: what outlives a boot. */
void state_read(struct loader *l);         /* and what the boot before left; before anything else takes memory */
enum nl_err state_check(struct loader *l); /* may this image run? */
/* Who this machine is, made when it has no name yet, and which boot this: in the boot block, once they are kept. Lends
 * the core the machine's key. */
void state_name(struct loader *l);
/* The core has seen everything and will launch: floors rise, and nothing of the state stays in memory. What a key file
 * vouches for is not held against a later boot. NL_EFIRMWARE: what must not be lost would be. */
enum nl_err state_settle(struct loader *l);
/* When it was kept: this memory is the operating system's later, and holds a key. */
void state_forget(struct loader *l);

/* machine.c: what the core wants to know of the machine. */
bool randomness(void *out, size_t words); /* false: this machine has no source, and `out` is zero */
enum nl_err machine_describe(struct loader *l, struct nl_boot_block *b);

/* cpus.c */
enum nl_err cpus_find(struct loader *l);                          /* how many there are: n_cpus, mp */
enum nl_err cpus_list(struct loader *l, struct nl_boot_block *b); /* in the order of their indices */
void cpus_take(struct loader *l);                                 /* all but this one into the core */

/* bootcount.c */
void counter_read(struct loader *l);
enum nl_err counter_check(struct loader *l);
enum nl_err counter_start(struct loader *l); /* counts this boot up */
/* Newleaf does not run: takes the count back, keeps the reason */
void counter_failed(struct loader *l, enum nl_err outcome);

/* launch.S: interrupts off, EFER.NXE on, CR3 = launch_cr3, entry(boot, what, CR3 before); then everything as it was.
 * Returns what entry returned. On any CPU. */
uint64_t launch(uint64_t launch_cr3, uint64_t entry_va, uint64_t boot_va, enum nl_enter what);

/* chain.c: starts the next EFI program; returns when that returns or cannot be started. */
EFI_STATUS chain(struct loader *l);
