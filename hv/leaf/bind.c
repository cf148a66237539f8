// SPDX-License-Identifier: Apache-2.0
/* Binding of objects: see bind.h. */
#include "leaf/bind.h"
#include "leaf/leaf.h"
#include "leaf/room.h"
#include "core/core.h"
#include "view/base.h"

enum nl_err nl_bind_begin(struct nl_entry *e, const struct nl_leaf *leaf, size_t signed_size)
{
	const struct nl_leaf_header *h = leaf->header;
	uint32_t i;

	e->n_objects = h->objects.count + 1;
	e->state.sites = e->n_sites = h->sites.count;
	for (i = 0; i < e->n_sites; i++) {
		const struct nl_leaf_site *s = &leaf->sites[i];

		e->sites[i].object = s->object;
		e->sites[i].size = s->len;
		if (s->object)
			e->sites[i].run =
			        (uint64_t)leaf->modules[s->object - 1].regions[s->region].pointer_at << 32 | s->offset;
	}
	if (!h->objects.count)
		return NL_OK;
	e->facts.n_modules = h->objects.count;
	for (i = 0; i < h->objects.count; i++)
		memcpy(e->facts.modules[i].name, leaf->modules[i].name, strlen(leaf->modules[i].name));
	NL_EACH(s, e->sites, e->n_sites)
		if (s->object)
			e->facts.modules[s->object - 1].sites++;
	if (!nl_room_find(e, NL_ROOM_FILES, signed_size, &e->file))
		return NL_ENOMEM;
	memcpy(nl_room_at(NL_ROOM_FILES, e->file.offset), h, signed_size);
	return NL_OK;
}

static void clear_site(struct nl_site *s)
{
	*s = (struct nl_site){.run = s->run, .object = s->object, .size = s->size};
}

void nl_unbind(struct nl_entry *e, uint32_t object)
{
	struct nl_binding *b = &e->objects[object];

	if (b->va && e->ever_applied && b->text.size + b->data.size)
		nl_room_leave(b);
	memset(b, 0, sizeof(*b));
	e->facts.modules[object - 1].state = NL_MODULE_WAITING;
	NL_EACH(s, e->sites, e->n_sites)
		if (s->object == object)
			clear_site(s);
}

/* What the object is now. NL_NOTHING, NL_EMODULE as guest.h has it. */
static enum nl_err look(const struct nl_leaf *leaf, uint32_t object, struct nl_kernel *k, struct nl_module *m)
{
	const struct nl_leaf_object *o = nl_leaf_object(leaf, object);
	uint32_t i;

	if (object)
		return k->os->module(k, o, m);
	m->va = 1;
	for (i = 0; i < o->n_regions; i++)
		m->base[i] = o->regions[i].base + k->slide;
	return NL_OK;
}

/* Is it what it was bound to? What the initialiser needed may have gone since: *fewer. */
static bool same(const struct nl_binding *b, const struct nl_module *m, bool *fewer)
{
	uint32_t i;

	*fewer = false;
	if (b->va != m->va)
		return false;
	for (i = 0; i < NL_MAX_REGIONS; i++) {
		if (b->at.base[i] == m->base[i])
			continue;
		if (m->base[i])
			return false;
		*fewer = true;
	}
	return true;
}

/* And are its sites in the memory in which they were? NL_NOTHING: no, it may have come to the same place again. */
static enum nl_err at_home(const struct nl_entry *e, uint32_t object, struct nl_kernel *k)
{
	gpa_t gpa;

	NL_EACH(s, e->sites, e->n_sites) {
		if (!s->len || s->object != object)
			continue;
		if (nl_guest_translate(&k->space, GVA(s->va), NL_GUEST_READ, &gpa))
			return NL_EKERNEL;
		if (gpa.v != s->gpa)
			return NL_NOTHING;
	}
	return NL_OK;
}

static void forget_freed(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t object, const struct nl_module *m)
{
	uint32_t i;

	memcpy(e->objects[object].at.base, m->base, sizeof(m->base));
	for (i = 0; i < e->n_sites; i++)
		if (leaf->sites[i].object == object && !m->base[leaf->sites[i].region])
			clear_site(&e->sites[i]);
}

static enum nl_err place_site(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t i,
                              struct nl_guest *space, struct nl_site *s)
{
	const struct nl_leaf_site *from = &leaf->sites[i];
	uint64_t base = at->objects[from->object].base[from->region];
	enum nl_err err;
	struct nl_shown page;
	gpa_t gpa;

	if (!base) /* of an initialiser that has returned */
		return NL_OK;
	memcpy(s->expected, leaf->bytes + from->expected, from->len);
	memcpy(s->fresh, leaf->bytes + from->fresh, from->len);
	if ((err = nl_reloc_site(leaf, at, i, s->expected, s->fresh)))
		return err;
	if (nl_guest_translate(space, GVA(base + from->offset), NL_GUEST_READ, &gpa) || !nl_is_guest_ram(gpa) ||
	    (gpa.v & NL_PAGE_MASK) + from->len > NL_PAGE_SIZE)
		return NL_ERANGE;
	/* A module is written in place: its pages are never shown as anything but themselves. */
	if (from->object && (!nl_view_walk(space->views, space->view, gpa, &page) || page.at.v != gpa.v))
		return NL_ERANGE;
	s->va = base + from->offset;
	s->gpa = gpa.v;
	s->len = from->len;
	s->func_start = base + from->func_offset;
	s->func_end = s->func_start + from->func_size;
	return NL_OK;
}

/* Room for the object's part of the body, in the arena. */
static enum nl_err place_part(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t object,
                              const struct nl_guest_os *os)
{
	const struct nl_leaf_object *o = nl_leaf_object(leaf, object);
	struct nl_binding *b = &e->objects[object];

	if (object && !nl_room_for_part(e, b))
		return NL_EARENA;
	if (!nl_room_find(e, NL_ROOM_TEXT, o->text.count, &b->text) ||
	    !nl_room_find(e, NL_ROOM_DATA, nl_part_end(leaf, object, false) - o->data.offset, &b->data))
		return NL_EARENA;
	b->at.text = os->arena_text + b->text.offset - o->text.offset;
	b->at.data = os->arena_data + b->data.offset - o->data.offset;
	return NL_OK;
}

static enum nl_err fill_part(const struct nl_entry *e, const struct nl_leaf *leaf, const struct nl_placement *at,
                             uint32_t object)
{
	const struct nl_leaf_object *o = nl_leaf_object(leaf, object);
	const struct nl_binding *b = &e->objects[object];
	uint8_t *text = nl_room_at(NL_ROOM_TEXT, b->text.offset);
	uint8_t *data = nl_room_at(NL_ROOM_DATA, b->data.offset);

	memcpy(text, leaf->text + o->text.offset, o->text.count);
	memset(text + o->text.count, 0xcc, b->text.size - o->text.count); /* INT3 between bodies */
	memcpy(data, leaf->data + o->data.offset, o->data.count);
	memset(data + o->data.count, 0, b->data.size - o->data.count);
	return nl_reloc_body(leaf, at, object, text, data);
}

/* Its bases are known, and those of what it refers to. */
static enum nl_err place(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t object, struct nl_kernel *k)
{
	struct nl_place places[NL_LEAF_MAX_OBJECTS];
	struct nl_placement at = {.objects = places};
	enum nl_err err = place_part(e, leaf, object, k->os);
	uint32_t i;

	for (i = 0; i < e->n_objects; i++)
		places[i] = e->objects[i].at;
	k->os->thunks(k, &at.thunks);
	for (i = 0; !err && i < e->n_sites; i++)
		if (e->sites[i].object == object)
			err = place_site(leaf, &at, i, &k->space, &e->sites[i]);
	return err ? err : fill_part(e, leaf, &at, object);
}

/* Distinct pages of the sites that are there. */
static uint32_t count_pages(const struct nl_entry *e)
{
	uint32_t n = 0;

	NL_EACH(s, e->sites, e->n_sites) {
		const struct nl_site *o = e->sites;

		while (o < s && !(o->len && o->gpa >> NL_PAGE_SHIFT == s->gpa >> NL_PAGE_SHIFT))
			o++;
		n += s->len && o == s;
	}
	return n;
}

static bool has_sites(const struct nl_entry *e, uint32_t object)
{
	return !object || e->facts.modules[object - 1].sites;
}

enum nl_err nl_bind_blames(const struct nl_entry *e, uint32_t object, enum nl_err err, struct nl_blocker *blocker)
{
	memcpy(blocker->leaf, e->state.id, sizeof(blocker->leaf));
	memset(blocker->other, 0, sizeof(blocker->other));
	if (object)
		memcpy(blocker->other, e->facts.modules[object - 1].name, sizeof(blocker->other) - 1);
	return err;
}

/* First where everything is. *came: what must be placed; what has no sites is only referred to, and so need not be
 * asked for. */
static enum nl_err look_at_all(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t may, struct nl_kernel *k,
                               uint32_t *came)
{
	uint32_t i;

	*came = 0;
	for (i = 0; i < e->n_objects; i++) {
		struct nl_binding *b = &e->objects[i];
		struct nl_module m = {0};
		enum nl_err err = look(leaf, i, k, &m), home;
		bool fewer;

		if (err && err != NL_NOTHING && err != NL_EMODULE)
			return err;
		if (!err && same(b, &m, &fewer)) {
			if (fewer)
				forget_freed(e, leaf, i, &m);
			if (!i || !(home = at_home(e, i, k)))
				continue;
			if (home != NL_NOTHING)
				return home;
		}
		if (b->va && !i) /* it shows itself elsewhere, too: its leaves stand where they were made for */
			return NL_EKERNEL;
		if (b->va)
			nl_unbind(e, i);
		if (err == NL_EMODULE)
			e->facts.modules[i - 1].state = NL_MODULE_OTHER;
		else if (i && err == NL_NOTHING)
			e->facts.modules[i - 1].state = NL_MODULE_WAITING;
		if (err || (has_sites(e, i) && !(may >> i & 1)))
			continue;
		b->va = m.va;
		memcpy(b->at.base, m.base, sizeof(m.base));
		*came |= 1u << i;
	}
	return NL_OK;
}

enum nl_err nl_bind(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t may, struct nl_kernel *k,
                    struct nl_blocker *blocker)
{
	struct nl_leaf kept;
	uint32_t i, came;
	enum nl_err err;

	if (!leaf && !e->file.size)
		return NL_OK; /* the kernel alone */
	if (!leaf) {
		nl_leaf_open(nl_room_at(NL_ROOM_FILES, e->file.offset), &kept);
		leaf = &kept;
	}
	if ((err = look_at_all(e, leaf, may, k, &came)))
		return nl_bind_blames(e, 0, err, blocker);
	for (i = 0; i < e->n_objects; i++) {
		enum nl_err failed = came >> i & 1 ? place(e, leaf, i, k) : NL_OK;

		if (failed && !err)
			err = nl_bind_blames(e, i, failed, blocker);
		if (failed && i)
			nl_unbind(e, i);
		else if (i && came >> i & 1)
			e->facts.modules[i - 1].state = NL_MODULE_PRESENT;
	}
	e->state.pages = count_pages(e);
	return err;
}

const struct nl_leaf_object *nl_bind_object(const struct nl_entry *e, uint32_t object)
{
	struct nl_leaf leaf;

	nl_leaf_open(nl_room_at(NL_ROOM_FILES, e->file.offset), &leaf);
	return nl_leaf_object(&leaf, object);
}

bool nl_bind_stands(const struct nl_entry *e, struct nl_kernel *k)
{
	bool on = e->state.condition == NL_LEAF_APPLIED;
	struct nl_leaf leaf;
	uint32_t i;

	if (!e->file.size)
		return true;
	nl_leaf_open(nl_room_at(NL_ROOM_FILES, e->file.offset), &leaf);
	for (i = 1; i < e->n_objects; i++) {
		bool other = e->facts.modules[i - 1].state == NL_MODULE_OTHER, fewer;
		struct nl_module m = {0};
		enum nl_err err = look(&leaf, i, k, &m);

		if (e->objects[i].va ? err || !same(&e->objects[i], &m, &fewer) || fewer || at_home(e, i, k)
		                     : !on && err != (other ? NL_EMODULE : NL_NOTHING))
			return false;
	}
	return true;
}
