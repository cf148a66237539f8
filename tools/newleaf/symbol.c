// SPDX-License-Identifier: Apache-2.0
/* Names of places in the kernel: see symbol.h. */
#include "symbol.h"
#include "text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <newleaf/leaf.h>

#define CHUNK 65536u
#define LONGEST (1u << 20)                /* of a function */
#define LAST_SYMBOL 0xffffffffff000000ULL /* where modules end, mm.rst of Linux; a leaf's own code lies behind it */
#define NOTE_HEADER 16u                   /* of the note with a build-id: three sizes, "GNU" */

const char *symbol_list = "/proc/kallsyms", *symbol_modules = "/proc/modules", *symbol_sysfs = "/sys/module";

static const struct cli_leaf_file *leaves[NL_MAX_LEAVES];
static size_t n_leaves;

void symbol_learn(const struct cli_leaf_file *f)
{
	if (n_leaves < NL_MAX_LEAVES)
		leaves[n_leaves++] = f;
}

/* -- what a leaf's file says -- */

/* Is the module that is loaded the one that the leaf was built for? */
static bool is_loaded(const struct nl_leaf_object *o)
{
	uint8_t note[NOTE_HEADER + NL_BUILD_ID_MAX];
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%.*s/notes/.note.gnu.build-id", symbol_sysfs, NL_OBJECT_NAME_LEN, o->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, note, sizeof(note)) : 0;
	if (fd >= 0)
		close(fd);
	return o->build_id_len <= NL_BUILD_ID_MAX && n == (ssize_t)(NOTE_HEADER + o->build_id_len) &&
	       !memcmp(note + NOTE_HEADER, o->build_id, o->build_id_len);
}

/* Where its code begins; 0: it is not known. proc(5): name, size, users, by whom, state, address. */
static uint64_t module_text(const struct nl_leaf_object *o)
{
	FILE *f = is_loaded(o) ? fopen(symbol_modules, "re") : NULL;
	char *line = NULL;
	uint64_t at = 0;
	size_t room = 0, length = strnlen(o->name, sizeof(o->name));

	while (f && !at && getline(&line, &room, f) > 0)
		if (!strncmp(line, o->name, length) && line[length] == ' ' && strstr(line, " 0x"))
			at = strtoull(strstr(line, " 0x"), NULL, 16);
	free(line);
	if (f)
		fclose(f);
	return at;
}

/* A name of the part of strings, which nobody has looked at before, and how far behind its place. */
static void put_place(struct text *t, const char *name, uint32_t room, uint64_t offset)
{
	snprintf(t->s, sizeof(t->s), "%.*s+0x%" PRIx64, (int)(room < 127 ? room : 127), name, offset);
	for (char *c = t->s; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

static bool by_leaf(struct text *t, uint64_t address, const struct cli_leaf_file *f)
{
	const struct nl_leaf_header *h = (const struct nl_leaf_header *)(const void *)f->bytes;
	const struct nl_leaf_object *objects, *o;
	const struct nl_leaf_site *s;
	const char *strings;
	uint64_t base[NL_LEAF_MAX_OBJECTS] = {0};

	if (f->size < sizeof(*h) || h->objects.count >= NL_LEAF_MAX_OBJECTS || h->sites.count > NL_LEAF_MAX_SITES ||
	    !(objects = cli_leaf_part(f, &h->objects, sizeof(*objects))) ||
	    !(s = cli_leaf_part(f, &h->sites, sizeof(*s))) || !(strings = cli_leaf_part(f, &h->strings, 1)))
		return false;
	for (const struct nl_leaf_site *end = s + h->sites.count; s < end; s++) {
		if (s->kind != NL_SITE_TEXT || !s->func_size || s->object > h->objects.count ||
		    s->region >= NL_MAX_REGIONS || s->name >= h->strings.count)
			continue;
		o = s->object ? &objects[s->object - 1] : &h->target.kernel;
		if (o->regions[s->region].kind != NL_MEM_TEXT)
			continue;
		if (!base[s->object])
			base[s->object] = s->object ? module_text(o) : o->regions[s->region].base + f->report.slide;
		if (!base[s->object] || address - base[s->object] - s->func_offset >= s->func_size)
			continue;
		put_place(t, strings + s->name, h->strings.count - s->name, address - base[s->object] - s->func_offset);
		return true;
	}
	return false;
}

/* -- the kernel's list -- */

static struct {
	int file; /* 0: not yet opened; -1: nothing more comes */
	char *text;
	size_t size, room, parsed;
	bool modules;  /* the kernel's own symbols, which ascend, have all been seen */
	uint64_t last; /* of these */
	struct {
		uint64_t at;
		size_t name; /* in text */
	} * code;            /* functions */
	size_t n, code_room;
} list;

static bool grow(void **p, size_t *room, size_t wanted, size_t each)
{
	size_t more = *room * 2 > wanted ? *room * 2 : wanted;
	void *bigger = wanted > *room ? realloc(*p, more * each) : *p;

	if (bigger && wanted > *room)
		*room = more;
	if (bigger)
		*p = bigger;
	return bigger != NULL;
}

/* "ffffffff81000000 T _stext", and "\t[ext4]" behind a module's. `line` ends with a zero. */
static bool parse(char *line)
{
	char *rest, *end;
	uint64_t at = strtoull(line, &rest, 16);

	if (rest[0] != ' ' || !rest[1] || rest[2] != ' ')
		return true;
	end = strchr(rest, '\t');
	if (end)
		*end = 0;
	list.modules |= end != NULL;
	if (!list.modules)
		list.last = at;
	if (!at || !strchr("tTwW", rest[1]))
		return true;
	if (!grow((void **)&list.code, &list.code_room, list.n + 1, sizeof(*list.code)))
		return false;
	list.code[list.n].at = at;
	list.code[list.n++].name = (size_t)(rest + 3 - list.text);
	return true;
}

static bool read_more(void)
{
	char *end;
	ssize_t n;

	if (!list.file) {
		/* Whoever asked was perhaps before all others so far: for a name he need not be. */
		if (getpriority(PRIO_PROCESS, 0) < 0)
			setpriority(PRIO_PROCESS, 0, 0);
		list.file = open(symbol_list, O_RDONLY | O_CLOEXEC);
	}
	if (list.file < 0 || !grow((void **)&list.text, &list.room, list.size + CHUNK, 1))
		return false;
	n = read(list.file, list.text + list.size, CHUNK);
	if (n <= 0)
		return false;
	list.size += (size_t)n;
	while ((end = memchr(list.text + list.parsed, '\n', list.size - list.parsed))) {
		*end = 0;
		if (!parse(list.text + list.parsed))
			return false;
		list.parsed = (size_t)(end + 1 - list.text);
	}
	return true;
}

static bool by_list(struct text *t, uint64_t address)
{
	const char *name = NULL;
	uint64_t at = 0;

	while (list.file >= 0 && (list.modules || list.last <= address))
		if (!read_more()) {
			if (list.file > 0)
				close(list.file);
			list.file = -1;
		}
	for (size_t i = 0; i < list.n; i++)
		if (list.code[i].at <= address && list.code[i].at >= at) {
			at = list.code[i].at;
			name = list.text + list.code[i].name;
		}
	if (!name || address - at >= LONGEST)
		return false;
	snprintf(t->s, sizeof(t->s), "%.127s+0x%" PRIx64, name, address - at);
	return true;
}

void symbol_forget(void)
{
	n_leaves = 0;
	if (list.file > 0)
		close(list.file);
	free(list.text);
	free(list.code);
	memset(&list, 0, sizeof(list));
}

const char *text_symbol(struct text *t, uint64_t address)
{
	for (size_t i = 0; i < n_leaves; i++)
		if (by_leaf(t, address, leaves[i]))
			return t->s;
	if (!(address >> 63) || address >= LAST_SYMBOL || !by_list(t, address))
		snprintf(t->s, sizeof(t->s), "0x%" PRIx64, address);
	return t->s;
}
