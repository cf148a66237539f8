// SPDX-License-Identifier: Apache-2.0
/* Which modules there are, read when somebody asks for one, and how each sees the kernel. See modules.h. */
#define _GNU_SOURCE
#include "modules.h"
#include "unpack.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES_MAX 65536u
#define DEPTH 16

static struct modules *filling;

/* "ext4" of "/x/ext4.ko.xz"; NULL: it is no module's. */
static char *name_of(const char *path)
{
	static const char *const ends[] = {".ko", ".ko.xz", ".ko.zst", ".ko.gz"};
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char *name;

		if (!ends_with(base, ends[i]) || strlen(base) == strlen(ends[i]))
			continue;
		name = xformat("%.*s", (int)(strlen(base) - strlen(ends[i])), base);
		for (char *p = name; *p; p++)
			*p = *p == '-' ? '_' : *p;
		return name;
	}
	return NULL;
}

static void add_file(const char *path)
{
	struct modules *all = filling;
	char *name = name_of(path);

	if (!name)
		return;
	if (all->n == FILES_MAX)
		refuse(NL_EENVIRONMENT, "more than %u modules", FILES_MAX);
	if (all->n == all->room) {
		struct modules_file *more = xalloc((all->room = all->room * 2 + 64) * sizeof(*more));

		if (all->n)
			memcpy(more, all->file, all->n * sizeof(*more));
		free(all->file);
		all->file = more;
	}
	all->file[all->n++] = (struct modules_file){xformat("%s", path), name, NULL};
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)where;
	if (kind == FTW_F && S_ISREG(st->st_mode)) /* to ftw pipes and devices are files, too */
		add_file(path);
	return 0;
}

/* An unpacked package, or many, or /lib/modules: what is there of this kernel. Else the directory as it is. */
static char *of_release(const struct kernel *k, const char *directory)
{
	static const char *const below[] = {"/lib/modules/", "/usr/lib/modules/", "/", "/*/lib/modules/",
	                                    "/*/usr/lib/modules/"};
	char *found = NULL;
	glob_t g;

	for (size_t i = 0; !found && i < sizeof(below) / sizeof(below[0]); i++) {
		if (glob(xformat("%s%s%s", directory, below[i], k->release), GLOB_NOSORT, NULL, &g))
			continue;
		found = xformat("%s", g.gl_pathv[0]);
		globfree(&g);
	}
	return found ? found : xformat("%s", directory);
}

void modules_add(struct kernel *k, const char *path)
{
	struct stat st;
	size_t before;

	if (!k->modules) {
		k->modules = xalloc(sizeof(*k->modules));
		k->modules->next = MODULE_SPACE;
	}
	before = k->modules->n;
	filling = k->modules;
	if (stat(path, &st))
		refuse(NL_EENVIRONMENT, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		add_file(path);
	else if (nftw(of_release(k, path), visit, DEPTH, FTW_PHYS))
		refuse(NL_EENVIRONMENT, "cannot read all of %s: %s", path, strerror(errno));
	if (k->modules->n == before)
		refuse(NL_EENVIRONMENT, "%s: no module (.ko, .ko.xz, .ko.zst, .ko.gz) is there", path);
}

void modules_give(struct modules_given *g, const char *path)
{
	if (g->n == MODULES_GIVEN_MAX)
		refuse(NL_EUSAGE, "-M may be given %u times; a directory stands for all that is in it",
		       MODULES_GIVEN_MAX);
	g->path[g->n++] = path;
}

struct kernel *kernel_open_with(const char *kernel, const struct modules_given *g)
{
	struct kernel *k = kernel_open(kernel);

	for (size_t i = 0; i < g->n; i++)
		modules_add(k, g->path[i]);
	return k;
}

static const struct module *read_given(const struct kernel *k, struct modules_file *g)
{
	const struct kernel *image = k->image ? k->image : k;

	if (!g->read) {
		g->read = module_read(image, g->path, k->modules->next);
		k->modules->next = g->read->end;
		if (g->read->end >= MODULE_SPACE_END)
			refuse(NL_EENVIRONMENT, "more modules than fit into the gigabyte that Linux has for them");
		if (strcmp(g->read->name, g->name))
			refuse(NL_EKERNEL, "%s says that it is %s", g->path, g->read->name);
	}
	return g->read;
}

/* Nobody has named it: in a directory that all may write to, as /tmp, anybody can put it beside the kernel's. */
static void check_owner(const struct kernel *k, const char *path)
{
	struct stat modules, kernel;

	if (stat(path, &modules) || stat(k->path, &kernel))
		refuse(NL_EENVIRONMENT, "cannot read %s: %s", path, strerror(errno));
	if (modules.st_uid && modules.st_uid != geteuid() && modules.st_uid != kernel.st_uid)
		refuse(NL_EENVIRONMENT,
		       "the modules in %s belong to somebody else than the kernel file: give by -M those to take",
		       path);
}

/* Below the directory in which the kernel's own is: boot/vmlinuz-R and lib/modules/R; since 7.x both in the latter. */
static void look_beside(struct kernel *k)
{
	const char *slash = strrchr(k->path, '/');
	char *directory = slash ? xformat("%.*s", (int)(slash - k->path), k->path) : xformat(".");
	char *path = xformat("%s/../lib/modules/%s", directory, k->release);

	if (!file_exists(
	            path)) /* the kernel lies there itself, or its package was unpacked beside that of the modules */
		path = directory;
	if (!file_exists(xformat("%s/kernel", path)))
		return;
	check_owner(k, path);
	modules_add(k, path);
	k->modules->beside = true;
	fprintf(stderr, "modules: those in %s\n", escape(path, FOR_TERMINAL));
}

const struct module *module_named(const struct kernel *k, const char *name)
{
	char *plain = xformat("%s", name);
	struct modules_file *found = NULL;

	for (char *p = plain; *p; p++)
		*p = *p == '-' ? '_' : *p;
	if (!k->modules && !k->module)
		look_beside((struct kernel *)(uintptr_t)k);
	for (size_t i = 0; k->modules && i < k->modules->n; i++) {
		struct modules_file *g = &k->modules->file[i];

		if (strcmp(g->name, plain))
			continue;
		if (found)
			refuse(NL_EENVIRONMENT, "%s and %s are both the module %s: give one of them by -M", found->path,
			       g->path, plain);
		found = g;
	}
	return found ? read_given(k, found) : NULL;
}

static bool defines(const struct module *m, const char *symbol)
{
	for (size_t i = 1; i < m->n_symbols; i++)
		if (m->symbols[i].section && !strcmp(m->symbols[i].name, symbol))
			return true;
	return false;
}

size_t modules_with(const struct kernel *k, const char *symbol, const struct module **found, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; k->modules && i < k->modules->n; i++) {
		struct modules_file *g = &k->modules->file[i];

		if (!g->read) { /* a quick look, for there are thousands */
			struct buf file = unpack_module(g->path);
			bool may = memmem(file.p, file.n, symbol, strlen(symbol) + 1) != NULL;

			free(file.p);
			if (!may)
				continue;
		}
		if (!defines(read_given(k, g), symbol))
			continue;
		if (n++ < max)
			found[n - 1] = g->read;
	}
	return n;
}

/* Whom it names in .modinfo, one after the other; NULL = no more. */
static const struct module *dependency(const struct module *m, size_t nth)
{
	const char *p = module_info(m, "depends");

	for (; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (!nth--) {
			char *name = xformat("%.*s", (int)strcspn(p, ","), p);
			const struct module *d = module_named(m->k, name);

			if (!d)
				refuse(NL_ETARGET, "%s needs the module %s: give its file, too, by -M", m->path, name);
			return d;
		}
	return NULL;
}

/* What the image exports by a name: the entry in its table says where. 0 = it does not. */
static uint64_t image_export(const struct kernel *k, const char *name)
{
	uint64_t entry = kernel_symbol_or_0(k, xformat("__ksymtab_%s", name));
	const uint8_t *p = entry ? kernel_bytes(k, entry, 4) : NULL;
	int32_t distance;

	if (!p)
		return 0;
	memcpy(&distance, p, 4);
	return entry + (uint64_t)(int64_t)distance;
}

/* resolve_symbol(): the image first, then the modules. */
static uint64_t linked_to(const struct module *m, const char *name)
{
	const struct module *d;
	uint64_t va = image_export(m->k, name);

	if (va || kernel_symbol_or_0(m->k, xformat("__ksymtab_%s", name))) /* a variable of each CPU may be at 0 */
		return va;
	for (size_t i = 0; !va && (d = dependency(m, i)); i++)
		va = module_export(d, name);
	if (!va)
		refuse(NL_ETARGET, "%s needs %s, which neither %s exports nor a module that it depends on", m->path,
		       name, m->k->release);
	return va;
}

static const struct ksym *sorting;

static int by_name(const void *a, const void *b)
{
	const struct ksym *x = &sorting[*(const uint32_t *)a], *y = &sorting[*(const uint32_t *)b];
	int order = strcmp(x->name, y->name);

	return order ? order : x->va < y->va ? -1 : x->va > y->va;
}

static int by_va(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	return x->va != y->va ? (x->va < y->va ? -1 : 1) : strcmp(x->name, y->name);
}

/* A name for people and for the kernel's own tables; not what the assembler has made up. */
static bool is_named(const struct module_symbol *s)
{
	return s->section && *s->name && strncmp(s->name, ".L", 2) && *s->name != '$';
}

/* Both lists are in order. What the first names, the second does not name anew. Returns how many are in out. */
static size_t merge_names(const struct ksym *sym, const uint32_t *first, size_t n, const uint32_t *second,
                          size_t n_second, uint32_t *out)
{
	size_t i = 0, j = 0, all = 0;

	while (i < n || j < n_second) {
		int order = i == n ? 1 : j == n_second ? -1 : strcmp(sym[first[i]].name, sym[second[j]].name);

		if (order <= 0) {
			const char *name = sym[first[i]].name;

			while (j < n_second && !strcmp(sym[second[j]].name, name))
				j++;
			out[all++] = first[i++];
		} else {
			out[all++] = second[j++];
		}
	}
	return all;
}

/* The symbol of that name and place, among all. */
static uint32_t number_of(const struct kallsyms *all, const char *name, uint64_t va)
{
	const struct ksym *s = kallsyms_at(all, va);

	for (; s && s >= all->sym && s->va == va; s--)
		if (!strcmp(s->name, name))
			return (uint32_t)(s - all->sym);
	return UINT32_MAX;
}

/* Three groups of names, each of which comes before the next: the module's own with what it is linked to, the image's,
 * and what others export. */
static void name_symbols(struct kallsyms *all, const struct module *m, size_t n_image)
{
	const struct kallsyms *image = &m->k->syms;
	size_t room = all->n + m->n_symbols, n = 0, n_rest = 0, n_both;
	uint32_t *own = xalloc(room * sizeof(*own)), *rest = xalloc(all->n * sizeof(*rest)),
	         *both = xalloc(room * sizeof(*both)), *names = xalloc(room * sizeof(*names));

	for (uint32_t i = (uint32_t)n_image; i < all->n; i++) {
		const struct module *of = module_at(m->k, all->sym[i].va);

		if (of == m)
			own[n++] = i;
		else if (of && module_export(of, all->sym[i].name) == all->sym[i].va)
			rest[n_rest++] = i;
	}
	for (size_t i = 1; i < m->n_symbols; i++) {
		uint32_t number = m->symbols[i].undefined && *m->symbols[i].name
		                          ? number_of(all, m->symbols[i].name, linked_to(m, m->symbols[i].name))
		                          : UINT32_MAX;

		if (number != UINT32_MAX)
			own[n++] = number;
	}
	sorting = all->sym;
	qsort(own, n, sizeof(*own), by_name);
	qsort(rest, n_rest, sizeof(*rest), by_name);
	n_both = merge_names(all->sym, own, n, image->by_name, image->n - image->n_hidden, both);
	all->n_hidden = all->n - merge_names(all->sym, both, n_both, rest, n_rest, names);
	all->by_name = names;
	free(own);
	free(rest);
	free(both);
}

static void add_symbols(struct ksym *out, size_t *n, const struct module *m)
{
	for (size_t i = 1; i < m->n_symbols; i++) {
		const struct module_symbol *s = &m->symbols[i];

		if (is_named(s))
			out[(*n)++] = (struct ksym){s->va, s->name,
			                            s->function ? s->global ? 'T' : 't'
			                            : s->global ? 'D'
			                                        : 'd'};
	}
}

/* The image's numbers stay; those of modules follow, by address. */
static struct kallsyms all_symbols(const struct module *m)
{
	const struct kallsyms *image = &m->k->syms;
	const struct module *d;
	struct kallsyms all = {0};
	size_t room = image->n + m->n_symbols;

	for (size_t i = 0; (d = dependency(m, i)); i++)
		room += d->n_symbols;
	all.sym = xalloc(room * sizeof(*all.sym));
	memcpy(all.sym, image->sym, image->n * sizeof(*all.sym));
	all.n = image->n;
	if (all.n && all.sym[all.n - 1].va >= MODULE_SPACE)
		refuse(NL_EKERNEL, "%s has symbols where Linux has modules", m->k->path);
	add_symbols(all.sym, &all.n, m);
	for (size_t i = 0; (d = dependency(m, i)); i++)
		add_symbols(all.sym, &all.n, d);
	qsort(all.sym + image->n, all.n - image->n, sizeof(*all.sym), by_va);
	name_symbols(&all, m, image->n);
	return all;
}

/* btf__new_split() is missing in the library of Debian 12. */
static struct btf *split_types(const uint8_t *bytes, uint64_t size, struct btf *base)
{
	int fd = memfd_create("types", MFD_CLOEXEC);
	struct btf *types;

	for (uint64_t done = 0; done < size;) {
		ssize_t n = write(fd, bytes + done, size - done);

		if (n <= 0)
			refuse(NL_EENVIRONMENT, "cannot write to memory: %s", strerror(errno));
		done += (uint64_t)n;
	}
	types = btf__parse_raw_split(xformat("/proc/self/fd/%d", fd), base);
	close(fd);
	return types;
}

/* Its types are said by their difference to the image's. Until 5.11 modules had none. */
static struct btf *read_types(const struct module *m)
{
	struct btf *own = NULL;

	for (size_t i = 1; i < m->n_sections && !own; i++) {
		const struct module_section *s = &m->sections[i];

		if (!strcmp(s->name, ".BTF.base"))
			refuse(NL_EUNSUPPORTED, "%s: its types are not made for this kernel alone (.BTF.base)",
			       m->path);
		if (strcmp(s->name, ".BTF") || !s->bytes)
			continue;
		own = split_types(s->bytes, s->size, m->k->btf);
		if (libbpf_get_error(own))
			refuse(NL_EKERNEL, "%s: its types (.BTF) are not understood", m->path);
	}
	return own ? own : m->k->btf;
}

const struct btf *module_types(const struct module *m)
{
	if (!m->types)
		((struct module *)(uintptr_t)m)->types = read_types(m);
	return m->types;
}

/* Where they are, and what they are; what they hold is not this module's. */
static void add_sections(struct kernel *v, const struct module *d)
{
	for (size_t i = 1; i < d->n_sections; i++) {
		const struct module_section *s = &d->sections[i];

		if (s->memory != MODULE_NOWHERE)
			v->sections[v->n_sections++] =
			        (struct ksection){s->name, s->va, s->size, NULL, (s->flags & SHF_EXECINSTR) != 0, s};
	}
}

static const struct kernel *make_view(const struct module *m)
{
	const struct kernel *k = m->k;
	struct kernel *v = xalloc(sizeof(*v));
	size_t n, room = k->n_sections + m->n_sections;
	const struct module *d;
	struct krelocs own;

	*v = *k;
	v->image = k;
	v->module = m;
	for (size_t i = 0; (d = dependency(m, i)); i++)
		room += d->n_sections;
	v->sections = xalloc(room * sizeof(*v->sections));
	memcpy(v->sections, k->sections, k->n_sections * sizeof(*v->sections));
	module_relocate(m, linked_to, v->sections + k->n_sections, &n, &own);
	v->n_sections = k->n_sections + n;
	for (size_t i = 0; (d = dependency(m, i)); i++)
		add_sections(v, d);
	v->relocs.rel = xalloc((k->relocs.n + own.n + 1) * sizeof(struct krel));
	if (k->relocs.n)
		memcpy(v->relocs.rel, k->relocs.rel, k->relocs.n * sizeof(struct krel));
	if (own.n)
		memcpy(v->relocs.rel + k->relocs.n, own.rel, own.n * sizeof(struct krel));
	v->relocs.n = k->relocs.n + own.n;
	v->syms = all_symbols(m);
	v->btf = (struct btf *)(uintptr_t)module_types(m);
	return v;
}

const struct kernel *module_view(const struct kernel *k, const struct module *m)
{
	if (!m)
		return k->image ? k->image : k;
	if (module_info(m, "livepatch")) /* it is laid out otherwise, and names what it patches by tables of its own */
		refuse(NL_EUNSUPPORTED, "%s is a live patch of the kernel's own kind, which no leaf changes", m->path);
	if (!m->view)
		((struct module *)(uintptr_t)m)->view = make_view(m);
	return m->view;
}

const struct kernel *view_at(const struct kernel *k, uint64_t va) { return module_view(k, module_at(k, va)); }
