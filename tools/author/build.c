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
#include "patch_build.h"
#include "redirect.h"
#include "linux_target.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define PATCH_MAX (4u << 20)

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

static void allow(struct patch_options *p, const char *word)
{
	if (!strcmp(word, "unproven"))
		p->allow_unproven = true;
	else if (!strcmp(word, "layout"))
		p->allow_layout = true;
	else
		usage_error("build", "--allow takes unproven or layout");
}

int command_build(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},
	        {"headers", required_argument, NULL, 'H'},
	        {"cc", required_argument, NULL, 'c'},
	        {"output", required_argument, NULL, 'o'},
	        {"source", required_argument, NULL, 'S'},
	        {"id", required_argument, NULL, 'i'},
	        {"version", required_argument, NULL, 'v'},
	        {"allow", required_argument, NULL, 'a'},
	        {"dry-run", no_argument, NULL, 'n'},
	        {"json", no_argument, NULL, 'j'},
	        {NULL, 0, NULL, 0},
	};
	const char *output = NULL;
	struct patch_options p = {0};
	struct buf text;
	char *id;
	struct leaffile l;
	struct recipe *r;
	struct buf file;
	int c;

	while ((c = getopt_long(argc, argv, "k:H:o:S:n", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			p.kernel = optarg;
			break;
		case 'H':
			p.headers = optarg;
			break;
		case 'c':
			p.cc = optarg;
			break;
		case 'S':
			p.source = optarg;
			break;
		case 'i':
			p.id = optarg;
			break;
		case 'v':
			p.version = (uint32_t)strtoul(optarg, NULL, 10);
			if (!p.version || strspn(optarg, "0123456789") != strlen(optarg) || strlen(optarg) > 9)
				usage_error("build", "versions are numbers from 1");
			break;
		case 'a':
			allow(&p, optarg);
			break;
		case 'n':
			p.dry_run = true;
			break;
		case 'j':
			p.json = true;
			break;
		case 'o':
			output = optarg;
			break;
		default:
			usage_error("build", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !p.kernel)
		usage_error("build", "one recipe or patch, and the kernel by -k");
	refuse_context(argv[optind], "built", p.json);
	text = file_read(argv[optind], PATCH_MAX);
	if (patch_is(&text) && !p.source)
		refuse(NL_EUSAGE, "a patch needs the source of exactly this kernel by -S; scripts/get-kernel --source");
	if (patch_is(&text)) {
		file = patch_build(argv[optind], &text, &p, &id);
	} else if (p.source || p.id || p.version || p.allow_unproven || p.allow_layout || p.dry_run || p.json) {
		refuse(NL_EUSAGE, "-S, -n, --id, --version, --allow and --json are for patches, and this is none");
	} else {
		r = recipe_read(argv[optind]);
		refuse_context(r->id, "built", false);
		file = build_leaf(r, kernel_open(p.kernel), p.headers, p.cc);
		id = r->id;
	}
	l = leaffile_parse(file, id); /* what the hypervisor would refuse is not written */
	if (p.dry_run)
		return NL_EXIT_OK;
	output = output ? output : xformat("%s.leaf", id);
	file_write(output, l.file.p, l.file.n, 0644);
	fprintf(stderr, "built %s: %u site%s, body %u + %u bytes, %u relocations -> %s\n", id,
	        l.leaf.header->sites.count, l.leaf.header->sites.count == 1 ? "" : "s", l.leaf.header->text.count,
	        l.leaf.header->data.count + l.leaf.header->bss_size, l.leaf.header->relocs.count,
	        escape(output, FOR_TERMINAL));
	return NL_EXIT_OK;
}
