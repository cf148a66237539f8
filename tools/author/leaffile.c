// SPDX-License-Identifier: Apache-2.0
/* Reads a leaf through the hypervisor's parser, and then through what the hypervisor leaves to us. */
#include "leaffile.h"
#include "keys.h"
#include "leafcheck.h"

struct leaffile leaffile_parse(struct buf file, const char *path)
{
	struct leaffile l = {.file = file};
	const char *what;
	enum nl_err err = nl_leaf_split(file.p, file.n, &l.signed_size);

	if (!err)
		err = nl_signatures_find(file.p + l.signed_size, file.n - l.signed_size, &l.signatures,
		                         &l.n_signatures);
	if (err && err != NL_EUNSIGNED)
		refuse(err, "%s: no leaf of format %u, or cut short", path, NL_LEAF_FORMAT);
	err = nl_leaf_parse(file.p, l.signed_size, &l.leaf);
	if (err)
		refuse(err, "%s: the parser of the hypervisor refuses it", path);
	err = leafcheck(&l.leaf, &what);
	if (err)
		refuse(err, "%s, %s: no leaf is like that", path, what);
	l.strings = (const char *)file.p + l.leaf.header->strings.offset;
	digest_of(file.p, l.signed_size, l.digest);
	return l;
}

struct leaffile leaffile_read(const char *path) { return leaffile_parse(file_read(path, NL_LEAF_MAX_SIZE), path); }

uint64_t leaffile_site_va(const struct leaffile *l, const struct nl_leaf_site *s)
{
	return leafcheck_va(&l->leaf, s->object, s->region, s->offset);
}

const char *leaffile_site_place(const struct leaffile *l, const struct nl_leaf_site *s)
{
	const char *name = l->strings + s->name;

	return s->kind == NL_SITE_TEXT ? xformat("%s+%#x", name, s->offset - s->func_offset) : xformat("%s", name);
}
