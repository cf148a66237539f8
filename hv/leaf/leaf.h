// SPDX-License-Identifier: Apache-2.0
/*
 * Parse a leaf file (include/newleaf/leaf.h). Pure functions on a buffer, no trust: after NL_OK every index, count and
 * length, and every offset in the file, that the rest of the core uses is in bounds. What is to be written by them, a
 * site or a field, is bounded where it is written (bind.c, reloc.c).
 */
#pragma once

#include <newleaf/errors.h>
#include <newleaf/leaf.h>

/* Pointers into the file, which must stay. The file is at least 8-byte aligned. */
struct nl_leaf {
	const struct nl_leaf_header *header;
	const struct nl_leaf_object *modules; /* object 1 and the following */
	const struct nl_leaf_site *sites;
	const struct nl_leaf_reloc *relocs;
	const uint8_t *facts; /* header.facts.count bytes: walk with nl_fact_next */
	const uint8_t *bytes, *text, *data;
};

/* How much of the file is signed, believing nothing but lengths: NL_ELEAF. The signatures follow (signature.h). `file`
 * need not be aligned. */
enum nl_err nl_leaf_split(const void *file, size_t size, size_t *signed_size);

/* The content, after the signature was found good. NL_ELEAF, NL_EOBJECT, NL_ERANGE, NL_ERELOC, NL_EUNSUPPORTED. */
enum nl_err nl_leaf_parse(const void *file, size_t signed_size, struct nl_leaf *out);

/* The same pointers into a file that was parsed before. */
void nl_leaf_open(const void *file, struct nl_leaf *out);

static inline const struct nl_leaf_object *nl_leaf_object(const struct nl_leaf *l, uint32_t i)
{
	return i ? &l->modules[i - 1] : &l->header->target.kernel;
}

/* A part of text[] or data[], as it will be in the arena: the kernel's data with the zero bytes. */
static inline uint64_t nl_part_end(const struct nl_leaf *l, uint32_t object, bool text)
{
	const struct nl_leaf_object *o = nl_leaf_object(l, object);
	const struct nl_leaf_part *p = text ? &o->text : &o->data;

	return (uint64_t)p->offset + p->count + (object || text ? 0 : l->header->bss_size);
}

/* Is it an id, and nothing behind it? NL_LEAF_ID_LEN bytes are read. */
bool nl_leaf_id_ok(const char *id);

/* Bytes that a relocation writes; 0 = unknown type. */
unsigned nl_reloc_size(uint16_t type);
