// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module.c tools/author/module_layout.c tools/author/module_relocs.c tools/author/module_at.c
// sources: tools/author/modules.c tools/author/escape.c tools/author/unpack.c tools/author/types.c
// sources: tools/author/kallsyms.c
// sources: tools/author/krelocs.c tools/author/place.c tools/author/draft.c tools/author/kernel.c
// sources: tools/author/typenames.c tools/author/author.c tests/unit/author_refuse.c tests/unit/makekernel.c
// sources: tests/unit/makemodule.c tools/author/linux_modules.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz
// cflags: -Itools/author
/* What a leaf says of the kernel's list of modules, and of who is told of them. */
#include "author_refuse.h"
#include "linux_modules.h"
#include "makemodule.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

/* A kernel that calls only notifiers of its own text would never tell of a module. */
static void picky_kernel(void **state)
{
	struct kernel *k = make_module_kernel("7.3.4-made-amd64", false);
	struct ksection *s = xalloc((k->n_sections + 1) * sizeof(*s));
	struct nl_leaf_target t = {0};

	(void)state;
	memcpy(s, k->sections, k->n_sections * sizeof(*s));
	s[k->n_sections] = (struct ksection){.name = ".rodata", .size = 40, .bytes = xalloc(40)};
	k->sections = s;
	k->n_sections++;
	AUTHOR_REFUSES(NL_OK, linux_modules_fill(&t, k));
	assert_null(strstr(author_why, "CONFIG_DEBUG_NOTIFIERS"));
	memcpy((uint8_t *)(uintptr_t)s[k->n_sections - 1].bytes + 3, "Invalid notifier called!", 25);
	assert_true(AUTHOR_REFUSES(NL_EUNSUPPORTED, linux_modules_fill(&t, k)));
	assert_non_null(strstr(author_why, "CONFIG_DEBUG_NOTIFIERS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(picky_kernel)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
