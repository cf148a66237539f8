// SPDX-License-Identifier: Apache-2.0
/* `build`: recipe and kernel in, unsigned leaf out. */
#include "build.h"
#include "body_types.h"
#include "commands.h"
#include "compile.h"
#include "data.h"
#include "leaffile.h"
#include "made.h"
#include "note.h"
#include "redirect.h"
#include "linux_target.h"

#include <getopt.h>
#include <string.h>

struct buf build_leaf(const struct recipe *r, const struct kernel *k, const char *headers, const char *cc)
{
	struct draft *d = xalloc(sizeof(*d));
	struct body *b = NULL;

	draft_start(d);
	memcpy(d->h.id, r->id, strlen(r->id));
	d->h.version = r->version;
	d->h.consistency = r->consistency;
	d->h.description = draft_string(d, r->description);
	linux_target_fill(&d->h.target, k);
	for (size_t i = 0; i < r->n_replace; i++) /* before the compiler runs: a refusal is quick */
		redirect_check(k, r, &r->replace[i]), made_check(k, r, &r->replace[i]);
	if (r->n_source) {
		struct compiled objects = compile(k, r, headers, cc);

		if (objects.note)
			note(d, NL_FACT_NOTE, objects.note);
		b = body_load(d, k, r, objects.path, r->n_source);
		compile_clean(&objects);
		if (!b->types[0]) { /* older than GCC 12 */
			note(d, NL_FACT_NOTE,
			     "the body's compiler tells no types: compared as the machine's own makes them");
			objects = compile(k, r, headers, "gcc");
			body_take_types(b, objects.path);
			compile_clean(&objects);
		}
		body_types_check(d, k, r, b);
	}
	b = b ? b : xalloc(sizeof(*b));
	for (size_t i = 0; i < r->n_replace; i++)
		if (r->replace[i].origin != FROM_SOURCE)
			made_add(d, k, r, &r->replace[i], b);
	for (size_t i = 0; i < r->n_data; i++)
		data_add(d, k, r, &r->data[i], b);
	if (r->counter_cpus && r->n_replace)
		draft_counters(d, (uint32_t)r->n_replace, r->counter_cpus);
	for (size_t i = 0; i < r->n_replace; i++)
		redirect_add(d, k, r, &r->replace[i], b);
	return draft_finish(d);
}

int command_build(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},
	        {"headers", required_argument, NULL, 'H'},
	        {"cc", required_argument, NULL, 'c'},
	        {"output", required_argument, NULL, 'o'},
	        {NULL, 0, NULL, 0},
	};
	const char *kernel = NULL, *headers = NULL, *output = NULL, *cc = NULL;
	struct leaffile l;
	struct recipe *r;
	struct buf file;
	int c;

	while ((c = getopt_long(argc, argv, "k:H:o:", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			kernel = optarg;
			break;
		case 'H':
			headers = optarg;
			break;
		case 'c':
			cc = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		default:
			usage_error("build", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !kernel)
		usage_error("build", "one recipe, and the kernel by -k");
	refuse_context(argv[optind], "built", false);
	r = recipe_read(argv[optind]);
	refuse_context(r->id, "built", false);
	file = build_leaf(r, kernel_open(kernel), headers, cc);
	l = leaffile_parse(file, r->id); /* what the hypervisor would refuse is not written */
	output = output ? output : xformat("%s.leaf", r->id);
	file_write(output, l.file.p, l.file.n, 0644);
	fprintf(stderr, "built %s: %u site%s, body %u + %u bytes, %u relocations -> %s\n", r->id,
	        l.leaf.header->sites.count, l.leaf.header->sites.count == 1 ? "" : "s", l.leaf.header->text.count,
	        l.leaf.header->data.count + l.leaf.header->bss_size, l.leaf.header->relocs.count,
	        escape(output, FOR_TERMINAL));
	return NL_EXIT_OK;
}
