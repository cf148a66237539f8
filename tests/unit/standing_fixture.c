// SPDX-License-Identifier: Apache-2.0
/* See standing_fixture.h. */
#include "standing_fixture.h"
#include "commit/commit.h"
#include "commit/order.h"
#include "core/kept.h"
#include "core/sha256.h"
#include "exits/own.h"
#include "leaf/list.h"
#include "leaf/registry.h"
#include <insn.h>

#define PHYSICAL(p) ((uint64_t)(p)-0xffff800000000000ULL)

unsigned third, revoker;
uint8_t public[4][32];
bool unfinished;
static struct nl_key image[NL_MAX_KEYS];
static unsigned n_image;
static struct nl_standing state_has;
static struct {
	struct nl_order_place head;
	uint8_t leaves[1 << 16];
} places[2];
static struct {
	struct nl_list head;
	struct nl_list_entry entries[8];
	uint8_t signatures[1024];
} list;
static size_t list_size;
static uint64_t list_known; /* which the state has */

void standing(uint64_t epoch)
{
	make(NL_ORDER_SYNC);
	order.o.kind = NL_ORDER_STANDING;
	order.o.flags = NL_ORDER_AGENTLESS;
	order.o.epoch = epoch;
	order.o.generation = 0;
	memcpy(order.o.machine_id, nl_boot.facts.machine_id, 16);
	memset(order.o.boot_id, 0, sizeof(order.o.boot_id));
	memset(order.o.challenge, 0, sizeof(order.o.challenge));
}

void entry(enum nl_order_entry_what what, const void *name)
{
	struct nl_order_entry *e = &order.entries[order.o.head.count++], swap;

	*e = (struct nl_order_entry){.what = what, .role = what == NL_ORDER_TRUST ? NL_ROLE_OPERATOR : 0};
	if (what == NL_ORDER_DISTRUST)
		nl_key_id(name, e->name);
	else
		memcpy(e->name, name, 32);
	for (; e > order.entries && memcmp(e - 1, e, sizeof(*e)) > 0; e--) {
		swap = e[-1];
		e[-1] = e[0];
		e[0] = swap;
	}
}

void sign_two(unsigned a, unsigned b) { sign_by((unsigned[]){a, b}, 2); }

struct nl_order_place *shown(unsigned place) { return &places[place].head; }

void resize(unsigned place, size_t size)
{
	nl_boot.files[NL_FILE_ORDER_0 + place] = (struct nl_boot_range){PHYSICAL(&places[place]), size};
}

void empty(unsigned place) { resize(place, 0); }

/* Both leaves that there are, by name. */
static size_t leaf_file(const uint8_t name[32])
{
	bool is_alpha = !memcmp(name, alpha, 32);

	leaf_rodata(is_alpha ? "alpha" : "beta", is_alpha ? DATA_SITE : DATA_SITE + 64, 0x11);
	return make_sign_by(file, make_write(&m, file), &author, 1);
}

void into(unsigned place)
{
	struct nl_order_place *p = &places[place].head;
	size_t at = sizeof(*p);

	memset(&places[place], 0, sizeof(places[place]));
	memcpy(p->bytes, &order, order_size);
	p->size = order_size;
	for (unsigned i = 0; i < order.o.head.count && order.entries[i].what == NL_ORDER_LEAF; i++) {
		size_t n = leaf_file(order.entries[i].name);

		p->leaves[i].base = at;
		p->leaves[i].size = n;
		memcpy((uint8_t *)p + at, file, n);
		at += (n + 7) & ~7ULL;
	}
	resize(place, at);
}

void revoke(const uint8_t key[32])
{
	struct nl_list_entry *e = &list.entries[list.head.head.count++];

	list.head.head = (struct nl_record){NL_LIST_MAGIC, 1, sizeof(list.head), sizeof(*e), list.head.head.count};
	list.head.sequence++;
	e->what = NL_LIST_KEY;
	nl_key_id(key, e->name);
	make_domain = NL_DOMAIN_LIST;
	list_size = make_sign_by((uint8_t *)&list, nl_list_signed_size(&list.head), &revoker, 1);
	make_domain = NL_DOMAIN_LEAF;
}

void no_list(void) { list_size = 0; }

void image_names(const uint8_t key[32], uint32_t role)
{
	nl_boot.facts.n_keys = n_image + 1;
	image[n_image] = (struct nl_key){.role = role, .name = "again"};
	memcpy(image[n_image].key, key, 32);
}

/* What the loader does, and the core in PREPARE. */
enum nl_err warm(void)
{
	memcpy(nl_boot.keys, image, sizeof(image));
	nl_boot.standing = state_has;
	nl_boot.leave_out = unfinished;
	unfinished = false;
	nl_standing = (struct nl_standing_state){.error = NL_NOTHING};
	nl_own_due = UINT64_MAX;
	nl_order_forget();
	memset(nl_registry, 0, sizeof(nl_registry));
	nl_commit_init(&fg.base);
	seam_tsc_step = SECOND / 4; /* some waiting is due between signatures */
	nl_standing_recall();
	nl_list_take(&list, list_size, list_known);
	list_known = nl_list_sequence() > list_known ? nl_list_sequence() : list_known;
	nl_standing_take(nl_order_take);
	seam_tsc_step = 1;
	if (!nl_boot.facts.keys_from_file)
		state_has = nl_boot.standing;
	return nl_standing.error;
}

enum nl_err cold(void)
{
	memset(nl_kept, 0, sizeof(*nl_kept));
	return warm();
}

enum nl_err launched(uint64_t epoch)
{
	enum nl_err err = cold();

	assert_int_equal(nl_standing.epoch, epoch);
	return err;
}

enum nl_err by_call(void) { return carry(); }

bool operates(const uint8_t key[32])
{
	unsigned n = 0;

	for (unsigned i = 0; i < NL_MAX_KEYS; i++)
		n += nl_boot.keys[i].role & NL_ROLE_OPERATOR && !memcmp(nl_boot.keys[i].key, key, 32);
	assert_in_range(n, 0, 1);
	return n;
}

int machine(void **state)
{
	begin(state);
	nl_boot.facts.n_keys = 5;
	revoker = make_key(&nl_boot.keys[3], "revoker", NL_ROLE_REVOKE);
	make_key(&nl_boot.keys[4], "lost", NL_ROLE_REVOKE);
	third = make_key(&nl_boot.keys[5], "third", 0);
	author = make_key(&nl_boot.keys[0], "demo", NL_ROLE_AUTHOR); /* the last one: it signs leaves */
	memcpy(public[0], nl_boot.keys[1].key, 32);
	memcpy(public[1], nl_boot.keys[2].key, 32);
	memcpy(public[2], nl_boot.keys[5].key, 32);
	memcpy(public[3], nl_boot.keys[0].key, 32);
	memset(&nl_boot.keys[5], 0, sizeof(nl_boot.keys[5]));
	n_image = 5;
	memcpy(image, nl_boot.keys, sizeof(image));
	memset(&state_has, 0, sizeof(state_has));
	memset(&list, 0, sizeof(list));
	list_size = 0;
	list_known = 0;
	unfinished = false;
	nl_boot.facts.keys_from_file = 0;
	empty(0);
	empty(1);
	return 0;
}

int no_machine(void **state)
{
	nl_standing = (struct nl_standing_state){.error = NL_NOTHING};
	nl_own_due = UINT64_MAX;
	nl_list_take(NULL, 0, 0);
	return teardown(state);
}
