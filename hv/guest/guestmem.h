// SPDX-License-Identifier: Apache-2.0
/*
 * Guest virtual memory: walks the guest's own page tables (4 or 5 levels, 4 KiB to 1 GiB pages), every step of it
 * through a view, never through the identity map. Only RAM is touched: an address that leads to a device or to hidden
 * memory is NL_EFAULT.
 */
#pragma once

#include "view/view.h"

#define NL_GUEST_CACHE 128   /* recent translations; a power of two, */
#define NL_GUEST_TABLES 32   /* of the guest's tables that were walked; so is this, */
#define NL_GUEST_ENTRIES 256 /* of entries that translations were read from; and this */

enum nl_guest_access {
	NL_GUEST_READ = 0,
	NL_GUEST_WRITE = 1, /* the guest's tables and the view let it be written */
	NL_GUEST_USER = 2,  /* a user page: what the caller of a hypercall could reach itself */
};

/* Entries of the guest's own tables that translations were read from, each once as a rule. */
struct nl_entries {
	unsigned n; /* beyond NL_GUEST_ENTRIES: some are not here */
	struct {
		const uint64_t *at;
		uint64_t value;
	} entry[NL_GUEST_ENTRIES];
	uint16_t last[NL_GUEST_ENTRIES]; /* by a hash of `at`: which one it was */
};

/* One guest address space as one view shows it. Holds translations: use it within one exit; and once all CPUs are held,
 * only those that nl_guest_hold has left. */
struct nl_guest {
	const struct nl_views *views;
	const struct nl_view *view;
	uint64_t root; /* guest-physical, of the top table */
	bool la57;
	struct {
		uint64_t gpa;
		const uint64_t *at;
	} tables[NL_GUEST_TABLES];
	struct {
		uint64_t page;
		uint8_t *at;
	} cache[NL_GUEST_CACHE];
	uint8_t access[NL_GUEST_CACHE]; /* that was asked for when it was found */
	const bool *met_poison;         /* this CPU has, since it left the guest */
	struct nl_entries *entries;     /* of the cache's translations; NULL: none are kept */
};

void nl_guest_init(struct nl_guest *g, const struct nl_views *views, const struct nl_view *view, uint64_t cr3,
                   bool la57);

/* Forget all translations, and keep the entries that others are read from. */
void nl_guest_keep(struct nl_guest *g, struct nl_entries *entries);
/* Do the guest's tables still say the same? If not, the translations are forgotten. Entries were kept; all CPUs are
 * held. */
bool nl_guest_hold(struct nl_guest *g);

/* Guest-virtual to guest-physical. The result need not be RAM. */
enum nl_err nl_guest_translate(struct nl_guest *g, gva_t va, unsigned access, gpa_t *out);

/* Pages may be crossed. After NL_EFAULT a read buffer holds nothing meaningful and a write may have been done in part.
 */
enum nl_err nl_guest_read(struct nl_guest *g, gva_t va, unsigned access, void *out, size_t n);
enum nl_err nl_guest_write(struct nl_guest *g, gva_t va, unsigned access, const void *in, size_t n);
/* Would reading or writing all of [va, va+n) work? */
enum nl_err nl_guest_probe(struct nl_guest *g, gva_t va, unsigned access, size_t n);
/* The byte itself, valid to the end of its page while the view is in use. NULL: fault. */
uint8_t *nl_guest_pointer(struct nl_guest *g, gva_t va, unsigned access);
/* A number of 1, 2, 4 or 8 bytes, its upper ones 0. Quick: the stop window is made of such reads. */
enum nl_err nl_guest_load(struct nl_guest *g, gva_t va, unsigned size, uint64_t *out);
enum nl_err nl_guest_read64(struct nl_guest *g, gva_t va, uint64_t *out);

/* A copy from memory of the guest's that may be poisoned. false: it is, or another was that this CPU has read since it
 * left the guest. */
bool nl_copy_safe(void *to, const void *from, size_t n);

/* What a view shows of guest RAM. NULL: not RAM, hidden, or `rights` are not granted. Valid to the end of the page. */
uint8_t *nl_view_pointer(const struct nl_views *views, const struct nl_view *view, gpa_t gpa, enum nl_rights rights);

/* hv/guest/phys.c in the core, a fake on the host: where a host-physical address can be reached. */
void *nl_phys(hpa_t pa);
