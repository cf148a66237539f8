// SPDX-License-Identifier: Apache-2.0
/*
 * Walks the section table of a loaded PE image (Microsoft PE/COFF specification, "Section Table").
 */
#include "bytes.h"
#include "pe.h"

#define DOS_MAGIC 0x5a4du
#define DOS_LFANEW 0x3cu
#define PE_MAGIC 0x4550u
#define COFF_SECTIONS 6u /* from the PE signature */
#define COFF_OPTIONAL_SIZE 20u
#define COFF_SIZE 24u /* signature and COFF header */
#define SECTION_SIZE 40u
#define SECTION_VIRTUAL_SIZE 8u
#define SECTION_VIRTUAL_ADDRESS 12u

static bool same_name(const uint8_t *section, const char *name)
{
	for (unsigned i = 0; i < 8; i++) {
		if (section[i] != (uint8_t)name[i])
			return false;
		if (name[i] == '\0')
			return true;
	}
	return name[8] == '\0';
}

const void *nl_pe_section(const void *base, size_t size, const char *name, size_t *length)
{
	const uint8_t *image = base;
	size_t at, n;

	if (size < DOS_LFANEW + 4 || nl_number_at(image, 2) != DOS_MAGIC)
		return NULL;
	at = nl_number_at(image + DOS_LFANEW, 4);
	if (at > size || size - at < COFF_SIZE || nl_number_at(image + at, 4) != PE_MAGIC)
		return NULL;
	n = nl_number_at(image + at + COFF_SECTIONS, 2);
	at += COFF_SIZE + nl_number_at(image + at + COFF_OPTIONAL_SIZE, 2);
	for (; n--; at += SECTION_SIZE) {
		size_t address, bytes;

		if (at > size || size - at < SECTION_SIZE)
			return NULL;
		if (!same_name(image + at, name))
			continue;
		bytes = nl_number_at(image + at + SECTION_VIRTUAL_SIZE, 4);
		address = nl_number_at(image + at + SECTION_VIRTUAL_ADDRESS, 4);
		if (address > size || bytes > size - address)
			return NULL;
		*length = bytes;
		return image + address;
	}
	return NULL;
}
