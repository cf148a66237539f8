// SPDX-License-Identifier: Apache-2.0
/* `build`: recipe and kernel in, unsigned leaf out; for a directory of kernels a set of leaves (matrix.c). */
#include "build.h"
#include "body_types.h"
#include "callers.h"
#include "commands.h"
#include "compile.h"
#include "data.h"
#include "fetch.h"
#include "leaffile.h"
#include "made.h"
#include "matrix.h"
#include "note.h"
#include "objects.h"
#include "oldcode.h"
#include "patch_build.h"
#include "patch_cves.h"
#include "percpu.h"
#include "private.h"
#include "redirect.h"
#include "linux_modules.h"
#include "linux_target.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define PATCH_MAX (4u << 20)

static void check_object(const struct object *o)
{
	for (size_t i = 0; i < o->r->n_replace; i++)
		redirect_check(o->k, o->r, &o->r->replace[i]), made_check(o->k, o->r, &o->r->replace[i]);
}

static void note_object(struct draft *d, const struct object *o, const struct build_with *with)
{
	for (size_t i = 0; i < o->r->n_replace; i++)
		redirect_overrides(d, o->k, &o->r->replace[i]);
	oldcode_check(d, o->k, o->r, with->headers, with->cc);
	for (size_t i = 0; i < o->r->n_replace; i++)
		callers_check(d, o->k, o->r, &o->r->replace[i]);
}

static struct body *compiled_body(struct draft *d, const struct kernel *k, const struct recipe *r,
                                  const struct build_with *with, const char **told)
{
	struct compiled objects = compile(k, r, with->headers, with->cc);
	struct body *b;

	if (objects.note && !*told)
		note(d, NL_FACT_NOTE, objects.note);
	*told = *told ? *told : objects.note;
	b = body_load(d, k, r, objects.path, r->n_source);
	compile_clean(&objects);
	if (!b->types[0]) { /* older than GCC 12 */
		note(d, NL_FACT_NOTE, "the body's compiler tells no types: compared as the machine's own makes them");
		objects = compile(k, r, with->headers, "gcc");
		body_take_types(b, objects.path);
		compile_clean(&objects);
	}
	if (k->module && k->btf == module_view(k, NULL)->btf) /* until 5.11, or a module of somebody's own */
		note(d, NL_FACT_NOTE,
		     xformat("the module %s tells no types: those of its own were not compared", k->module->name));
	body_types_check(d, k, r, b);
	private_check(d, k, r, b);
	percpu_check(d, k, r, b);
	return b;
}

/* What of the leaf is this object's: code and data, and the sites in its data. */
static struct body *body_of_object(struct draft *d, const struct object *o, const struct build_with *with,
                                   const char **told)
{
	const struct recipe *r = o->r;
	struct body *b = NULL;

	draft_switch(d, o->module);
	if (r->n_source)
		b = compiled_body(d, o->k, r, with, told);
	data_types_check(o->k, r, b);
	b = b ? b : xalloc(sizeof(*b));
	for (size_t i = 0; i < r->n_replace; i++)
		if (r->replace[i].origin != FROM_SOURCE)
			made_add(d, o->k, r, &r->replace[i], b);
	for (size_t i = 0; i < r->n_data; i++)
		data_add(d, o->k, r, &r->data[i], b);
	return b;
}

struct built build_leaf(const struct recipe *r, const struct kernel *k, const struct build_with *with)
{
	struct draft *d = xalloc(sizeof(*d));
	struct object object[NL_LEAF_MAX_OBJECTS];
	struct body *body[NL_LEAF_MAX_OBJECTS];
	struct built built = {.id = r->id};
	size_t n;

	draft_start(d);
	memcpy(d->h.id, r->id, strlen(r->id));
	d->h.version = r->version;
	d->h.consistency = r->consistency;
	d->h.confirm_s = r->confirm_s;
	d->h.description = draft_string(d, r->description);
	d->k = k;
	linux_target_fill(&d->h.target, k);
	n = objects_of(k, r, object);
	for (size_t i = 0; i < r->n_fact; i++)
		draft_fact_version(d, r->fact[i].kind, r->fact[i].text, r->fact[i].version);
	for (size_t i = 0; i < n; i++) /* before the compiler runs: a refusal is quick */
		check_object(&object[i]);
	for (size_t i = 0; i < n; i++)
		note_object(d, &object[i], with);
	for (size_t i = 0; i < n; i++)
		body[i] = body_of_object(d, &object[i], with, &built.note);
	draft_switch(d, NULL);
	if (r->counter_cpus && r->n_replace)
		draft_counters(d, (uint32_t)r->n_replace, r->counter_cpus);
	for (size_t i = 0; i < n; i++) {
		draft_switch(d, object[i].module);
		for (size_t j = 0; j < object[i].r->n_replace; j++)
			redirect_add(d, object[i].k, object[i].r, &object[i].r->replace[j], body[i]);
	}
	if (draft_has_modules(d))
		linux_modules_fill(&d->h.target, k);
	built.leaf = leaffile_parse(draft_finish(d), r->id); /* what the hypervisor would refuse is not written */
	return built;
}

struct built build_file(const char *path, const struct kernel *k, const struct build_with *with)
{
	struct buf text = file_read(path, PATCH_MAX);
	struct recipe *r;

	if (patch_is(&text))
		return patch_build(path, &text, k, with);
	if (ends_with(path, ".patch") || ends_with(path, ".diff"))
		refuse(NL_ERECIPE, "%s holds no unified diff: there is no '--- FILE' with a '+++ FILE' behind it",
		       path);
	if (with->source || with->id || with->version || with->allow_unproven || with->allow_layout ||
	    with->allow_state || with->allow_modules || with->allow_objects || with->counters || with->dry_run ||
	    with->json || with->consistency || with->confirm_s || with->description || with->n_cves)
		refuse(NL_EUSAGE, "-S, -n, --id, --version, --allow, --consistency, --confirm, --counters, --cve, "
		                  "--description and --json are for patches, and this is none");
	r = recipe_read(path);
	refuse_context(r->id, "built", false);
	return build_leaf(r, k, with);
}

void build_write(const struct built *b, const char *output)
{
	const struct nl_leaf_header *h = b->leaf.leaf.header;

	file_write(output, b->leaf.file.p, b->leaf.file.n, 0644);
	fprintf(stderr, "built %s: %u site%s, body %u + %u bytes, %u relocations -> %s\n", b->id, h->sites.count,
	        h->sites.count == 1 ? "" : "s", h->text.count, h->data.count + h->bss_size, h->relocs.count,
	        escape(output, FOR_TERMINAL));
}

static void allow(struct build_with *with, const char *word)
{
	if (!strcmp(word, "unproven"))
		with->allow_unproven = true;
	else if (!strcmp(word, "layout"))
		with->allow_layout = true;
	else if (!strcmp(word, "state"))
		with->allow_state = true;
	else if (!strcmp(word, "modules"))
		with->allow_modules = true;
	else if (!strcmp(word, "objects"))
		with->allow_objects = true;
	else
		usage_error("build", "--allow takes unproven, layout, state, modules or objects");
}

static void add_cve(struct build_with *with, const char *id)
{
	if (!cve_is_one(id))
		usage_error("build", xformat("'%s' is no CVE: CVE-2024-1086", id));
	if (with->n_cves == BUILD_CVES_MAX)
		usage_error("build", "more CVEs than a leaf can name");
	with->cve[with->n_cves++] = id;
}

static void describe(struct build_with *with, const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			usage_error("build", "a description is printable ASCII");
	if (strlen(text) > NL_FACT_MAX_LEN)
		usage_error("build", xformat("a description has at most %u characters", NL_FACT_MAX_LEN));
	with->description = text;
}

int command_build(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},  {"headers", required_argument, NULL, 'H'},
	        {"cc", required_argument, NULL, 'c'},      {"output", required_argument, NULL, 'o'},
	        {"source", required_argument, NULL, 'S'},  {"id", required_argument, NULL, 'i'},
	        {"version", required_argument, NULL, 'v'}, {"allow", required_argument, NULL, 'a'},
	        {"dry-run", no_argument, NULL, 'n'},       {"offline", no_argument, NULL, 'O'},
	        {"json", no_argument, NULL, 'j'},          {"consistency", required_argument, NULL, 'C'},
	        {"confirm", required_argument, NULL, 'T'}, {"counters", no_argument, NULL, 'N'},
	        {"cve", required_argument, NULL, 'V'},     {"description", required_argument, NULL, 'D'},
	        {"modules", required_argument, NULL, 'M'}, {NULL, 0, NULL, 0},
	};
	struct matrix_job job = {.write = true};
	struct built b;
	int c;

	while ((c = getopt_long(argc, argv, "k:H:M:o:S:n", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			job.kernels = optarg;
			break;
		case 'H':
			job.with.headers = optarg;
			break;
		case 'M':
			modules_give(&job.with.modules, optarg);
			break;
		case 'c':
			job.with.cc = optarg;
			break;
		case 'S':
			job.with.source = optarg;
			break;
		case 'i':
			job.with.id = optarg;
			break;
		case 'v':
			job.with.version = (uint32_t)strtoul(optarg, NULL, 10);
			if (!job.with.version || strspn(optarg, "0123456789") != strlen(optarg) || strlen(optarg) > 9)
				usage_error("build", "versions are numbers from 1");
			break;
		case 'a':
			allow(&job.with, optarg);
			break;
		case 'C':
			job.with.consistency = optarg;
			break;
		case 'T':
			job.with.confirm_s = (uint32_t)strtoul(optarg, NULL, 10);
			if (!job.with.confirm_s || strspn(optarg, "0123456789") != strlen(optarg) ||
			    strlen(optarg) > 5 || job.with.confirm_s > NL_LEAF_MAX_CONFIRM_S)
				usage_error("build", "--confirm wants seconds, at most a day");
			break;
		case 'V':
			add_cve(&job.with, optarg);
			break;
		case 'D':
			describe(&job.with, optarg);
			break;
		case 'N':
			job.with.counters = true;
			break;
		case 'n':
			job.with.dry_run = true;
			break;
		case 'j':
			job.json = true;
			break;
		case 'o':
			job.output = optarg;
			break;
		case 'O':
			fetch_offline();
			break;
		default:
			usage_error("build", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !job.kernels)
		usage_error("build", "one recipe or patch, and by -k a kernel or a directory of kernels");
	job.subject = argv[optind];
	refuse_context(job.subject, "built", job.json);
	if (matrix_wanted(job.kernels)) {
		job.write = !job.with.dry_run;
		return matrix_run(&job);
	}
	job.with.json = job.json;
	b = build_file(job.subject, kernel_open_with(job.kernels, &job.with.modules), &job.with);
	if (!job.with.dry_run)
		build_write(&b, job.output ? job.output : xformat("%s.leaf", b.id));
	return NL_EXIT_OK;
}
