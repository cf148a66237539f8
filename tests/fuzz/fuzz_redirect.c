// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/nearby.c tools/author/aliases.c
// sources: tools/author/elsewhere.c
// sources: tools/author/thunks.c tools/author/branches.c tools/author/oldhash.c tools/newleaf/sha256.c
// sources: tests/fuzz/author.c tools/author/redirect.c tools/author/contract.c tools/author/watch.c tools/author/stub.c
// sources: tools/author/typenames.c tools/author/note.c tools/author/types.c tools/author/counter.c
// sources: tools/author/code.c tools/author/livesites.c
// sources: tools/author/body.c tools/author/draft.c tools/author/place.c tools/author/kernel.c tools/author/unpack.c
// sources: tools/author/kallsyms.c tools/author/krelocs.c tools/author/author.c tools/author/escape.c
// sources: tests/unit/author_refuse.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// length: 1024
// quick: 6000
/* Any bytes as a function of the kernel and as the tables around it: a jump that is taken lies inside the function. */
#include "author.h"

#include "author_refuse.h"
#include "redirect.h"
#include "typenames.h"

#include <bpf/btf.h>

/* f, of some number of arguments. */
static const struct btf *types_of_f(unsigned n)
{
	struct btf *btf = btf__new_empty();
	int word = btf__add_int(btf, "long int", 8, BTF_INT_SIGNED);
	btf__add_func_proto(btf, n & 1 ? word : 0);
	for (unsigned i = 0; i < n / 2; i++)
		btf__add_func_param(btf, "x", word);
	btf__add_func(btf, "f", BTF_FUNC_GLOBAL, word + 1);
	return btf;
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	static const uint8_t body[] = {0x31, 0xc0, 0xc3};
	struct recipe_replace replace = {
	        .line = 1, .function.name = (char *)"f", .source = (char *)"f.c", .body = (char *)"f"};
	struct body_symbol symbol = {
	        .name = (char *)"f", .place = {NL_SYM_TEXT, 0}, .size = sizeof(body), .function = true, .global = true};
	const struct btf *types;
	struct body b = {.symbols = &symbol, .n_symbols = 1, .types = &types, .n_objects = 1};
	struct fuzz f = {bytes, size};
	const struct draft_piece *s;
	const struct ksym *at = NULL;
	struct recipe *r;
	struct kernel *k;
	struct draft d;
	uint8_t flags;

	typenames_forget();
	if (setjmp(author_refused))
		return;
	r = xalloc(sizeof(*r));
	r->path = (char *)"r";
	flags = fuzz_byte(&f);
	types = flags & 1 ? types_of_f(flags >> 2) : NULL;
	replace.allow_clones = flags & 2;
	k = fuzz_kernel(&f);
	draft_start(&d);
	buf_add(&d.text, body, sizeof(body));
	redirect_check(k, r, &replace);
	redirect_add(&d, k, r, &replace, &b);
	kallsyms_find(&k->syms, "f", 1, &at);
	s = (const struct draft_piece *)d.sites.p;
	FUZZ_CHECK(d.sites.n >= sizeof(*s) && s->site.kind == NL_SITE_TEXT);
	FUZZ_CHECK(s->func_va == at->va && s->va >= at->va && s->site.len >= 5 && s->site.len <= NL_SITE_MAX_LEN);
	FUZZ_CHECK(s->va + s->site.len <= s->func_va + s->site.func_size && d.bytes.p[s->site.fresh] == 0xe9);
}

/* Short functions of a real kernel, one in some hundreds. */
static void real_functions(const struct kernel *k)
{
	for (size_t i = 0, n = 0; i + 1 < k->syms.n && n < 200; i += 251) {
		uint64_t va = k->syms.sym[i].va, size = k->syms.sym[i + 1].va - va;
		const uint8_t *code = size && size <= 0x100 ? kernel_bytes(k, va, size) : NULL;
		struct buf all = {0}, b;

		if (!code || va < kernel_symbol(k, "_stext") || va >= kernel_symbol(k, "_etext"))
			continue;
		b = fuzz_kernel_seed(code, size, 0, NULL, 0);
		buf_add(&all, "\1", 1);
		buf_add(&all, b.p, b.n);
		fuzz_seed(all.p, all.n);
		n++;
	}
}

void fuzz_seeds(void)
{
	static const struct {
		const char *code;
		size_t n;
	} codes[] = {{"\xb9\x30\x00\x00\x00\xc3", 6},
	             {"\xf3\x0f\x1e\xfa\x0f\x1f\x44\x00\x00\x41\x55\xb9\x30\x00\x00\x00\xc3", 17},
	             {"\x53\x48\x89\xfb\xe8\x00\x00\x00\x00\x75\xf0\x5b\xc3", 13},
	             {"\x48\xc7\xc7\x00\x01\x00\x81\xe9\xf0\xff\xff\xff", 12}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct buf all = {0}, b = fuzz_kernel_seed(codes[i].code, codes[i].n, 0, NULL, 0);

		buf_add(&all, "\1", 1);
		buf_add(&all, b.p, b.n);
		fuzz_seed(all.p, all.n);
	}
	if (getenv("FUZZ_KERNEL") && *getenv("FUZZ_KERNEL"))
		real_functions(kernel_open(getenv("FUZZ_KERNEL")));
}
