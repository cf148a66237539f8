// SPDX-License-Identifier: Apache-2.0
/* `verify-status`: what a machine said of itself (newleaf/witness.h), checked on another one. Asks no machine. */
#include "commands.h"
#include "leaffile.h"
#include "named.h"
#include "status_journal.h"
#include "witness.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#define JOURNAL_MAX ((size_t)1 << 30) /* six million entries */

static struct given {
	struct witness_wanted wanted;
	bool machine, nonce, json;
	const char *leaves[NL_MAX_LEAVES];
	unsigned n_leaves;
	const char *journal;
} given;

static const char *const conditions[] = {
        [NL_LEAF_VERIFIED] = "verified", [NL_LEAF_APPLIED] = "applied", [NL_LEAF_REVERTED] = "reverted"};

static const char *hex(const uint8_t *p, size_t n)
{
	char *text = xalloc(2 * n + 1);

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	return text;
}

/* Names were only looked at for their end. */
static const char *shown(const char *name) { return escape(name, given.json ? FOR_JSON : FOR_TERMINAL); }

/* 64 digits, or a file that has nothing else. */
static void read_key(const char *text, uint8_t key[32])
{
	struct buf file = {0};

	if (named_hex(text, key, 32))
		return;
	file = file_read(text, 4096);
	buf_add(&file, NULL, 1);
	((char *)file.p)[strcspn((char *)file.p, "\r\n")] = 0;
	if (!named_hex((char *)file.p, key, 32))
		refuse(NL_EUSAGE, "%s is no machine's key: 64 digits are wanted", text);
}

enum trial { TRIAL_NONE, TRIAL_RUNNING, TRIAL_OVER, TRIAL_TAKEN_BACK };
static const char *const trials[] = {
        [TRIAL_RUNNING] = "running", [TRIAL_OVER] = "over", [TRIAL_TAKEN_BACK] = "taken-back"};

/* OVER: nobody confirmed it, and it is still on. */
static enum trial trial_of(const struct nl_signed_status *s, const struct nl_leaf_state *l)
{
	if (!l->trial_tsc)
		return TRIAL_NONE;
	if (l->condition != NL_LEAF_APPLIED)
		return TRIAL_TAKEN_BACK;
	return (int64_t)(l->trial_tsc - s->status.tsc_now) > 0 ? TRIAL_RUNNING : TRIAL_OVER;
}

/* 0: none is, or nobody knows for how long. */
static uint64_t trial_left_ns(const struct nl_signed_status *s, const struct nl_leaf_state *l)
{
	uint64_t hz = s->witness.boot.tsc_hz;

	if (trial_of(s, l) != TRIAL_RUNNING || !hz)
		return 0;
	return (uint64_t)((unsigned __int128)(l->trial_tsc - s->status.tsc_now) * 1000000000 / hz);
}

static enum nl_err note_of(const struct nl_signed_status *s, const struct nl_leaf_state *l)
{
	return !l->note && trial_of(s, l) == TRIAL_OVER ? NL_ETRIAL : (enum nl_err)l->note;
}

/* What is wrong with it, after what it says is known to be the machine's: NL_OK, NL_EUNKNOWN_LEAF, NL_EBYTES,
 * NL_EDEGRADED. */
static enum nl_err judge(const struct nl_signed_status *s, const char *path, const char **why)
{
	struct leaffile l = leaffile_read(path);
	const struct nl_signed_leaf *found = witness_leaf(s, l.digest);
	enum nl_err err;

	*why = "it is not applied";
	if (!found || found->state.condition != NL_LEAF_APPLIED)
		return NL_EUNKNOWN_LEAF;
	err = witness_bytes(s, found, &l.leaf);
	*why = "other bytes run than it would write";
	if (err == NL_EBYTES)
		return err;
	*why = err == NL_EMODULE ? "parts of it are in modules, whose places a status does not have"
	       : err             ? "what it writes depends on more of the running kernel than a status has"
	                         : xformat("the machine says %s of it", err_name(note_of(s, &found->state)));
	return err || note_of(s, &found->state) ? NL_EDEGRADED : NL_OK;
}

static void name_json(const char *name)
{
	if (name)
		printf("\"%s\"", name);
	else
		printf("null");
}

/* NULL: nothing is to be said. */
static const char *standing_error(const struct nl_standing_state *s)
{
	return s->error == NL_OK || s->error == NL_NOTHING ? NULL : err_name((enum nl_err)s->error);
}

static void orders_json(const struct nl_status *now)
{
	const struct nl_standing_state *s = &now->standing;

	printf("\"orders\":{\"operators\":%u,\"frozen\":%s,\"waiting\":%s,", now->boot.policy.operators,
	       now->orders & NL_ORDER_FROZE ? "true" : "false", now->orders & NL_ORDER_WAITS ? "true" : "false");
	printf("\"standing\":{\"epoch\":%" PRIu64 ",\"floor\":%" PRIu64 ",\"error\":", s->epoch, s->floor);
	name_json(standing_error(s));
	printf(",\"carried\":");
	name_json(s->carried == NL_NOTHING ? NULL : err_name((enum nl_err)s->carried));
	printf("}},");
}

static void orders_text(const struct nl_status *now)
{
	const struct nl_standing_state *s = &now->standing;

	if (now->boot.policy.operators || now->orders)
		printf("orders     need %u operators%s%s\n", now->boot.policy.operators,
		       now->orders & NL_ORDER_FROZE ? "; frozen" : "",
		       now->orders & NL_ORDER_WAITS ? "; one was accepted, and its commit waits" : "");
	if (s->epoch)
		printf("standing   order of epoch %" PRIu64 " in force, floor %" PRIu64 "; %s%s\n", s->epoch, s->floor,
		       s->carried == NL_OK        ? "carried out"
		       : s->carried == NL_NOTHING ? "for the guest to carry out"
		       : s->carried == NL_AGAIN   ? "not carried out yet"
		                                  : "not carried out: ",
		       s->carried == NL_OK || s->carried == NL_NOTHING || s->carried == NL_AGAIN
		               ? ""
		               : err_name((enum nl_err)s->carried));
	if (standing_error(s))
		printf("standing   %s: %s, floor %" PRIu64 "\n",
		       s->epoch ? "a newer order is not taken" : "none in force", standing_error(s), s->floor);
}

static void leaves_json(const struct nl_signed_status *s)
{
	const struct nl_signed_leaf *l = (const struct nl_signed_leaf *)(const void *)(s + 1);

	printf("\"leaves\":[");
	for (uint32_t i = 0; i < s->head.count; i++, l++) {
		printf("%s{\"id\":", i ? "," : "");
		json_string(stdout, l->state.id);
		printf(",\"state\":\"%s\",\"version\":%u,\"sha256\":\"%s\",\"digest\":\"%s\",\"note\":",
		       conditions[l->state.condition], l->state.version, hex(l->state.sha256, 32), hex(l->digest, 32));
		name_json(note_of(s, &l->state) ? err_name(note_of(s, &l->state)) : NULL);
		printf(",\"trial\":");
		name_json(trials[trial_of(s, &l->state)]);
		printf(",\"trial_left_ns\":%" PRIu64 "}", trial_left_ns(s, &l->state));
	}
	printf("]");
}

static void prove_journal(const struct nl_signed_status *s, struct proven_journal *p)
{
	struct buf file = file_read(given.journal, JOURNAL_MAX);

	if (status_journal(s, file.p, file.n, p))
		refuse(NL_EJOURNAL,
		       "%s does not have the journal's newest entry, number %" PRIu64 ", as the machine signed it",
		       given.journal, s->status.journal_newest);
}

static void show_json(const struct nl_signed_status *s, const struct proven_journal *p, enum nl_err err)
{
	const struct nl_status *now = &s->status;
	const struct nl_boot_facts *b = &s->witness.boot;

	printf("{\"schema\":\"newleaf.verify-status/1\",\"result\":\"%s\",\"machine_id\":\"%s\",\"boot_id\":\"%s\","
	       "\"boot\":%u,\"generation\":%" PRIu64 ",\"journal\":%" PRIu64 ",\"journal_sha256\":\"%s\",",
	       err ? "degraded" : "ok", hex(b->machine_id, 16), hex(b->boot_id, 16), b->boots, now->generation,
	       now->journal_newest, hex(s->journal, 32));
	printf("\"version\":");
	json_string(stdout, now->version);
	printf(",\"core_sha256\":\"%s\",\"security_version\":%u,\"secure_boot\":%s,\"keys_from\":\"%s\",\"emulated\":%"
	       "s,",
	       hex(s->witness.core, 32), b->policy.security_version, b->secure_boot ? "true" : "false",
	       b->keys_from_file ? "file" : "image", now->emulated ? "true" : "false");
	if (b->tsc_hz)
		printf("\"uptime_ns\":%" PRIu64 ",",
		       (uint64_t)((unsigned __int128)(now->tsc_now - b->tsc_at_wall) * 1000000000 / b->tsc_hz));
	else
		printf("\"uptime_ns\":null,");
	if (now->kernel_build_id_len)
		printf("\"build_id\":\"%s\",", hex(now->kernel_build_id, now->kernel_build_id_len));
	else
		printf("\"build_id\":null,");
	printf("\"slide\":\"0x%" PRIx64 "\",", now->kernel_slide);
	if (given.journal)
		printf("\"kept\":{\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"boots\":%" PRIu64 ",\"behind\":%" PRIu64
		       "},",
		       p->first, p->last, p->boots, p->behind);
	else
		printf("\"kept\":null,");
	orders_json(now);
	leaves_json(s);
	printf("}\n");
}

static void show_text(const struct nl_signed_status *s, const struct proven_journal *p)
{
	const struct nl_status *now = &s->status;
	const struct nl_boot_facts *b = &s->witness.boot;
	const struct nl_signed_leaf *l = (const struct nl_signed_leaf *)(const void *)(s + 1);

	printf("machine    %s\nboot       %s, number %u", hex(b->machine_id, 16), hex(b->boot_id, 16), b->boots);
	if (b->tsc_hz)
		printf(", %" PRIu64 " s old", (now->tsc_now - b->tsc_at_wall) / b->tsc_hz);
	printf("\nNewleaf    %s, code %s, security version %u%s\n", shown(now->version), hex(s->witness.core, 32),
	       b->policy.security_version, now->emulated ? ", emulated" : "");
	printf("keys       %u, from %s; Secure Boot %s\n", b->n_keys, b->keys_from_file ? "a file" : "the image",
	       b->secure_boot ? "on" : "off");
	printf("journal    %" PRIu64 ", %s\n", now->journal_newest, hex(s->journal, 32));
	if (given.journal)
		printf("kept       %s: entries %" PRIu64 " to %" PRIu64 ", of %" PRIu64
		       " boots, are this machine's; %" PRIu64 " came later\n",
		       shown(given.journal), p->first, p->last, p->boots, p->behind);
	printf("generation %" PRIu64 "\n", now->generation);
	if (now->kernel_build_id_len)
		printf("kernel     build-id %s, moved by 0x%" PRIx64 "\n",
		       hex(now->kernel_build_id, now->kernel_build_id_len), now->kernel_slide);
	orders_text(now);
	for (uint32_t i = 0; i < s->head.count; i++, l++) {
		enum nl_err note = note_of(s, &l->state);

		printf("leaf       %s version %u, %s%s%s, %s\n", shown(l->state.id), l->state.version,
		       conditions[l->state.condition], note ? ", " : "", note ? err_name(note) : "",
		       hex(l->state.sha256, 32));
		if (trial_of(s, &l->state) == TRIAL_RUNNING)
			printf("           on trial, taken back in %s unless somebody confirms it\n",
			       b->tsc_hz ? xformat("%" PRIu64 " s", trial_left_ns(s, &l->state) / 1000000000)
			                 : "some time");
		if (trial_of(s, &l->state) == TRIAL_OVER)
			printf("           its trial is over, nobody confirmed it, and it is still on\n");
		if (trial_of(s, &l->state) == TRIAL_TAKEN_BACK)
			printf("           taken back, because nobody confirmed it\n");
	}
}

static int verify(const char *path)
{
	struct buf file = file_read(path, NL_SIGNED_MAX_SIZE);
	const struct nl_signed_status *s = (const struct nl_signed_status *)(const void *)file.p;
	enum nl_err err = witness_form(file.p, file.n);
	struct proven_journal proven = {0};
	const char *why;

	if (err)
		refuse(err, "%s is no signed status that this version reads", path);
	err = witness_check(s, &given.wanted);
	if (err == NL_EBOOTID)
		refuse(err, "%s is of boot %u of the machine, which has shown boot %u", path, s->witness.boot.boots,
		       given.wanted.after);
	if (err)
		refuse(err,
		       err == NL_EMACHINEID   ? "%s names another machine's key"
		       : err == NL_ECHALLENGE ? "%s answers another nonce"
		                              : "%s was forged, or changed after it was signed",
		       path);
	for (unsigned i = 0; i < given.n_leaves; i++) {
		enum nl_err e = judge(s, given.leaves[i], &why);

		if (e && e != NL_EDEGRADED)
			refuse(e, "%s: %s", given.leaves[i], why);
		if (e && !given.json)
			fprintf(stderr, "%s: %s\n", shown(given.leaves[i]), why);
		err = e ? e : err;
	}
	if (given.journal)
		prove_journal(s, &proven);
	if (given.json)
		show_json(s, &proven, err);
	else
		show_text(s, &proven);
	return err_exit(err);
}

int command_verify_status(int argc, char **argv)
{
	static const struct option options[] = {
	        {"machine", required_argument, NULL, 'm'},
	        {"nonce", required_argument, NULL, 'n'},
	        {"leaf", required_argument, NULL, 'l'},
	        {"after", required_argument, NULL, 'a'},
	        {"json", no_argument, NULL, 'j'},
	        {"journal", required_argument, NULL, 'J'},
	        {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			read_key(optarg, given.wanted.machine_key);
			given.machine = true;
			break;
		case 'n':
			if (!named_hex(optarg, given.wanted.nonce, sizeof(given.wanted.nonce)))
				usage_error("verify-status", "--nonce takes 64 digits");
			given.nonce = true;
			break;
		case 'l':
			if (given.n_leaves == NL_MAX_LEAVES)
				usage_error("verify-status", "no machine has so many leaves");
			given.leaves[given.n_leaves++] = optarg;
			break;
		case 'a':
			given.wanted.after = (uint32_t)named_number(optarg, UINT32_MAX);
			if (!given.wanted.after)
				usage_error("verify-status", "--after takes the number of a boot, from 1 on");
			break;
		case 'J':
			given.journal = optarg;
			break;
		case 'j':
			given.json = true;
			break;
		default:
			usage_error("verify-status", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !given.machine || !given.nonce)
		usage_error("verify-status", "one file, --machine KEY and --nonce HEX");
	refuse_context(argv[optind], "believed", given.json);
	return verify(argv[optind]);
}
