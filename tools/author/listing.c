// SPDX-License-Identifier: Apache-2.0
/*
 * Disassembly for a reader (Zydis, AT&T syntax as the kernel's people write it). The formatter prints numbers; what a
 * relocation or a symbol knows better takes their place. Lines are aligned by the longest common subsequence of what is
 * left when distances within the code are taken out.
 */
#include "listing.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN_MAX 3000u /* lines of each side; beyond, one stands below the other */

struct maker {
	const uint8_t *code;
	uint32_t size;
	uint64_t va;
	listing_namer *name;
	const void *with;
	ZydisDecoder decoder;
	ZydisFormatter formatter;
};

static char *hex(const uint8_t *p, size_t n)
{
	char *out = xalloc(2 * n + 1);

	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
	return out;
}

/* The instruction with the fields zeroed that have a name: the name says more, and says the same on both sides. */
static char *formatted(const struct maker *m, const uint8_t *code, const ZydisDecodedInstruction *i, bool disp,
                       bool imm)
{
	uint8_t copy[ZYDIS_MAX_INSTRUCTION_LENGTH];
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction again;
	char text[256];

	memcpy(copy, code, i->length);
	if (disp)
		memset(copy + i->raw.disp.offset, 0, i->raw.disp.size / 8);
	if (imm)
		memset(copy + i->raw.imm[0].offset, 0, i->raw.imm[0].size / 8);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&m->decoder, copy, i->length, &again, operands)) ||
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&m->formatter, &again, operands, again.operand_count_visible,
	                                                  text, sizeof(text), ZYDIS_RUNTIME_ADDRESS_NONE, NULL)))
		return xformat("(not printable)");
	return xformat("%s", text);
}

static void describe(const struct maker *m, const ZydisDecodedInstruction *i, struct listing_line *line)
{
	uint32_t at = line->offset, end = at + i->length;
	bool of_rip = i->raw.modrm.mod == 0 && i->raw.modrm.rm == 5;
	char *disp = NULL, *imm = NULL;

	if (i->raw.imm[0].is_relative) {
		uint64_t target = m->va + end + (uint64_t)i->raw.imm[0].value.s;
		char *to = m->name(m->with, at + i->raw.imm[0].offset, i->raw.imm[0].size / 8, end, target);
		const char *word = ZydisMnemonicGetString(i->mnemonic);

		if (!to && target - m->va < m->size)
			line->plain = xformat("%s .", word),
			to = xformat("+%#llx", (unsigned long long)(target - m->va));
		to = to ? to : xformat("%#llx", (unsigned long long)target);
		line->text = xformat("%s %s", word, to);
		line->plain = line->plain ? line->plain : line->text;
		return;
	}
	if (i->raw.disp.size)
		disp = m->name(m->with, at + i->raw.disp.offset, i->raw.disp.size / 8, end,
		               of_rip ? m->va + end + (uint64_t)i->raw.disp.value : 0);
	if (i->raw.imm[0].size)
		imm = m->name(m->with, at + i->raw.imm[0].offset, i->raw.imm[0].size / 8, end, 0);
	line->text = formatted(m, m->code + at, i, disp, imm);
	if (disp)
		line->text = xformat("%s  # %s", line->text, disp);
	if (imm)
		line->text = xformat("%s  # %s", line->text, imm);
	line->plain = line->text;
}

struct listing listing_make(const uint8_t *code, uint32_t size, uint64_t va, listing_namer *name, const void *with)
{
	struct listing l = {.line = xalloc((size + 1) * sizeof(*l.line))};
	struct maker m = {.code = code, .size = size, .va = va, .name = name, .with = with};
	ZydisDecodedInstruction i;

	ZydisDecoderInit(&m.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&m.formatter, ZYDIS_FORMATTER_STYLE_ATT);
	for (uint32_t at = 0; at < size;) {
		struct listing_line *line = &l.line[l.n++];

		line->offset = at;
		if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&m.decoder, NULL, code + at, size - at, &i))) {
			describe(&m, &i, line);
		} else {
			i.length = 1;
			line->text = line->plain = xformat(".byte 0x%02x", code[at]);
		}
		line->bytes = hex(code + at, i.length);
		at += i.length;
	}
	return l;
}

/* length[i][j] = longest common subsequence of a from i on and b from j on */
static uint16_t *lengths(const struct listing *a, const struct listing *b)
{
	size_t width = b->n + 1;
	uint16_t *length = xalloc((a->n + 1) * width * sizeof(*length));

	for (size_t i = a->n; i-- > 0;)
		for (size_t j = b->n; j-- > 0;) {
			uint16_t down = length[(i + 1) * width + j], right = length[i * width + j + 1];

			length[i * width + j] = !strcmp(a->line[i].plain, b->line[j].plain)
			                                ? (uint16_t)(length[(i + 1) * width + j + 1] + 1)
			                        : down > right ? down
			                                       : right;
		}
	return length;
}

size_t listing_align(const struct listing *a, const struct listing *b, struct listing_row **rows)
{
	bool small = a->n <= ALIGN_MAX && b->n <= ALIGN_MAX;
	uint16_t *length = small ? lengths(a, b) : NULL;
	size_t width = b->n + 1, i = 0, j = 0, n = 0;

	*rows = xalloc((a->n + b->n + 1) * sizeof(**rows));
	while (i < a->n || j < b->n) {
		struct listing_row *r = &(*rows)[n++];

		*r = (struct listing_row){-1, -1, false};
		if (small && i < a->n && j < b->n && !strcmp(a->line[i].plain, b->line[j].plain))
			*r = (struct listing_row){(int32_t)i++, (int32_t)j++, true};
		else if (j == b->n ||
		         (i < a->n && (!small || length[(i + 1) * width + j] >= length[i * width + j + 1])))
			r->a = (int32_t)i++;
		else
			r->b = (int32_t)j++;
	}
	free(length);
	return n;
}
