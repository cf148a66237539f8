// SPDX-License-Identifier: Apache-2.0
/* See module_fixture.h. */
#include "module_fixture.h"
#include "guest/linux/linux.h"
#include "leaf/registry.h"
#include "leaf/room.h"

#define MARK 0x4d /* the first bytes of each body */

static void site(unsigned object, const struct nl_leaf_object *o, unsigned region, uint32_t at, uint32_t func,
                 uint32_t size, uint32_t part)
{
	static const uint8_t jump[5] = {0xe9};
	uint8_t was[8], fresh[8];
	uint32_t i, len = size ? 5 : 8;
	unsigned s, build = o->build_id[0] - fm_object(o->name, 0).build_id[0] ? 1 : 0;

	for (i = 0; i < len; i++)
		was[i] = fm_byte(o->name, build, region, at + i);
	memset(fresh, 0x5d, sizeof(fresh));
	s = make_module_site(&m, object, region, fm_offset(region, at), was, size ? jump : fresh, len,
	                     fm_offset(region, func), size);
	if (size)
		make_reloc(&m, (struct nl_leaf_reloc){NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, (uint16_t)s,
		                                      m.sites[s].fresh + 1, (uint16_t)object, 0, part, -4});
}

/* A body: marks, then where its module's text is, then a place in the kernel; its data: where it is itself. */
static void body(unsigned object, uint32_t text, uint32_t data)
{
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, text + 8, (uint16_t)object,
	                                      FM_TEXT, fm_offset(FM_TEXT, 0x30), 0});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, text + 16, 0, NL_KERNEL_IMAGE,
	                                      0x777, 0});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_DATA, NL_REL_ABS64, NL_SYM_TEXT, 0, data, (uint16_t)object, 0, text,
	                                      0});
}

void leaf_modules(const char *id, uint32_t version, const struct nl_leaf_object *objects, unsigned n, unsigned with)
{
	static const uint8_t jump[5] = {0xe9};
	unsigned i;

	make_start(&m, id, version, &fg.target);
	for (i = 0; i < n; i++) {
		make_module(&m, &objects[i]);
		memset(m.parts[i].text, MARK, m.parts[i].n_text = PART);
		m.parts[i].n_data = 16;
	}
	memset(m.text, MARK, m.n_text = with & WITH_IMAGE ? PART : 0);
	make_layout(&m);
	for (i = 0; i < n; i++) {
		site(i + 1, &objects[i], FM_TEXT, MODULE_SITE, MODULE_FUNC, MODULE_FUNC_SIZE, m.modules[i].text.offset);
		if (with & WITH_DATA)
			site(i + 1, &objects[i], FM_RODATA, MODULE_DATA, 0, 0, 0);
		if (with & WITH_INIT)
			site(i + 1, &objects[i], FM_INIT_TEXT, INIT_SITE, INIT_FUNC, 0x20, m.modules[i].text.offset);
		body(i + 1, m.modules[i].text.offset, m.modules[i].data.offset);
	}
	if (!(with & WITH_IMAGE))
		return;
	make_site(&m, FG_LINK + TEXT_SITE, fg_image(TEXT_SITE), jump, 5, FG_LINK + FUNC, FUNC_SIZE);
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, (uint16_t)(m.n_sites - 1),
	                                      m.sites[m.n_sites - 1].fresh + 1, 0, 0,
	                                      m.header.target.kernel.text.offset, -4});
}

void leaf_module(const char *id, const char *name, unsigned with)
{
	const struct nl_leaf_object o = fm_object(name, 0);

	leaf_modules(id, 1, &o, 1, with);
}

/* Does the jump there lead to a whole body in the arena? *text: of the body, NULL: to none. */
static bool jumps(const uint8_t *at, uint64_t va, const uint8_t **text)
{
	int32_t displacement;
	uint64_t to;

	*text = NULL;
	if (*at != 0xe9)
		return false;
	memcpy(&displacement, at + 1, 4);
	to = va + 5 + (uint64_t)(int64_t)displacement;
	if (to - NL_LINUX_ARENA_TEXT > 0x1ff000)
		return false;
	*text = fg.region + NL_REGION_ARENA_TEXT + (to - NL_LINUX_ARENA_TEXT);
	return !memcmp(*text, "MMMMMMMM", 8);
}

static bool original(const struct fm *f, unsigned region, uint32_t at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (*fm_at(f, region, at + i) != fm_byte(f->name, f->build, region, at + i))
			return false;
	return true;
}

static enum look jump_of(const struct fm *f, unsigned region, uint32_t at)
{
	const uint64_t here = f->base[FM_TEXT] + 0x30, kernel = FG_LINK + fg.slide + 0x777;
	const uint8_t *text;

	if (original(f, region, at, 5))
		return ORIGINAL;
	return jumps(fm_at(f, region, at), f->base[region] + at, &text) && !memcmp(text + 8, &here, 8) &&
	                       !memcmp(text + 16, &kernel, 8)
	               ? PATCHED
	               : NEITHER;
}

enum look looks(const struct fm *f) { return jump_of(f, FM_TEXT, MODULE_SITE); }
enum look init_looks(const struct fm *f) { return jump_of(f, FM_INIT_TEXT, INIT_SITE); }

enum look data_looks(const struct fm *f)
{
	if (original(f, FM_RODATA, MODULE_DATA, 8))
		return ORIGINAL;
	return !memcmp(fm_at(f, FM_RODATA, MODULE_DATA), "]]]]]]]]", 8) ? PATCHED : NEITHER;
}

enum look image_looks(void)
{
	const uint8_t *text;

	if (!memcmp(fg_shown(TEXT_SITE), fg_image(TEXT_SITE), 5))
		return ORIGINAL;
	return jumps(fg_shown(TEXT_SITE), FG_LINK + fg.slide + TEXT_SITE, &text) ? PATCHED : NEITHER;
}

struct fm comes(const char *name, unsigned build, unsigned va_slot, unsigned frame_slot)
{
	struct fm f = fm_load(name, build, va_slot, frame_slot);

	fm_list(&f);
	fm_state(&f, FM_COMING);
	return f;
}

uint64_t told_coming(struct fm *f) { return fm_hooked() ? fm_tell(f->va, FM_COMING) : 0; }

void lives(struct fm *f)
{
	fm_state(f, FM_LIVE);
	fm_init_done(f);
}

struct fm arrives(const char *name, unsigned va_slot, unsigned frame_slot)
{
	struct fm f = comes(name, 0, va_slot, frame_slot);

	assert_int_equal(told_coming(&f), 0);
	lives(&f);
	return f;
}

void leaves_memory(struct fm *f)
{
	fm_state(f, FM_GOING);
	if (fm_hooked())
		assert_int_equal(fm_tell(f->va, FM_GOING), 0);
	fm_state(f, FM_UNFORMED);
	fm_unlist(f);
	fm_free(f);
}

const struct nl_leaf_module *module_of(const uint8_t sha[32], unsigned n)
{
	return &nl_registry_find(sha)->facts.modules[n];
}

uint64_t text_free(void) { return nl_room_free(NL_ROOM_TEXT); }

int module_setup(void **state)
{
	setup(state);
	fm_start(false);
	return 0;
}

int old_module_setup(void **state)
{
	setup(state);
	fm_start(true);
	return 0;
}
