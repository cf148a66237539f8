// SPDX-License-Identifier: Apache-2.0
// sources: hv/guest/guestmem.c hv/view/view.c hv/view/npt.c tests/unit/history.c
// sources: tests/unit/host.c tests/unit/seam/seam.c
// libs: -lcmocka
// length: 2048
// quick: 12000
/*
 * Any bytes as the guest's memory, page tables in it, and any access to it. A second walker, written here from the
 * manuals alone (SDM vol. 3, 4.5.4), says what must come out; what is not RAM is never touched.
 */
#include "fuzz.h"

#include "guest/guestmem.h"
#include "vendor.h"
#include "history.h"
#include "view/base.h"

enum { PAGES = 16, RAM = PAGES * 4096, DEVICE = 13, READ_ONLY = 14, MOVED = 15, SHOWN = 3, LONGEST = 0x2100 };

static uint8_t ram[RAM] __attribute__((aligned(4096))), expected[RAM];
static struct nl_npt_format format;
static struct nl_views views;
static struct nl_view view;

bool nl_is_guest_ram(gpa_t gpa) { return gpa.v < RAM && gpa.v >> 12 != DEVICE; }

static struct nl_cpu cpu;
struct nl_cpu *nl_this_cpu(void) { return &cpu; }

void *nl_phys(hpa_t pa)
{
	FUZZ_CHECK(pa.v < RAM && pa.v >> 12 != DEVICE && pa.v >> 12 != MOVED);
	return ram + pa.v;
}

static void start(void)
{
	static const struct nl_type_run all = {0, 1ULL << 33, NL_MT_WB};

	history_reset();
	format = nl_npt_format_ept(true, 33);
	views = (struct nl_views){.format = &format, .ops = history_ops()};
	FUZZ_CHECK(nl_view_base(&views, &all, 1, &view) == NL_OK);
	FUZZ_CHECK(!nl_view_set_page(&views, &view, NULL, GPA(READ_ONLY << 12), HPA(READ_ONLY << 12), NL_R));
	FUZZ_CHECK(!nl_view_set_page(&views, &view, NULL, GPA(MOVED << 12), HPA(SHOWN << 12), NL_RW));
}

/* --- The second walker --- */

static uint8_t *shown(uint8_t *of, uint64_t gpa, bool write)
{
	uint64_t page = gpa >> 12;

	if (page >= PAGES || page == DEVICE || (write && page == READ_ONLY))
		return NULL;
	return of + ((page == MOVED ? SHOWN : page) << 12) + (gpa & 0xfff);
}

static bool walk(uint8_t *of, uint64_t cr3, bool la57, uint64_t va, unsigned access, uint64_t *gpa)
{
	int64_t top = (int64_t)va >> (la57 ? 56 : 47);
	uint64_t table = cr3 & 0x000ffffffffff000;

	if (top != 0 && top != -1)
		return false;
	for (int shift = la57 ? 48 : 39; shift >= 12; shift -= 9) {
		uint8_t *at = shown(of, table + 8 * (va >> shift & 511), false);
		uint64_t e;

		if (!at)
			return false;
		memcpy(&e, at, 8);
		if (!(e & 1) || (access & NL_GUEST_WRITE && !(e & 2)) || (access & NL_GUEST_USER && !(e & 4)))
			return false;
		if (shift > 12 && !(e & 0x80)) {
			table = e & 0x000ffffffffff000;
			continue;
		}
		if (shift > 30)
			return false;
		*gpa = ((e & 0x000ffffffffff000) >> shift << shift) + (va & ((1ULL << shift) - 1));
		return true;
	}
	return false;
}

/* Bytes that can be reached from va on, at most n; out and in as for nl_guest_read and _write. */
static size_t reach(uint8_t *of, uint64_t cr3, bool la57, uint64_t va, unsigned access, size_t n, uint8_t *out,
                    const uint8_t *in)
{
	size_t done = 0;

	while (done < n) {
		size_t k = 4096 - (va & 0xfff) < n - done ? 4096 - (va & 0xfff) : n - done;
		uint64_t gpa;
		uint8_t *at;

		if (!walk(of, cr3, la57, va & ~0xfffULL, access, &gpa) ||
		    !(at = shown(of, gpa, access & NL_GUEST_WRITE)))
			return done;
		at += va & 0xfff;
		if (out)
			memcpy(out + done, at, k);
		if (in)
			memcpy(at, in + done, k);
		va += k;
		done += k;
	}
	return done;
}

/* --- One access --- */

static uint64_t address(struct fuzz *f)
{
	uint64_t va = 0;

	if (fuzz_byte(f) % 8 == 0)
		return fuzz_number(f, 8);
	for (unsigned level = 0; level < 5; level++) /* near both ends of each table: there the input's entries are */
		va = va << 9 | (uint64_t)(int8_t)fuzz_byte(f) >> 3;
	va = va << 12 | fuzz_number(f, 2) % 4096;
	return (uint64_t)((int64_t)(va << 16) >> 16);
}

static void access_once(struct fuzz *f, uint64_t cr3, bool la57)
{
	static uint8_t out[LONGEST], in[LONGEST], wanted[LONGEST];
	uint8_t kind = fuzz_byte(f);
	unsigned access = kind >> 4 & (NL_GUEST_WRITE | NL_GUEST_USER);
	uint64_t va = address(f), gpa = 0;
	size_t n = fuzz_number(f, 2) % LONGEST;
	struct nl_guest g;
	gpa_t got = GPA(0);
	bool can;

	nl_guest_init(&g, &views, &view, cr3, la57);
	memcpy(expected, ram, RAM);
	switch (kind % 5) {
	case 0:
		can = walk(expected, cr3, la57, va, access, &gpa);
		FUZZ_CHECK(nl_guest_translate(&g, GVA(va), access, &got) == (can ? NL_OK : NL_EFAULT));
		FUZZ_CHECK(!can || got.v == gpa);
		break;
	case 1:
		can = reach(expected, cr3, la57, va, access, n, wanted, NULL) == n;
		FUZZ_CHECK(nl_guest_read(&g, GVA(va), access, out, n) == (can ? NL_OK : NL_EFAULT));
		FUZZ_CHECK(!can || !memcmp(out, wanted, n));
		break;
	case 2:
		memset(in, kind, n);
		can = reach(expected, cr3, la57, va, access | NL_GUEST_WRITE, n, NULL, in) == n;
		FUZZ_CHECK(nl_guest_write(&g, GVA(va), access, in, n) == (can ? NL_OK : NL_EFAULT));
		break;
	case 3:
		can = reach(expected, cr3, la57, va, access, n, NULL, NULL) == n;
		FUZZ_CHECK(nl_guest_probe(&g, GVA(va), access, n) == (can ? NL_OK : NL_EFAULT));
		break;
	case 4: {
		uint64_t v;

		can = reach(expected, cr3, la57, va, NL_GUEST_READ, 8, wanted, NULL) == 8;
		FUZZ_CHECK(nl_guest_read64(&g, GVA(va), &v) == (can ? NL_OK : NL_EFAULT));
		FUZZ_CHECK(!can || !memcmp(&v, wanted, 8));
	}
	}
	FUZZ_CHECK(!memcmp(ram, expected, RAM)); /* nothing else was written */
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	bool la57 = fuzz_byte(&f) & 1;
	uint64_t cr3 = fuzz_number(&f, 1) % PAGES << 12 | 0x5;
	size_t n, entries = fuzz_byte(&f) * 4u;
	uint8_t *words;

	if (!views.format)
		start();
	words = fuzz_bytes(&f, entries * 3, &n);
	memset(ram, 0, RAM);
	for (size_t i = 0; i + 3 <= n;
	     i += 3) { /* page, one of 16; entry, near an end of it; flags; page that it names */
		uint64_t to = words[i] & 15, at = words[i] >> 4, flags = words[i + 1], e;

		at = at & 8 ? 496 + at : at;
		e = (flags & 0x87) | (uint64_t)(words[i + 2] & 15) << 12;
		if (flags & 0x40) /* anywhere */
			e |= (uint64_t)words[i + 2] << 28 | (uint64_t)(flags >> 3 & 7) << 60;
		memcpy(ram + (to << 12) + 8 * at, &e, 8);
	}
	for (unsigned i = 0; i < 16 && f.n; i++)
		access_once(&f, cr3, la57);
}

void fuzz_seeds(void)
{
	static const uint8_t four[] = {
	        0, 1, 1, 0x01, 7, 2, 0x02, 7,    3,    0x03, 7, 4, 0x04, 7, 5, /* page 1: top, and down */
	        1, 1, 0, 0,    0, 0, 0,    0x10, 0x20, 0x30, 1, 0, 0,    0, 0, 0, 0x10, 0x10, 0x10};
	static const uint8_t five[] = {1, 1,    2, 0x01, 7, 2, 0x02, 7, 3,    0x03, 7, 4, 0x04, 0x87,
	                               0, 0x14, 7, 14,   2, 1, 0,    0, 0,    0,    0, 0, 0x10, 8,
	                               8, 3,    1, 0,    0, 0, 1,    0, 0xf8, 0x0f, 4, 0};

	fuzz_seed(four, sizeof(four));
	fuzz_seed(five, sizeof(five));
}
