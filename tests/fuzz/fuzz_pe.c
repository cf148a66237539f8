// SPDX-License-Identifier: Apache-2.0
// sources: efi/pe.c
// length: 1024
// quick: 60000
/* Any bytes as the loader's own image: a section that is found lies inside it. */
#include "fuzz.h"

#include "pe.h"

void fuzz_one(const uint8_t *bytes, size_t size)
{
	static const char *const names[] = {".core", ".nlkeys", ".nlpol", ".text", "", "12345678"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = 0;
		const uint8_t *p = nl_pe_section(bytes, size, names[i], &n);

		FUZZ_CHECK(!p || (p >= bytes && p <= bytes + size && n <= (size_t)(bytes + size - p)));
	}
}

void fuzz_seeds(void)
{
	static uint8_t image[0x400];
	const char names[3][8] = {".text", ".core", "12345678"};

	memcpy(image, "MZ", 2);
	image[0x3c] = 0x80;
	memcpy(image + 0x80, "PE\0\0\x64\x86\x03", 7);
	image[0x80 + 20] = 0xf0; /* size of the optional header */
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *s = image + 0x80 + 24 + 0xf0 + 40 * i;

		memcpy(s, names[i], 8);
		s[8] = 0x20;
		s[13] = 3;
		s[12] = (uint8_t)(i * 0x20);
	}
	fuzz_seed(image, sizeof(image));
}
