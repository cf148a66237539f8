// SPDX-License-Identifier: Apache-2.0
/* `check`: would this leaf match this kernel image, or each of a directory? Of a recipe: could one be built? */
#include "check.h"
#include "commands.h"
#include "fetch.h"
#include "leaf_modules.h"
#include "matrix.h"
#include "place.h"
#include "linux_modules.h"
#include "linux_target.h"

#include <getopt.h>
#include <string.h>

static void check_identity(const struct leaffile *l, const struct kernel *k)
{
	const struct nl_leaf_target *t = &l->leaf.header->target;
	struct nl_leaf_target own = {0};

	if (t->kernel.build_id_len != k->build_id_len || memcmp(t->kernel.build_id, k->build_id, k->build_id_len))
		refuse(NL_EBUILDID, "the leaf wants build-id %02x%02x%02x%02x.., %s has %02x%02x%02x%02x..",
		       t->kernel.build_id[0], t->kernel.build_id[1], t->kernel.build_id[2], t->kernel.build_id[3],
		       k->release, k->build_id[0], k->build_id[1], k->build_id[2], k->build_id[3]);
	linux_target_fill(&own, k);
	if (l->leaf.header->objects.count)
		linux_modules_fill(&own, k);
	own.kernel.text = t->kernel.text; /* the leaf's, not the kernel's */
	own.kernel.data = t->kernel.data;
	if (memcmp(&own, t, sizeof(own)))
		refuse(NL_ELEAF, "the leaf describes this kernel otherwise than the kernel itself does");
}

/* Relocations of the leaf that lie in the expected bytes of one site, as (type, offset in the site, what they resolve
 * to). */
static const struct nl_leaf_reloc *expected_reloc(const struct leaffile *l, uint32_t site, uint32_t offset)
{
	const struct nl_leaf_site *s = &l->leaf.sites[site];

	for (uint32_t i = 0; i < l->leaf.header->relocs.count; i++) {
		const struct nl_leaf_reloc *r = &l->leaf.relocs[i];

		if (r->where == NL_AT_BYTES && r->site == site && r->offset == s->expected + offset)
			return r;
	}
	return NULL;
}

/* As place.c has it: a link address, or what stays. */
static uint64_t symbol_address(const struct leaffile *l, const struct kernel *k, const struct nl_leaf_reloc *r)
{
	return r->symbol == NL_SYM_REGION ? leaf_place(l, k, r->object, r->region, r->value) : r->value;
}

static uint32_t count_expected(const struct leaffile *l, uint32_t site)
{
	const struct nl_leaf_site *s = &l->leaf.sites[site];
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->leaf.header->relocs.count; i++) {
		const struct nl_leaf_reloc *r = &l->leaf.relocs[i];

		n += r->where == NL_AT_BYTES && r->site == site && r->offset >= s->expected &&
		     r->offset < s->expected + s->len;
	}
	return n;
}

static void check_site(const struct leaffile *l, const struct kernel *k, uint32_t index)
{
	const struct nl_leaf_site *s = &l->leaf.sites[index];
	const char *place = leaffile_site_place(l, s);
	struct nl_leaf_reloc own[NL_SITE_MAX_LEN / 4];
	uint8_t bytes[NL_SITE_MAX_LEN];
	size_t n = runtime_bytes(leaf_view(l, k, s->object), leaf_place(l, k, s->object, s->region, s->offset), s->len,
	                         bytes, own, NL_ARRAY_SIZE(own), place);
	bool same = !memcmp(bytes, l->leaf.bytes + s->expected, s->len) && n == count_expected(l, index);

	for (size_t i = 0; same && i < n; i++) {
		const struct nl_leaf_reloc *r = expected_reloc(l, index, own[i].offset);

		same = r && r->type == own[i].type && r->symbol == own[i].symbol &&
		       symbol_address(l, k, r) + (uint64_t)r->addend == own[i].value + (uint64_t)own[i].addend;
	}
	if (!same)
		refuse(NL_EBYTES, "%s of %s does not hold the bytes that the leaf expects", place, k->release);
}

uint32_t check_leaf(const struct leaffile *l, const struct kernel *k)
{
	uint32_t bytes = 0;

	check_identity(l, k);
	leaf_modules_check(l, k);
	for (uint32_t i = 0; i < l->leaf.header->sites.count; i++) {
		check_site(l, k, i);
		bytes += l->leaf.sites[i].len;
	}
	return bytes;
}

/* Recipes and patches are text. */
static bool is_leaf(const char *path)
{
	static const char magic[] = "NEWLEAF"; /* of every format */
	struct buf b = file_read(path, NL_LEAF_MAX_SIZE);

	return b.n >= strlen(magic) && !memcmp(b.p, magic, strlen(magic));
}

static void check_one(const struct matrix_job *job)
{
	struct leaffile l = leaffile_read(job->subject);
	struct kernel *k = kernel_open_with(job->kernels, &job->with.modules);
	uint32_t bytes = check_leaf(&l, k);

	if (job->json)
		printf("{\"schema\":\"newleaf.check/"
		       "1\",\"result\":\"ok\",\"id\":\"%s\",\"kernel\":\"%s\",\"sites\":%u,\"expected_bytes\":%u}\n",
		       l.leaf.header->id, k->release, l.leaf.header->sites.count, bytes);
	else
		printf("match ok: %s fits %s, build-id, %u site%s, %u expected bytes\n", l.leaf.header->id, k->release,
		       l.leaf.header->sites.count, l.leaf.header->sites.count == 1 ? "" : "s", bytes);
}

int command_check(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},
	        {"headers", required_argument, NULL, 'H'},
	        {"cc", required_argument, NULL, 'c'},
	        {"offline", no_argument, NULL, 'O'},
	        {"json", no_argument, NULL, 'j'},
	        {"modules", required_argument, NULL, 'M'},
	        {NULL, 0, NULL, 0},
	};
	struct matrix_job job = {0};
	int c;

	while ((c = getopt_long(argc, argv, "k:H:M:", options, NULL)) != -1) {
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
		case 'O':
			fetch_offline();
			break;
		case 'j':
			job.json = true;
			break;
		default:
			usage_error("check", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !job.kernels)
		usage_error("check", "one leaf or recipe, and by -k a kernel or a directory of kernels");
	job.subject = argv[optind];
	refuse_context(job.subject, "matched", job.json);
	job.is_leaf = is_leaf(job.subject);
	if (!job.is_leaf || matrix_wanted(job.kernels))
		return matrix_run(&job);
	check_one(&job);
	return NL_EXIT_OK;
}
