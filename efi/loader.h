// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the loader share: its state, and one line per step. Each step returns an error of the common table
 * after it has said why; main.c decides what that means. The pure parts have headers of their own (conf.h, hostmap.h,
 * acpi.h, pe.h).
 */
#ifndef EFI_LOADER_H
#define EFI_LOADER_H

#include <efi.h>
#include <efilib.h>

#include <newleaf/bootblock.h>
#include <newleaf/bootcounter.h>
#include <newleaf/errors.h>
#include <newleaf/panic.h>

#include "conf.h"

struct loader {
	EFI_HANDLE image;
	EFI_LOADED_IMAGE *loaded;
	struct nl_conf conf;
	bool secure_boot;
	struct nl_policy policy; /* the image's, restricted by newleaf.conf */
	struct nl_boot_counter counter;
	bool counted;                /* this boot is in the counter */
	uint64_t trampoline, region; /* 0 = not allocated */
	const struct nl_core_header *core;
	struct nl_panic_record *panic; /* of the boot before; NULL = none */
	struct nl_boot_block *boot;    /* in the region: out of reach once launched */
	uint64_t tsc_hz;
	uint32_t n_cpus, n_keys;
};

/* say.c: messages. All go to the firmware's console. */
void say_error(enum nl_err error);
void say_why(const CHAR16 *format, ...);
void say_warning(const CHAR16 *format, ...);

/* files.c: whole files of the partition that the loader came from. *data is from the pool and has one NUL behind it. */
EFI_STATUS file_read(struct loader *l, const CHAR16 *path, UINTN max, void **data, UINTN *size);
bool file_exists(struct loader *l, const CHAR16 *path);
void file_beside(struct loader *l, const CHAR16 *name, CHAR16 *out,
                 size_t max); /* path of `name` in the loader's own folder */
enum nl_err conf_load(struct loader *l);

/* image.c: what the loader carries in sections of its own image. */
enum nl_err image_find_core(struct loader *l);
void image_policy(struct loader *l); /* and takes out of the conf what it may not say */
enum nl_err image_keys(struct loader *l, struct nl_boot_block *b);

/* memory.c */
enum nl_err memory_reserve(struct loader *l);
enum nl_err memory_fill(struct loader *l); /* core image, boot block's place, host page table, ranges */
void memory_release(struct loader *l);
bool memory_is_free(uint64_t base, uint64_t size); /* nobody has it, so nobody minds our looking at it */

/* panic.c: what the core of the boot before left when it gave up. */
void panic_read(struct loader *l);      /* shows it and keeps it; before anything else takes memory */
void panic_hand_over(struct loader *l); /* to the new core's console; remembers where a panic of this boot will be */

/* machine.c: what the core wants to know of the machine. */
enum nl_err machine_describe(struct nl_boot_block *b);

/* bootcount.c */
void counter_read(struct loader *l);
enum nl_err counter_check(struct loader *l);
enum nl_err counter_start(struct loader *l); /* counts this boot up */
void counter_failed(struct loader *l,
                    enum nl_err outcome); /* Newleaf does not run: takes the count back, keeps the reason */

/* floor.c: no image below the floor of security versions; under Secure Boot the floor follows the image. */
enum nl_err floor_hold(struct loader *l);

/* launch.S: interrupts off, EFER.NXE on, CR3 = host_cr3, entry(boot); then everything as it was. Returns what entry
 * returned. */
uint64_t launch(uint64_t host_cr3, uint64_t entry_va, uint64_t boot_va);

/* chain.c: starts the next EFI program; returns when that returns or cannot be started. */
EFI_STATUS chain(struct loader *l);

#endif
