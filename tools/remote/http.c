// SPDX-License-Identifier: Apache-2.0
/* See http.h. By libcurl, with everything switched off that a machine's network has no use for. */
#include "http.h"
#include "author.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 8192u    /* bytes of status line and headers */
#define PROBLEM_MAX 4096u /* bytes of a refusal */
#define CONNECT_MS 5000   /* within its longest time */
#define SLOW_BYTES 1L     /* a second, at least, */
#define SLOW_SECONDS 10L  /* for as long as this */
#define OCTETS "application/octet-stream"
#define PROBLEM "application/problem+json"

struct taking {
	struct http_answer *answer;
	const char *type; /* of what is wanted */
	size_t max, head;
	bool too_much;
};

void http_begin(void)
{
	if (curl_global_init(CURL_GLOBAL_ALL))
		refuse(NL_EENVIRONMENT, "libcurl does not start");
}

static size_t take_body(char *p, size_t each, size_t n, void *at)
{
	struct taking *t = at;
	struct http_answer *a = t->answer;

	n *= each;
	if (n > t->max - a->size) {
		t->too_much = true;
		return 0;
	}
	memcpy(a->bytes + a->size, p, n);
	a->size += n;
	return n;
}

/* Of all heads together: a machine can send any number of them with a status 1xx. */
static size_t take_head(char *p, size_t each, size_t n, void *at)
{
	struct taking *t = at;

	(void)p;
	n *= each;
	t->head += n;
	t->too_much = t->head > HEAD_MAX;
	return t->too_much ? 0 : n;
}

/* The error's name in a refusal, which is JSON and not parsed: it is for people, and decides when to ask again. */
static enum nl_err said(const struct http_answer *a)
{
	static const char key[] = "\"code\"";
	static const char *const names[] = {
#define NAME(name, code, exit, what, next) [code] = #name,
	        NL_ERRORS(NAME)
#undef NAME
	};
	char text[PROBLEM_MAX + 1], *p;
	size_t n;

	memcpy(text, a->bytes, a->size);
	text[a->size] = 0;
	p = strstr(text, key);
	p = p ? strchr(p + sizeof(key) - 1, '"') : NULL;
	n = p ? strcspn(++p, "\"") : 0;
	for (unsigned i = 1; n && i < NL_ERRORS_KNOWN; i++)
		if (strlen(names[i]) == n && !memcmp(names[i], p, n))
			return (enum nl_err)i;
	return NL_OK;
}

/* Whatever stands behind the type, such as a charset, is passed over. */
static bool is_type(const char *type, const char *wanted)
{
	size_t n = strlen(wanted);

	return type && !strncmp(type, wanted, n) && (!type[n] || type[n] == ';' || type[n] == ' ');
}

static enum nl_err judge(CURL *c, const struct taking *t, CURLcode code, size_t max)
{
	struct http_answer *a = t->answer;
	curl_off_t after = 0;
	char *type = NULL;
	bool good;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	if (t->too_much || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
	    code == CURLE_BAD_CONTENT_ENCODING) {
		snprintf(a->why, sizeof(a->why), "%s",
		         t->too_much ? "the answer is longer than any of a machine's" : curl_easy_strerror(code));
		return NL_ESTATUS;
	}
	if (code) {
		if (!a->why[0])
			snprintf(a->why, sizeof(a->why), "%s", curl_easy_strerror(code));
		return NL_EUNREACHABLE;
	}
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &after);
	a->after_s = after < 0 || after > 60 ? 60 : (unsigned)after;
	good = a->status >= 200 && a->status < 300;
	if (a->status < 200 || (a->status >= 300 && a->status < 400)) {
		snprintf(a->why, sizeof(a->why), "status %ld, which no machine answers", a->status);
		return NL_ESTATUS;
	}
	if (good ? a->size && !is_type(type, t->type) : !is_type(type, PROBLEM)) {
		snprintf(a->why, sizeof(a->why), "status %ld with content of type %.60s, which no machine answers",
		         a->status, type ? type : "none");
		return NL_ESTATUS;
	}
	if (a->size > (good ? max : PROBLEM_MAX)) {
		snprintf(a->why, sizeof(a->why), "the answer is longer than any of a machine's");
		return NL_ESTATUS;
	}
	if (good)
		return NL_OK;
	a->said = said(a);
	snprintf(a->why, sizeof(a->why), "it answers %ld, %s", a->status,
	         a->said ? err_name(a->said) : "without a name");
	return NL_OK;
}

static void set_bounds(CURL *c, const struct http_request *r)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, ""); /* whoever wants one says so to the network, not by the environment */
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->time_ms);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(r->time_ms < CONNECT_MS ? r->time_ms : CONNECT_MS));
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS);
}

static void set_body(CURL *c, const struct http_request *r)
{
	if (!strcmp(r->method, "GET"))
		return;
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)r->size);
}

enum nl_err http_ask(const struct http_request *r, struct http_answer *a)
{
	size_t max = r->max > PROBLEM_MAX ? r->max : PROBLEM_MAX;
	bool gets = !strcmp(r->method, "GET");
	struct taking t = {.answer = a, .type = gets ? OCTETS : "application/json", .max = max};
	struct curl_slist *heads = NULL;
	CURL *c = curl_easy_init();
	char *url = xformat("%s%s", r->base, r->path);
	enum nl_err err;

	*a = (struct http_answer){.bytes = xalloc(max)};
	heads = curl_slist_append(heads, "Accept: " OCTETS);
	heads = curl_slist_append(heads, "Expect:"); /* no machine would say 100 Continue */
	if (!gets)
		heads = curl_slist_append(heads, "Content-Type: " OCTETS);
	if (!c || !heads)
		refuse(NL_EENVIRONMENT, "out of memory");
	set_bounds(c, r);
	set_body(c, r);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, heads);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
	err = judge(c, &t, curl_easy_perform(c), r->max);
	curl_slist_free_all(heads);
	curl_easy_cleanup(c);
	free(url);
	return err;
}

void http_free(struct http_answer *a)
{
	free(a->bytes);
	a->bytes = NULL;
}
