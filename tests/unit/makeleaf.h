// SPDX-License-Identifier: Apache-2.0
/* Leaves for tests: put together part by part, then written out and signed with a key that OpenSSL makes. */
#ifndef TESTS_UNIT_MAKELEAF_H
#define TESTS_UNIT_MAKELEAF_H

#include <newleaf/bootblock.h>
#include <newleaf/leaf.h>

struct make_part { /* of a body, one object's */
	uint8_t text[512], data[512];
	unsigned n_text, n_data;
};

struct make_leaf {
	struct nl_leaf_header header; /* parts and sizes are filled when written */
	struct nl_leaf_object modules[NL_LEAF_MAX_OBJECTS];
	struct make_part parts[NL_LEAF_MAX_OBJECTS]; /* the modules' */
	unsigned n_modules;
	bool laid_out;
	struct nl_leaf_site sites[NL_LEAF_MAX_SITES + 1];
	struct nl_leaf_reloc relocs[48];
	unsigned n_sites, n_relocs;
	uint8_t bytes[16384];
	unsigned n_bytes;
	uint8_t text[4096], data[4096];
	unsigned n_text, n_data;
	uint8_t facts[NL_LEAF_MAX_FACTS + 64];
	unsigned n_facts;
};

void make_start(struct make_leaf *m, const char *id, uint32_t version, const struct nl_leaf_target *target);
/* A site with these bytes, by link addresses; returns its index. func_va 0: read-only data. */
unsigned make_site(struct make_leaf *m, uint64_t va, const void *expected, const void *fresh, uint32_t len,
                   uint64_t func_va, uint32_t func_size);
/* A module of the leaf; returns the number of the object. */
unsigned make_module(struct make_leaf *m, const struct nl_leaf_object *o);
/* A site in it, by offsets in one of its regions. func_size 0: read-only data. */
unsigned make_module_site(struct make_leaf *m, unsigned object, unsigned region, uint32_t offset, const void *expected,
                          const void *fresh, uint32_t len, uint32_t func_offset, uint32_t func_size);
/* Where the objects' parts lie in text[] and data[], from their sizes: stands in the objects from then on, and is not
 * done again when the leaf is written. */
void make_layout(struct make_leaf *m);
void make_fact(struct make_leaf *m, enum nl_fact_kind kind, const char *text, uint32_t version);
void make_reloc(struct make_leaf *m, struct nl_leaf_reloc r);
size_t make_write(const struct make_leaf *m,
                  uint8_t *out); /* unsigned; out has NL_LEAF_MAX_SIZE bytes, 8-byte aligned */

/* The pair stays inside; returns its number. The last one made signs, or those named. */
unsigned make_key(struct nl_key *key, const char *name, uint32_t role);
/* Append the signatures; return the size of the file. */
size_t make_sign(uint8_t *file, size_t signed_size);
size_t make_sign_by(uint8_t *file, size_t signed_size, const unsigned *by, unsigned n);
/* One alone, of any bytes. */
void make_signature(unsigned by, const void *p, size_t n, uint8_t out[64]);
extern const char *make_domain; /* NL_DOMAIN_LEAF, unless a test says so */
#define MAKE_SIGNATURE (sizeof(struct nl_signatures) + sizeof(struct nl_signature)) /* bytes that make_sign appends */

#endif
