// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c tools/author/modules.c tools/author/module.c tools/author/module_layout.c
// sources: tools/author/module_relocs.c
// sources: tools/author/nearby.c tools/author/aliases.c tools/author/types.c
// sources: tools/author/elsewhere.c
// sources: tools/author/thunks.c tools/author/branches.c tools/author/oldhash.c tools/newleaf/sha256.c
// sources: tests/fuzz/author.c tests/unit/makekernel.c tools/author/body.c tools/author/redirect.c
// sources: tools/author/counter.c tools/author/types.c
// sources: tools/author/body_types.c tools/author/compare_types.c tools/author/note.c
// sources: tools/author/contract.c tools/author/watch.c tools/author/stub.c tools/author/typenames.c
// sources: tools/author/code.c tools/author/livesites.c tools/author/draft.c tools/author/place.c
// sources: tools/author/kernel.c tools/author/unpack.c tools/author/kallsyms.c tools/author/krelocs.c
// sources: tools/author/author.c tools/author/escape.c tests/unit/author_refuse.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// length: 4096
// quick: 12000
// reader: an object
/* Any bytes as an object file, its types among them: the body of a function that is replaced by what it defines. */
#include "author.h"

#include "author_refuse.h"
#include "body_types.h"
#include "makekernel.h"
#include "redirect.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <elf.h>

static void check(const struct draft *d, const struct body *b)
{
	const struct nl_leaf_reloc *r = (const struct nl_leaf_reloc *)d->relocs.p;

	FUZZ_CHECK(d->text.n + d->data.n <= 2 * NL_LEAF_MAX_SIZE);
	for (size_t i = 0; i < d->relocs.n / sizeof(*r); i++) {
		size_t n = r[i].where == NL_AT_TEXT ? d->text.n : d->data.n;

		FUZZ_CHECK(r[i].where == NL_AT_BYTES || r[i].offset + (r[i].type == NL_REL_ABS64 ? 8 : 4) <= n);
	}
	for (size_t i = 0; i < b->n_symbols; i++)
		if (b->symbols[i].place.symbol == NL_SYM_TEXT)
			FUZZ_CHECK(b->symbols[i].place.value + b->symbols[i].size <= d->text.n);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct recipe_replace replace = {
	        .line = 1, .function.name = (char *)"f", .source = (char *)"f.c", .body = (char *)"f"};
	char *path = (char *)(uintptr_t)make_file(0, bytes, size);
	struct fuzz nothing = {0};
	struct buf types;
	struct recipe *r;
	struct kernel *k;
	struct body *b;
	struct draft d;

	typenames_forget();
	if (setjmp(author_refused))
		return;
	r = xalloc(sizeof(*r));
	r->path = (char *)"r";
	k = fuzz_kernel(&nothing);
	types = make_types(false);
	k->btf = btf__new(types.p, (uint32_t)types.n);
	r->n_source = 1;
	r->source[0] = replace.source;
	r->n_replace = 1;
	r->allow[0] = size & 1 ? ALLOW_TYPES : 0;
	r->replace[0] = replace;
	draft_start(&d);
	b = body_load(&d, k, r, &path, 1);
	check(&d, b);
	body_types_check(&d, k, r, b);
	redirect_add(&d, k, r, &replace, b);
	check(&d, b);
	draft_finish(&d);
}

void fuzz_seeds(void)
{
	struct made_section s[MADE_O_COUNT];
	struct buf b;

	make_object(s);
	b = make_elf(ET_REL, s, MADE_O_COUNT);
	fuzz_seed(b.p, b.n);
	((Elf64_Rela *)s[MADE_O_RELA].bytes.p)[3].r_addend = INT64_MAX; /* the sum wraps */
	b = make_elf(ET_REL, s, MADE_O_COUNT);
	fuzz_seed(b.p, b.n);
	s[MADE_O_RELA].bytes.n = 0;
	b = make_elf(ET_REL, s, MADE_O_COUNT);
	fuzz_seed(b.p, b.n);
}
