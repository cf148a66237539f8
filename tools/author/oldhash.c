// SPDX-License-Identifier: Apache-2.0
/* See oldhash.h. Changing what is hashed changes every hash in every recipe: then `domain` has to change, too. */
#include "oldhash.h"
#include "../newleaf/sha256.h"
#include "code.h"

#include <ctype.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

#define STRING_MAX 4096u
#define LEVEL 1 /* KERN_SOH: begins a message's level */
#define NONE UINT32_MAX

static const char domain[] = "newleaf old function 1";

struct function {
	const struct kernel *k;
	const uint8_t *bytes;
	uint64_t va;
	uint32_t size;     /* without the padding behind it */
	uint32_t *ordinal; /* of the instruction that begins at an offset, NONE = no instruction begins there */
	struct buf out;
};

static void put(struct function *f, char tag, const void *p, size_t n)
{
	buf_add(&f->out, &tag, 1);
	buf_add(&f->out, p, n);
}

static void put_number(struct function *f, char tag, uint64_t v)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(v >> 8 * i);
	put(f, tag, bytes, sizeof(bytes));
}

/* Without what the compiler counts: x.isra.0 is x.isra, __func__.12345 is __func__, __UNIQUE_ID_x77 is __UNIQUE_ID_x.
 */
static void put_name(struct function *f, const char *name)
{
	size_t n = strlen(name);

	put(f, 'n', NULL, 0);
	for (size_t i = 0; i < n;) {
		size_t digits = name[i] == '.' ? strspn(name + i + 1, "0123456789") : 0;

		if (digits && (!name[i + 1 + digits] || name[i + 1 + digits] == '.')) {
			i += 1 + digits;
			continue;
		}
		buf_add(&f->out, name + i++, 1);
	}
	if (!strncmp(name, "__UNIQUE_ID_", 12))
		while (f->out.n && isdigit(f->out.p[f->out.n - 1]))
			f->out.n--;
	buf_add(&f->out, "", 1);
}

/* Read-only text without a name of its own. */
static const char *string_at(const struct kernel *k, uint64_t va)
{
	const struct ksection *s = kernel_section(k, ".rodata");
	const char *p;
	size_t n = 0, room;

	if (!s || !s->bytes || va < s->va || va - s->va >= s->size)
		return NULL;
	p = (const char *)s->bytes + (va - s->va);
	room = s->size - (va - s->va);
	room = room > STRING_MAX ? STRING_MAX : room;
	while (n < room && p[n] && (isprint((unsigned char)p[n]) || isspace((unsigned char)p[n]) || p[n] == LEVEL))
		n++;
	return n < room && !p[n] ? p : NULL;
}

/* Of several names of one place the first by alphabet. */
static const struct ksym *symbol_at(const struct kernel *k, uint64_t va)
{
	const struct ksym *s = kallsyms_at(&k->syms, va), *best = s;

	for (; s && s > k->syms.sym && s[-1].va == s->va; s--)
		if (strcmp(s[-1].name, best->name) < 0)
			best = s - 1;
	return best;
}

static void put_place(struct function *f, uint64_t va)
{
	const struct ksym *s;
	const char *text;

	if (va >= f->va && va < f->va + f->size) {
		uint32_t at = (uint32_t)(va - f->va);

		put_number(f, f->ordinal[at] == NONE ? 'o' : 'l', f->ordinal[at] == NONE ? at : f->ordinal[at]);
		return;
	}
	s = symbol_at(f->k, va);
	text = s && s->va == va ? NULL : string_at(f->k, va);
	if (text) {
		put(f, 's', text, strlen(text) + 1);
	} else if (s) {
		put_name(f, s->name);
		put_number(f, '+', va - s->va);
	} else {
		put_number(f, 'a', va);
	}
}

/* A branch is its condition and where it leads; how far that is, and with how many bytes, is the linker's. */
static void put_branch(struct function *f, const uint8_t *p, const struct code_step *s)
{
	uint8_t condition = p[0];

	if (p[0] == 0x0f && s->len > 1 && (p[1] & 0xf0) == 0x80)
		condition = p[1];
	else if ((p[0] & 0xf0) == 0x70)
		condition = (uint8_t)(0x80 | (p[0] & 0x0f));
	else if (p[0] == 0xeb)
		condition = 0xe9;
	put(f, 'b', &condition, 1);
	put_place(f, s->target);
}

static void put_instruction(struct function *f, uint32_t at, const struct code_step *s)
{
	const struct krelocs *all = &f->k->relocs;
	uint64_t va = f->va + at;
	bool moved = false; /* the field that counts from the instruction has a relocation */
	uint8_t bytes[16];

	memcpy(bytes, f->bytes + at, s->len);
	put_number(f, 'i', s->len);
	for (size_t i = krelocs_from(all, va); i < all->n && all->rel[i].va < va + s->len; i++) {
		const struct krel *r = &all->rel[i];
		size_t size = krel_size(r);
		uint32_t in = (uint32_t)(r->va - va);
		uint64_t to = 0;

		if (r->va < va || in + size > s->len ||
		    r->kind == KREL_PC32) /* as the image has it, which needs none */
			continue;
		memcpy(&to, bytes + in, size);
		to = size == 4 ? (uint64_t)(int64_t)(int32_t)to : to;
		if (r->kind == KREL_INV_32) {
			to = s->address;
			moved = true;
		}
		memset(bytes + in, 0, size);
		put_place(f, to);
	}
	if (s->refers) {
		memset(bytes + s->field, 0, 4);
		if (!moved)
			put_place(f, s->address);
	}
	buf_add(&f->out, bytes, s->len);
}

/* Numbers the instructions, and finds out where the padding begins. */
static void number(struct function *f)
{
	uint32_t n = 0, end = 0;

	for (uint32_t at = 0; at < f->size; at++)
		f->ordinal[at] = NONE;
	for (uint32_t at = 0; at < f->size;) {
		struct code_step s = code_decode(f->bytes + at, f->size - at, f->va + at);

		f->ordinal[at] = n;
		if (!s.pads) {
			n++;
			end = at + (s.len ? s.len : 1);
		}
		at += s.len ? s.len : 1;
	}
	f->size = end;
}

bool oldhash(const struct kernel *k, uint64_t va, uint64_t size, uint8_t out[OLDHASH_SIZE])
{
	struct function f = {.k = k, .va = va, .size = (uint32_t)size, .bytes = kernel_bytes(k, va, size)};

	if (!size || size > UINT32_MAX || !f.bytes)
		return false;
	f.ordinal = xalloc(size * sizeof(*f.ordinal));
	number(&f);
	buf_add(&f.out, domain, sizeof(domain));
	for (uint32_t at = 0; at < f.size;) {
		struct code_step s = code_decode(f.bytes + at, f.size - at, va + at);

		if (!s.len)
			put(&f, '?', f.bytes + at, 1);
		else if (s.jumps)
			put_branch(&f, f.bytes + at, &s);
		else if (!s.pads)
			put_instruction(&f, at, &s);
		at += s.len ? s.len : 1;
	}
	cli_sha256(f.out.p, f.out.n, out);
	free(f.out.p);
	free(f.ordinal);
	return true;
}

char *oldhash_text(const uint8_t hash[OLDHASH_SIZE])
{
	char *all = xformat("%s", "");

	for (unsigned i = 0; i < OLDHASH_SHOWN; i++)
		all = xformat("%s%02x", all, hash[i]);
	return all;
}
