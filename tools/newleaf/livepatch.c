// SPDX-License-Identifier: Apache-2.0
/*
 * See livepatch.h. The kernel shows them as /sys/kernel/livepatch/PATCH/OBJECT/FUNCTION,N (Documentation/ABI/testing/
 * sysfs-kernel-livepatch): of several functions of one name N says which, and a leaf is taken to mean any of them.
 */
#include "livepatch.h"
#include "cli.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include <newleaf/leaf.h>

const char *cli_livepatch_dir = "/sys/kernel/livepatch";

static bool enabled(const char *name)
{
	char path[512];
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "%s/%.255s/enabled", cli_livepatch_dir, name);
	f = fopen(path, "re");
	c = f ? getc(f) : '0';
	if (f)
		fclose(f);
	return c == '1';
}

/* The next folder in one, or NULL. */
static const char *next_folder(DIR *d)
{
	const struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			return e->d_name;
	return NULL;
}

static DIR *open_folder(const char *patch, const char *object)
{
	char path[800];

	snprintf(path, sizeof(path), "%s/%.255s/%.255s", cli_livepatch_dir, patch, object);
	return opendir(path);
}

static bool each_function(struct livepatch *l, bool (*visit)(const struct livepatch *l, void *arg), void *arg)
{
	DIR *d = open_folder(l->name, l->object);
	const char *name;
	bool more = true;

	while (more && (name = next_folder(d))) {
		snprintf(l->function, sizeof(l->function), "%.*s", (int)strcspn(name, ","), name);
		more = visit(l, arg);
	}
	if (d)
		closedir(d);
	return more;
}

void livepatch_each(bool (*visit)(const struct livepatch *l, void *arg), void *arg)
{
	DIR *patches = opendir(cli_livepatch_dir), *objects;
	const char *patch, *object;
	bool more = true;

	while (more && (patch = next_folder(patches))) {
		struct livepatch l;

		if (!enabled(patch))
			continue;
		snprintf(l.name, sizeof(l.name), "%s", patch);
		objects = open_folder(patch, "");
		while (more && (object = next_folder(objects))) {
			snprintf(l.object, sizeof(l.object), "%s", object);
			more = each_function(&l, visit, arg);
		}
		if (objects)
			closedir(objects);
	}
	if (patches)
		closedir(patches);
}

struct meeting {
	const uint8_t *leaf;
	size_t size;
	struct livepatch *out;
	bool met;
};

/* The text at an offset of a part, or "". */
static const char *text_at(const struct meeting *m, const struct nl_leaf_part *part, uint32_t offset)
{
	uint64_t at = (uint64_t)part->offset + offset;

	return at < m->size && memchr(m->leaf + at, 0, m->size - at) ? (const char *)m->leaf + at : "";
}

static bool is_site(const struct meeting *m, const struct livepatch *l, const struct nl_leaf_site *s)
{
	const struct nl_leaf_header *h = (const void *)m->leaf;
	const struct nl_leaf_object *o = (const void *)(m->leaf + h->objects.offset);
	const char *name = text_at(m, &h->strings, s->name);
	size_t n = strlen(l->function);

	if (s->kind != NL_SITE_TEXT || s->object > h->objects.count)
		return false;
	return !strcmp(l->object, s->object ? o[s->object - 1].name : "vmlinux") && !strncmp(name, l->function, n) &&
	       (!name[n] || name[n] == ',');
}

static bool compare(const struct livepatch *l, void *arg)
{
	struct meeting *m = arg;
	const struct nl_leaf_header *h = (const void *)m->leaf;
	const struct nl_leaf_site *sites = (const void *)(m->leaf + h->sites.offset);

	for (uint32_t i = 0; i < h->sites.count && !m->met; i++)
		m->met = is_site(m, l, &sites[i]);
	if (m->met)
		*m->out = *l;
	return !m->met;
}

static bool inside(const struct nl_leaf_part *p, size_t element, size_t size)
{
	return p->offset % 8 == 0 && p->offset <= size && p->count <= (size - p->offset) / element;
}

bool livepatch_meets(const uint8_t *leaf, size_t size, struct livepatch *out)
{
	const struct nl_leaf_header *h = (const void *)leaf;
	struct meeting m = {.leaf = leaf, .size = size, .out = out};

	if (size >= sizeof(*h) && inside(&h->sites, sizeof(struct nl_leaf_site), size) &&
	    inside(&h->objects, sizeof(struct nl_leaf_object), size))
		livepatch_each(compare, &m);
	return m.met;
}
