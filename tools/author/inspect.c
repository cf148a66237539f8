// SPDX-License-Identifier: Apache-2.0
/* `inspect`: what a leaf does, where, by whom, what it needs and what it risks. Reads the leaf alone, no kernel. */
#include "codeview.h"
#include "commands.h"
#include "facts.h"
#include "leaf_modules.h"
#include "leaffile.h"
#include "watch.h"

#include <getopt.h>
#include <string.h>

struct counts {
	uint32_t functions, data, pages, body_bytes;
};

static struct counts count(const struct leaffile *l)
{
	const struct nl_leaf_header *h = l->leaf.header;
	struct counts c = {.body_bytes = h->text.count + h->data.count + h->bss_size};

	for (uint32_t i = 0; i < h->sites.count; i++) {
		const struct nl_leaf_site *s = &l->leaf.sites[i];
		bool new_page = true, new_function = s->kind == NL_SITE_TEXT && !watch_is(l, s);

		for (uint32_t j = 0; j < i; j++) {
			const struct nl_leaf_site *o = &l->leaf.sites[j];

			new_page &= leaffile_site_va(l, o) >> NL_PAGE_SHIFT != leaffile_site_va(l, s) >> NL_PAGE_SHIFT;
			new_function &= !leaf_same_function(o, s);
		}
		c.pages += new_page;
		c.functions += new_function;
		c.data += s->kind == NL_SITE_RODATA;
	}
	return c;
}

static const char *const consistency[] = {"switch", "strict", "mixable"};

static const char *needs(const struct leaffile *l)
{
	const struct nl_leaf_target *t = &l->leaf.header->target;

	for (uint32_t i = 0; i < l->leaf.header->relocs.count; i++)
		if (l->leaf.relocs[i].symbol == NL_SYM_RETURN_THUNK)
			return xformat("build-id %02x%02x%02x%02x.., the return thunk of the running CPU",
			               t->kernel.build_id[0], t->kernel.build_id[1], t->kernel.build_id[2],
			               t->kernel.build_id[3]);
	return xformat("build-id %02x%02x%02x%02x..", t->kernel.build_id[0], t->kernel.build_id[1],
	               t->kernel.build_id[2], t->kernel.build_id[3]);
}

static void print_site(FILE *f, const struct leaffile *l, const struct nl_leaf_site *s)
{
	if (watch_is(l, s))
		fprintf(f, "WAITS until no task is in %s, %u bytes at %s\n", escape(l->strings + s->name, FOR_TERMINAL),
		        s->func_size, leaf_place_name(l, s->object, s->region, s->func_offset));
	else
		fprintf(f, "WHERE %s, %u bytes at %s\n", escape(leaffile_site_place(l, s), FOR_TERMINAL), s->len,
		        leaf_place_name(l, s->object, s->region, s->offset));
}

/* Sites of an object; of one with none the leaf's code needs something. */
static uint32_t sites_of(const struct leaffile *l, uint32_t object)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->leaf.header->sites.count; i++)
		n += l->leaf.sites[i].object == object;
	return n;
}

static void print_module(FILE *f, const struct leaffile *l, uint32_t object)
{
	const struct nl_leaf_object *o = nl_leaf_object(&l->leaf, object);
	uint32_t n = sites_of(l, object);

	fprintf(f, "      module %s, build-id %02x%02x%02x%02x..: %s\n", escape(o->name, FOR_TERMINAL), o->build_id[0],
	        o->build_id[1], o->build_id[2], o->build_id[3],
	        n ? xformat("%u site%s, whenever it is loaded", n, n == 1 ? "" : "s")
	          : "nothing changes in it; the leaf's code refers to it");
}

static void print_text(FILE *f, const struct leaffile *l)
{
	const struct nl_leaf_header *h = l->leaf.header;
	struct counts c = count(l);

	fprintf(f, "%s version %u  sha256 ", h->id, h->version);
	hex_print(f, l->digest, sizeof(l->digest));
	fprintf(f, "\n%s%s", escape(l->strings + h->description, FOR_TERMINAL), l->strings[h->description] ? "\n" : "");
	fprintf(f, "WHAT  %u function%s, %u data, %u page%s, body %u bytes\n", c.functions, c.functions == 1 ? "" : "s",
	        c.data, c.pages, c.pages == 1 ? "" : "s", c.body_bytes);
	for (uint32_t i = 0; i < h->sites.count; i++)
		print_site(f, l, &l->leaf.sites[i]);
	for (uint32_t i = 0; i < l->n_signatures; i++) {
		uint8_t id[32];

		nl_key_id(l->signatures[i].key, id);
		fprintf(f, "WHO   signed by key %02x%02x%02x%02x (newleaf verify says whether to believe it)\n", id[0],
		        id[1], id[2], id[3]);
	}
	if (!l->n_signatures)
		fprintf(f, "WHO   unsigned\n");
	facts_print(f, l, false);
	fprintf(f, "NEEDS %s\n", needs(l));
	for (uint32_t i = 1; i <= h->objects.count; i++)
		print_module(f, l, i);
	facts_print(f, l, true);
	fprintf(f, "RISK  %s · reversible: yes · side tables: none\n",
	        !c.functions                               ? "old values may have been read before"
	        : h->consistency == NL_CONSISTENCY_STRICT  ? "strict: waits until no task is inside the old code"
	        : h->consistency == NL_CONSISTENCY_MIXABLE ? "mixable: the author says old and new may run side by side"
	                                                   : "old callers may finish in old code");
	if (h->confirm_s)
		fprintf(f, "TRIAL taken back unless confirmed within %u s\n", h->confirm_s);
}

/* A page that stands alone: the summary as text, then the code. */
static void print_html(const struct leaffile *l, const struct kernel *k)
{
	static const char style[] =
	        "body{font:14px sans-serif;margin:2em}pre,td{font:13px "
	        "monospace;white-space:pre}table{border-collapse:collapse}"
	        "td{padding:0 .6em}tr.old{background:#fdd}tr.new{background:#dfd}td:nth-child(odd){color:#888}";
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		refuse(NL_EENVIRONMENT, "out of memory");
	print_text(f, l);
	fclose(f);
	printf("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>%s</title><style>%s</style></head><body>\n"
	       "<h1>%s</h1>\n<pre>",
	       l->leaf.header->id, style, l->leaf.header->id);
	html_print(stdout, text);
	printf("</pre>\n");
	codeview_html(stdout, l, k);
	printf("</body></html>\n");
}

static void print_json(const struct leaffile *l)
{
	const struct nl_leaf_header *h = l->leaf.header;
	struct counts c = count(l);

	printf("{\"schema\":\"newleaf.inspect/1\",\"result\":\"ok\",\"id\":\"%s\",\"version\":%u,\"sha256\":\"", h->id,
	       h->version);
	hex_print(stdout, l->digest, sizeof(l->digest));
	printf("\",\"description\":");
	json_string(stdout, l->strings + h->description);
	printf(",\"consistency\":\"%s\",\"confirm_s\":%u,\"target\":{\"build_id\":\"", consistency[h->consistency],
	       h->confirm_s);
	hex_print(stdout, h->target.kernel.build_id, h->target.kernel.build_id_len);
	printf("\"},\"modules\":[");
	for (uint32_t i = 1; i <= h->objects.count; i++) {
		const struct nl_leaf_object *o = nl_leaf_object(&l->leaf, i);

		printf("%s{\"name\":", i > 1 ? "," : "");
		json_string(stdout, o->name);
		printf(",\"build_id\":\"");
		hex_print(stdout, o->build_id, o->build_id_len);
		printf("\",\"sites\":%u}", sites_of(l, i));
	}
	printf("],\"signed\":%s,\"key_ids\":[", l->n_signatures ? "true" : "false");
	for (uint32_t i = 0; i < l->n_signatures; i++) {
		uint8_t id[32];

		nl_key_id(l->signatures[i].key, id);
		printf("%s\"", i ? "," : "");
		hex_print(stdout, id, sizeof(id));
		putchar('"');
	}
	printf("],\"facts\":");
	facts_print_json(l);
	printf(",\"functions\":%u,\"data\":%u,\"pages\":%u,\"body_bytes\":%u,\"relocations\":%u,\"sites\":[",
	       c.functions, c.data, c.pages, c.body_bytes, h->relocs.count);
	for (uint32_t i = 0; i < h->sites.count; i++) {
		const struct nl_leaf_site *s = &l->leaf.sites[i];

		printf("%s{\"place\":", i ? "," : "");
		json_string(stdout, leaffile_site_place(l, s));
		printf(",\"kind\":\"%s\",\"changes\":%s,\"module\":", s->kind == NL_SITE_TEXT ? "text" : "rodata",
		       watch_is(l, s) ? "false" : "true");
		if (s->object) {
			const struct nl_leaf_object *o = nl_leaf_object(&l->leaf, s->object);

			json_string(stdout, o->name);
			printf(",\"region\":\"%s\",\"offset\":%u,\"va\":null",
			       leaf_memory_name(o->regions[s->region].kind), s->offset);
		} else {
			printf("null,\"va\":\"%#llx\"", (unsigned long long)leaffile_site_va(l, s));
		}
		printf(",\"length_bytes\":%u,\"expected\":\"", s->len);
		hex_print(stdout, l->leaf.bytes + s->expected, s->len);
		printf("\"}");
	}
	printf("]}\n");
}

/* The kernel that the leaf is for, and its modules. */
static struct kernel *kernel_of(const struct leaffile *l, const char *path, const struct modules_given *given)
{
	struct kernel *k = kernel_open_with(path, given);
	const struct nl_leaf_object *o = &l->leaf.header->target.kernel;

	if (o->build_id_len != k->build_id_len || memcmp(o->build_id, k->build_id, k->build_id_len))
		refuse(NL_EBUILDID, "%s is not the kernel that the leaf is for", path);
	leaf_modules_check(l, k);
	return k;
}

int command_inspect(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
	                                        {"html", no_argument, NULL, 'h'},
	                                        {"kernel", required_argument, NULL, 'k'},
	                                        {"modules", required_argument, NULL, 'M'},
	                                        {NULL, 0, NULL, 0}};
	struct modules_given given = {.n = 0};
	const char *path = NULL;
	const struct kernel *k;
	struct leaffile l;
	bool json = false, html = false;
	int c;

	while ((c = getopt_long(argc, argv, "k:M:", options, NULL)) != -1) {
		if (c != 'j' && c != 'k' && c != 'h' && c != 'M')
			usage_error("inspect", "an option is not understood");
		json |= c == 'j';
		html |= c == 'h';
		path = c == 'k' ? optarg : path;
		if (c == 'M')
			modules_give(&given, optarg);
	}
	if (argc - optind != 1 || (json && html))
		usage_error("inspect", "one leaf, and one of --json and --html");
	refuse_context(argv[optind], "inspected", json);
	l = leaffile_read(argv[optind]);
	k = path ? kernel_of(&l, path, &given) : NULL;
	if (json)
		print_json(&l);
	else if (html)
		print_html(&l, k);
	else
		print_text(stdout, &l);
	if (k && !json && !html)
		codeview_text(stdout, &l, k);
	return NL_EXIT_OK;
}
