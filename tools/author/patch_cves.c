// SPDX-License-Identifier: Apache-2.0
/*
 * Who mends a CVE says so in the subject ("mm: fix it (CVE-2024-1)"), by the patch's name (CVE-2024-1.patch), on a line
 * of nothing else (Ubuntu), or behind a word for it: "CVE: ..." (Yocto, RHEL), "Fixes: CVE-...", "References: ..."
 * (SUSE), "Bug-Debian-Security: https://.../CVE-..." (DEP-3). In a sentence a CVE may be another's, or not be mended.
 */
#define _GNU_SOURCE
#include "patch_cves.h"

#include <ctype.h>
#include <newleaf/types.h>
#include <string.h>
#include <strings.h>

bool cve_is_one(const char *text)
{
	size_t year = strncmp(text, "CVE-", 4) ? 0 : strspn(text + 4, "0123456789");
	size_t number = year == 4 && text[8] == '-' ? strspn(text + 9, "0123456789") : 0;

	return number >= 4 && number <= 11 && !text[9 + number];
}

static bool is_listed(char *const *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], id))
			return true;
	return false;
}

static void claim(struct diff *d, char *id)
{
	size_t kept = 0;

	if (!is_listed(d->cve, d->n_cves, id) && d->n_cves < DIFF_CVES_MAX)
		d->cve[d->n_cves++] = id;
	for (size_t i = 0; i < d->n_spoken_of; i++)
		if (strcmp(d->spoken_of[i], id))
			d->spoken_of[kept++] = d->spoken_of[i];
	d->n_spoken_of = kept;
}

static void mention(struct diff *d, char *id)
{
	if (!is_listed(d->cve, d->n_cves, id) && !is_listed(d->spoken_of, d->n_spoken_of, id) &&
	    d->n_spoken_of < DIFF_CVES_MAX)
		d->spoken_of[d->n_spoken_of++] = id;
}

static void each(struct diff *d, const char *text, bool mends)
{
	for (const char *p = text; (p = strstr(p, "CVE-"));) {
		size_t n = 4 + strspn(p + 4, "0123456789-");
		char *id = xformat("%.*s", (int)n, p);

		p += n;
		while (n && id[n - 1] == '-') /* CVE-2024-1086-fix.patch */
			id[--n] = 0;
		if (cve_is_one(id))
			(mends ? claim : mention)(d, id);
	}
}

/* A list of CVEs, and nothing else. */
static bool only_cves(const char *p)
{
	bool any = false;

	while (*p) {
		if (starts_with(p, "CVE-")) {
			p += 4 + strspn(p + 4, "0123456789-");
			any = true;
		} else if (starts_with(p, "and ")) {
			p += 4;
		} else if (strchr(" \t,;.&*-()[]{}", *p)) {
			p++;
		} else {
			return false;
		}
	}
	return any;
}

static bool is_word(const char *p, size_t n, const char *word) { return strlen(word) == n && !strncasecmp(p, word, n); }

/* What stands behind such a word is mended, whatever else does. */
static bool is_field(const char *key, size_t n)
{
	static const char *const fields[] = {"cve", "cves", "cve-id", "cve-ids", "security", "references", "bug"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(fields); i++)
		if (is_word(key, n, fields[i]))
			return true;
	return n > 4 && (!strncasecmp(key, "bug-", 4) || is_word(key, n, "buglink") || is_word(key, n, "bugzilla"));
}

/* "Fixes: 012345678 ("the mitigation of CVE-...")" says another thing than "Fixes: CVE-...". */
static bool is_verb(const char *key, size_t n)
{
	static const char *const verbs[] = {"fix",      "fixes",   "fixed",     "mends",     "mitigates",
	                                    "resolves", "closes",  "addresses", "addressed", "this fixes",
	                                    "fix for",  "patches", "corrects"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(verbs); i++)
		if (is_word(key, n, verbs[i]))
			return true;
	return false;
}

/* A title, which is as good as a subject. */
static bool is_title(const char *key, size_t n) { return is_word(key, n, "description"); }

void cves_of_line(struct diff *d, const char *line)
{
	const char *cve = strstr(line, "CVE-"), *key = line + strspn(line, " \t*-"), *colon = strchr(key, ':');
	size_t n = colon ? (size_t)(colon - key) : 0;

	if (!cve)
		return;
	if (only_cves(line) || (n && colon < cve && is_field(key, n))) {
		each(d, line, true);
		return;
	}
	if (n && colon < cve && is_title(key, n)) {
		cves_of_subject(d, colon + 1);
		return;
	}
	n = strcspn(key, ":");
	if (colon > cve || !colon) /* the words before it */
		for (n = cve > key ? (size_t)(cve - key) : 0; n && isspace((unsigned char)key[n - 1]);)
			n--;
	each(d, line, n && is_verb(key, n) && only_cves(key + n + (key[n] == ':')));
}

/* A subject that takes something back, or goes on with it, has the CVE of another patch in it. */
void cves_of_subject(struct diff *d, const char *subject)
{
	static const char *const words[] = {"revert",    "regress",       "incomplete", "follow-up",
	                                    "followup",  "fallout",       "breakage",   "broken by",
	                                    "caused by", "introduced by", "fix the fix"};
	bool mends = true;

	for (size_t i = 0; i < NL_ARRAY_SIZE(words); i++)
		mends &= !strcasestr(subject, words[i]);
	each(d, subject, mends);
}

void cves_of_file(struct diff *d, const char *path)
{
	char *name = xformat("%s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);

	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	each(d, name, !strstr(name, "REVERT"));
}

void cves_given(struct diff *d, const char *const *cve, size_t n)
{
	char *said[DIFF_CVES_MAX];
	size_t n_said = d->n_cves;

	if (!n)
		return;
	memcpy(said, d->cve, n_said * sizeof(*said));
	d->n_cves = 0;
	for (size_t i = 0; i < n; i++)
		claim(d, xformat("%s", cve[i]));
	for (size_t i = 0; i < n_said; i++)
		mention(d, said[i]);
}
