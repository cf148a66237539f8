// SPDX-License-Identifier: Apache-2.0
/* Opens a bzImage as a kernel: the stripped ELF inside, and everything that can be read from it without debug symbols.
 */
#include "kernel.h"
#include "unpack.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <gelf.h>
#include <string.h>

static void read_sections(struct kernel *k, struct buf *payload)
{
	size_t names, n;
	GElf_Ehdr eh;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)payload->p, payload->n);
	if (!elf || !gelf_getehdr(elf, &eh) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || elf_getshdrnum(elf, &n) || elf_getshdrstrndx(elf, &names))
		refuse(NL_EKERNEL, "%s: no ELF of 64 bits inside", k->path);
	k->sections = xalloc(n * sizeof(*k->sections));
	for (size_t i = 0; i < n; i++) {
		Elf_Scn *scn = elf_getscn(elf, i);
		GElf_Shdr sh;
		const char *name;

		if (!scn || !gelf_getshdr(scn, &sh) || !(sh.sh_flags & SHF_ALLOC))
			continue;
		name = elf_strptr(elf, names, sh.sh_name);
		if (sh.sh_type != SHT_NOBITS && (sh.sh_offset > payload->n || sh.sh_size > payload->n - sh.sh_offset))
			refuse(NL_EKERNEL, "%s: section %s lies outside the file", k->path, name ? name : "?");
		if (sh.sh_addr + sh.sh_size < sh.sh_addr)
			refuse(NL_EKERNEL, "%s: section %s ends beyond the last address", k->path, name ? name : "?");
		k->sections[k->n_sections++] =
		        (struct ksection){name ? name : "",
		                          sh.sh_addr,
		                          sh.sh_size,
		                          sh.sh_type == SHT_NOBITS ? NULL : payload->p + sh.sh_offset,
		                          (sh.sh_flags & SHF_EXECINSTR) != 0,
		                          NULL};
	}
}

static void read_relocs(struct kernel *k, const struct buf *payload)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)payload->p;
	uint64_t end = eh->e_shoff + (uint64_t)eh->e_shnum * eh->e_shentsize;

	if (eh->e_shoff > payload->n || end > payload->n ||
	    !krelocs_decode(&k->relocs, payload->p + end, payload->n - end))
		refuse(NL_EKERNEL, "%s: no relocation list behind the ELF; was it built without CONFIG_RANDOMIZE_BASE?",
		       k->path);
}

/*
 * A list taken for one of another form would say of most fields that they move otherwise. Each 64-bit field holds an
 * address of the image, but for some hundred that hold one from where it is loaded (page tables) or of nothing.
 */
static void check_relocs(const struct kernel *k)
{
	uint64_t start = kernel_symbol(k, "_text"), end = kernel_symbol(k, "_end");
	size_t all = 0, inside = 0;

	for (size_t i = 0; i < k->relocs.n; i++) {
		const struct krel *r = &k->relocs.rel[i];
		const uint8_t *p = r->kind == KREL_64 ? kernel_bytes(k, r->va, 8) : NULL;
		uint64_t v;

		if (!p) /* the per-CPU variables' first copy is linked to 0 until 6.14 */
			continue;
		memcpy(&v, p, 8);
		all++;
		inside += v >= start && v <= end;
	}
	if (inside < all - all / 16)
		refuse(NL_EKERNEL, "%s: only %zu of %zu fields of the relocation list hold an address of the image",
		       k->path, inside, all);
}

static void read_build_id(struct kernel *k)
{
	const struct ksection *s = kernel_section(k, ".notes");

	for (size_t at = 0; s && s->bytes && at + sizeof(Elf64_Nhdr) <= s->size;) {
		size_t name = at + sizeof(Elf64_Nhdr), desc;
		Elf64_Nhdr note;

		memcpy(&note, s->bytes + at, sizeof(note));
		desc = name + (((size_t)note.n_namesz + 3) & ~(size_t)3);
		at = desc + (((size_t)note.n_descsz + 3) & ~(size_t)3);
		if (at > s->size)
			break;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp(s->bytes + name, "GNU", 4))
			continue;
		if (note.n_descsz < 8 || note.n_descsz > sizeof(k->build_id))
			break;
		memcpy(k->build_id, s->bytes + desc, note.n_descsz);
		k->build_id_len = note.n_descsz;
		k->build_id_va = s->va + desc;
		return;
	}
	refuse(NL_EKERNEL, "%s: no build-id note", k->path);
}

static void read_symbols(struct kernel *k)
{
	for (size_t i = 0; i < k->n_sections; i++) {
		const struct ksection *s = &k->sections[i];

		if (s->bytes &&
		    (!strcmp(s->name, ".rodata") || !strcmp(s->name, ".init.data") || !strcmp(s->name, ".data")) &&
		    kallsyms_decode(&k->syms, s->bytes, s->size, s->va))
			return;
	}
	refuse(NL_EKERNEL, "%s: no kallsyms tables found; CONFIG_KALLSYMS and CONFIG_KALLSYMS_ALL are needed", k->path);
}

static int silent(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level, (void)format, (void)ap;
	return 0;
}

static void read_types(struct kernel *k)
{
	const struct ksection *s = kernel_section(k, ".BTF");

	libbpf_set_print(silent);
	if (!s || !s->bytes)
		refuse(NL_EKERNEL, "%s: no .BTF section; CONFIG_DEBUG_INFO_BTF is needed", k->path);
	k->btf = btf__new(s->bytes, (uint32_t)s->size);
	if (libbpf_get_error(k->btf))
		refuse(NL_EKERNEL, "%s: the .BTF section is not understood", k->path);
}

struct kernel *kernel_open(const char *path)
{
	struct kernel *k = xalloc(sizeof(*k));
	struct unpacked u = unpack_kernel(path);

	k->path = path;
	k->release = u.release;
	read_sections(k, &u.payload);
	read_relocs(k, &u.payload);
	read_build_id(k);
	read_symbols(k);
	check_relocs(k);
	read_types(k);
	return k;
}

const uint8_t *kernel_bytes(const struct kernel *k, uint64_t va, size_t n)
{
	for (size_t i = 0; i < k->n_sections; i++) {
		const struct ksection *s = &k->sections[i];

		if (s->bytes && va >= s->va && va - s->va < s->size && n <= s->size - (va - s->va))
			return s->bytes + (va - s->va);
	}
	return NULL;
}

const struct ksection *kernel_section(const struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->n_sections; i++)
		if (!strcmp(k->sections[i].name, name))
			return &k->sections[i];
	return NULL;
}

static const struct kernel *image_of(const struct kernel *k) { return k->image ? k->image : k; }

uint64_t kernel_symbol_or_0(const struct kernel *k, const char *name)
{
	const struct ksym *s = NULL;
	size_t n = kallsyms_find(&image_of(k)->syms, name, 1, &s);

	if (n > 1)
		refuse(NL_ETARGET, "%s names %zu different places of %s", name, n, k->release);
	return n ? s->va : 0;
}

uint64_t kernel_symbol(const struct kernel *k, const char *name)
{
	const struct ksym *s;

	if (!kallsyms_find(&image_of(k)->syms, name, 1, &s))
		refuse(NL_ETARGET, "%s has no symbol %s", k->release, name);
	return kernel_symbol_or_0(k, name);
}
