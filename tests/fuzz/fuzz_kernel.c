// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/thunks.c
// sources: tools/author/livesites.c tools/author/code.c
// sources: tests/unit/makekernel.c tools/author/kernel.c tools/author/unpack.c tools/author/kallsyms.c
// sources: tools/author/krelocs.c tools/author/types.c tools/author/linux_target.c tools/author/linux_queues.c
// sources: tools/author/place.c tools/author/author.c tests/unit/author_refuse.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// length: 16384
// quick: 12000
// reader: an image, its kallsyms and BTF
/*
 * Any bytes as a kernel. The first says as which part of it, since what is packed hides the rest: the whole file, the
 * unpacked ELF with its relocation list, symbol tables, or types.
 */
#include "fuzz.h"

#include "author_refuse.h"
#include "linux_target.h"
#include "makekernel.h"
#include "place.h"
#include "types.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <lzma.h>
#include <zlib.h>

enum part { WHOLE, PAYLOAD, SYMBOLS, TYPES, PARTS };

static void use(struct kernel *k)
{
	struct nl_leaf_target t = {0};
	struct nl_leaf_reloc relocs[8];
	uint8_t out[64];

	linux_target_fill(&t, k);
	runtime_bytes(k, MADE_TEXT + 0x200, sizeof(out), out, relocs, 8, "here");
}

static void whole(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	uint64_t end = size;

	memcpy(copy, bytes, size);
	if (size >= 0x250) { /* the size that it unpacks to: no more than a moment's worth */
		uint32_t offset, length;

		memcpy(&offset, copy + 0x248, 4);
		memcpy(&length, copy + 0x24c, 4);
		end = (copy[0x1f1] ? copy[0x1f1] + 1u : 5u) * 512u + (uint64_t)offset + length;
	}
	if (end <= size && end >= 4)
		copy[end - 1] = 0, copy[end - 2] &= 3;
	use(kernel_open(make_file(0, copy, size)));
}

static void payload(const uint8_t *bytes, size_t size)
{
	struct buf b = {(uint8_t *)(uintptr_t)bytes, size, size}, image = make_bzimage(&b, MADE_RELEASE);

	use(kernel_open(make_file(0, image.p, image.n)));
}

static void symbols(const uint8_t *bytes, size_t size)
{
	const struct ksym *found = NULL;
	struct kallsyms s = {0};

	if (!kallsyms_decode(&s, bytes, size, MADE_RODATA))
		return;
	for (size_t i = 0; i < s.n; i++) {
		FUZZ_CHECK(!i || s.sym[i].va >= s.sym[i - 1].va);
		FUZZ_CHECK(kallsyms_find(&s, s.sym[i].name, 1, &found) && !strcmp(found->name, s.sym[i].name));
	}
}

static int silent(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level, (void)format, (void)ap;
	return 0;
}

static void types(const uint8_t *bytes, size_t size)
{
	static const char *const paths[][2] = {{"struct task_struct", "thread.sp"},
	                                       {"struct outer", "list[3]"},
	                                       {"struct outer", "deep"},
	                                       {"struct outer", "list"},
	                                       {"union outer", "x.y"},
	                                       {"struct kprobe", "addr"}};
	struct kernel k = {.path = "vmlinuz", .release = (char *)"6.1"};

	libbpf_set_print(silent);
	k.btf = btf__new(bytes, (uint32_t)size);
	if (libbpf_get_error(k.btf))
		return;
	for (volatile size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct member m;

		if (setjmp(author_refused))
			continue;
		m = member_find(&k, paths[i][0], paths[i][1], "here");
		FUZZ_CHECK(m.offset <= 1u << 24);
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	static void (*const parts[PARTS])(const uint8_t *, size_t) = {whole, payload, symbols, types};
	uint8_t *exact;

	if (!size || setjmp(author_refused))
		return;
	exact = malloc(size); /* aligned as a file in memory is */
	memcpy(exact, bytes + 1, size - 1);
	parts[*bytes % PARTS](exact, size - 1);
}

static void seed(enum part part, const void *bytes, size_t n)
{
	struct buf b = {0};

	buf_add(&b, &(uint8_t){part}, 1);
	buf_add(&b, bytes, n);
	fuzz_seed(b.p, b.n);
}

/* The same kernel, packed by others. */
static void packed(const struct buf *image, const struct buf *elf, bool xz)
{
	struct buf b = {0};
	uint8_t *out = xalloc(elf->n + 4096);
	size_t n = 0;
	uint32_t length;

	if (xz) {
		lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, elf->p, elf->n, out, &n, elf->n + 4096);
	} else {
		z_stream z = {.next_in = elf->p, .avail_in = (unsigned)elf->n, .next_out = out};

		z.avail_out = (unsigned)elf->n + 4096;
		deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
		deflate(&z, Z_FINISH);
		n = z.total_out;
		deflateEnd(&z);
	}
	buf_add(&b, image->p, 0x600);
	buf_add(&b, out, n);
	buf_add(&b, &(uint32_t){(uint32_t)elf->n}, 4);
	length = (uint32_t)n + 4;
	memcpy(b.p + 0x24c, &length, 4);
	seed(WHOLE, b.p, b.n);
}

void fuzz_seeds(void)
{
	struct made_section s[MADE_S_COUNT];
	struct buf elf, image;

	make_sections(s);
	seed(SYMBOLS, s[MADE_S_RODATA].bytes.p, s[MADE_S_RODATA].bytes.n);
	seed(TYPES, s[MADE_S_BTF].bytes.p, s[MADE_S_BTF].bytes.n);
	s[MADE_S_TEXT].bytes.n = 0x300;
	s[MADE_S_DATA].bytes.n = 0x100; /* the rest is zeroes */
	elf = make_payload(s, MADE_S_COUNT);
	seed(PAYLOAD, elf.p, elf.n);
	image = make_bzimage(&elf, MADE_RELEASE);
	seed(WHOLE, image.p, image.n);
	packed(&image, &elf, false);
	packed(&image, &elf, true);
	s[MADE_S_NOTES].type = SHT_NOBITS;
	elf = make_payload(s, MADE_S_COUNT);
	seed(PAYLOAD, elf.p, elf.n);
}
