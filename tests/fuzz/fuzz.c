// SPDX-License-Identifier: Apache-2.0
/* libFuzzer's side of every target: see fuzz.h. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* compiler-rt, sanitizer/allocator_interface.h */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

/* Blocks that the input under way has allocated: open addressing, emptied after each. */
#define BLOCKS (1u << 20)
static void *blocks[BLOCKS];
static uint32_t used[BLOCKS], n_used;
static _Thread_local bool counting;

static uint32_t slot_of(const volatile void *p) { return (uint32_t)((uintptr_t)p >> 4) * 2654435761u % BLOCKS; }

static void on_malloc(const volatile void *p, size_t n)
{
	uint32_t i = slot_of(p);

	(void)n;
	if (!counting || !p)
		return;
	while (blocks[i])
		i = (i + 1) % BLOCKS;
	if (n_used == BLOCKS / 2)
		abort();
	blocks[i] = (void *)(uintptr_t)p;
	used[n_used++] = i;
}

static void *const gone = &n_used; /* keeps a chain of slots in one piece */

static void on_free(const volatile void *p)
{
	if (!counting)
		return;
	for (uint32_t i = slot_of(p); blocks[i]; i = (i + 1) % BLOCKS)
		if (blocks[i] == p) {
			blocks[i] = gone;
			return;
		}
}

static void take_back(void)
{
	counting = false;
	while (n_used) {
		void **b = &blocks[used[--n_used]];

		if (*b != gone)
			free(*b);
		*b = NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool warm;
	uint8_t *exact = malloc(size ? size : 1);

	memcpy(exact, bytes, size);
	counting = warm; /* what libraries allocate at first use, they keep */
	fuzz_one(exact, size);
	take_back();
	warm = true;
	free(exact);
	return 0;
}

static const char *directory;

void fuzz_seed(const void *bytes, size_t n)
{
	static unsigned count;
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/seed-%03u", directory, count++);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(1);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	directory = getenv("FUZZ_SEEDS");
	if (directory) {
		fuzz_seeds();
		exit(0);
	}
	__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	return 0;
}

uint64_t fuzz_number(struct fuzz *f, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes && f->n; i++, f->p++, f->n--)
		v |= (uint64_t)*f->p << 8 * i;
	return v;
}

uint8_t *fuzz_bytes(struct fuzz *f, size_t n, size_t *got)
{
	uint8_t *p;

	*got = n < f->n ? n : f->n;
	p = malloc(*got ? *got : 1);
	if (!*got)
		return p;
	memcpy(p, f->p, *got);
	f->p += *got;
	f->n -= *got;
	return p;
}
