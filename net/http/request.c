// SPDX-License-Identifier: Apache-2.0
/*
 * From bytes to a request (RFC 9112), as strictly as the RFC lets a server be: whatever two readers could understand
 * differently is refused. Bytes may come in pieces of any size.
 */
#include "http.h"

const struct http_rule http_rules[HTTP_PLACES] = {
        [HTTP_PAGE] = {HTTP_GET | HTTP_HEAD_, NL_NET_MAY_READ},
        [HTTP_METRICS] = {HTTP_GET | HTTP_HEAD_, NL_NET_MAY_METRICS},
        [HTTP_STATUS] = {HTTP_GET | HTTP_HEAD_, NL_NET_MAY_READ},
        [HTTP_LEAVES] = {HTTP_GET | HTTP_HEAD_, NL_NET_MAY_READ},
        [HTTP_JOURNAL] = {HTTP_GET | HTTP_HEAD_, NL_NET_MAY_READ},
        [HTTP_CHALLENGE] = {HTTP_GET | HTTP_HEAD_, NL_NET_MAY_ORDERS},
        [HTTP_ORDERS] = {HTTP_POST, NL_NET_MAY_ORDERS},
        [HTTP_LEAF] = {HTTP_PUT, NL_NET_MAY_ORDERS},
};

/* The last one is followed by 64 hexadecimal digits. */
static const char *const paths[HTTP_PLACES] = {
        [HTTP_PAGE] = "/",
        [HTTP_METRICS] = "/metrics",
        [HTTP_STATUS] = "/v1/status",
        [HTTP_LEAVES] = "/v1/leaves",
        [HTTP_JOURNAL] = "/v1/journal",
        [HTTP_CHALLENGE] = "/v1/challenge",
        [HTTP_ORDERS] = "/v1/orders",
        [HTTP_LEAF] = "/v1/leaves/",
};

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }
static bool is_alnum(uint8_t c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }

static bool among(uint8_t c, const char *set)
{
	while (*set && (uint8_t)*set != c)
		set++;
	return *set;
}

static bool is_token(uint8_t c) { return is_alnum(c) || among(c, "!#$%&'*+-.^_`|~"); }

/* Are these n bytes the text s, in lower case? */
static bool same(const uint8_t *p, size_t n, const char *s)
{
	size_t i = 0;

	while (i < n && s[i] && lower(p[i]) == (uint8_t)s[i])
		i++;
	return i == n && !s[i];
}

static int hex(uint8_t c)
{
	return is_digit(c) ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

static bool hash_of(uint8_t hash[32], const uint8_t *p, size_t n)
{
	if (n != 64)
		return false;
	for (size_t i = 0; i < 64; i++) {
		int v = hex(p[i]);

		if (v < 0)
			return false;
		hash[i / 2] = (uint8_t)(hash[i / 2] << 4 | v);
	}
	return true;
}

/* Digits and nothing else; false if there is none, or something else, or it does not fit. */
static bool number_of(uint64_t *v, const uint8_t *p, size_t n)
{
	*v = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(p[i]) || *v > UINT64_MAX / 10 || *v * 10 > UINT64_MAX - (p[i] - '0'))
			return false;
		*v = *v * 10 + (p[i] - '0');
	}
	return n;
}

/* In place. Only what never has a meaning of its own is decoded (RFC 3986, 2.3); the rest, and what has no place in a
 * text, becomes a byte that is in no name of ours. 0: malformed. */
static size_t decode(uint8_t *p, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = p[i];

		if (c == '#')
			return 0;
		if (c == '%') {
			int high = i + 2 < n ? hex(p[i + 1]) : -1, low = i + 2 < n ? hex(p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return 0;
			c = (uint8_t)(high << 4 | low);
			c = is_alnum(c) || among(c, "-._~") ? c : 1;
			i += 2;
		}
		p[to++] = c;
	}
	return to;
}

/* One `name=value` of a query. */
static void parameter(struct http_request *r, const uint8_t *p, size_t n)
{
	size_t name = 0;

	while (name < n && p[name] != '=')
		name++;
	if (r->place == HTTP_STATUS && same(p, name, "nonce") && name < n && !r->nonce_said)
		r->nonce_said = hash_of(r->name, p + name + 1, n - name - 1);
	else if (r->place == HTTP_JOURNAL && same(p, name, "from") && name < n && !r->from_said)
		r->from_said = number_of(&r->from, p + name + 1, n - name - 1);
	else
		r->query_wrong = true;
	if (!r->nonce_said && !r->from_said)
		r->query_wrong = true;
}

static void query(struct http_request *r, const uint8_t *p, size_t n)
{
	for (size_t at = 0; at <= n;) {
		size_t end = at;

		while (end < n && p[end] != '&')
			end++;
		parameter(r, p + at, end - at);
		at = end + 1;
	}
}

static size_t find(const uint8_t *p, size_t n, const char *set)
{
	size_t i = 0;

	while (i < n && !among(p[i], set))
		i++;
	return i;
}

static bool is_path(const uint8_t *p, size_t n, const char *path)
{
	size_t i = 0;

	while (i < n && path[i] && p[i] == (uint8_t)path[i])
		i++;
	return i == n && !path[i];
}

static bool target(struct http_request *r, uint8_t *p, size_t n)
{
	static const char leaf[] = "/v1/leaves/";
	const size_t prefix = sizeof(leaf) - 1;
	size_t path;

	if (n == 1 && *p == '*') {
		r->place = HTTP_STAR;
		return r->method == HTTP_OPTIONS;
	}
	if (n > 7 && same(p, 7, "http://")) { /* absolute-form: whoever it names, it came here */
		size_t authority = find(p + 7, n - 7, "/?#");

		if (!authority || find(p + 7, authority, "@") < authority)
			return false;
		p += 7 + authority;
		n -= 7 + authority;
	} else if (*p != '/') {
		return false;
	}
	if (n && !(n = decode(p, n)))
		return false;
	path = find(p, n, "?");
	r->place = HTTP_NOWHERE;
	for (unsigned i = 0; i < HTTP_LEAF; i++)
		if (is_path(p, path, paths[i]) || (i == HTTP_PAGE && !path))
			r->place = (uint8_t)i;
	if (path > prefix && is_path(p, prefix, leaf) && hash_of(r->name, p + prefix, path - prefix))
		r->place = HTTP_LEAF;
	if (path < n)
		query(r, p + path + 1, n - path - 1);
	return true;
}

static unsigned request_line(struct http_request *r)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {{"GET", HTTP_GET},
	               {"HEAD", HTTP_HEAD_},
	               {"POST", HTTP_POST},
	               {"PUT", HTTP_PUT},
	               {"OPTIONS", HTTP_OPTIONS}};
	uint8_t *p = r->line, *v;
	size_t n = r->n, method = find(p, n, " "), end;

	for (size_t i = 0; i < method; i++)
		if (!is_token(p[i]))
			return 400;
	if (!method || method == n)
		return 400;
	for (size_t i = 0; i < NL_ARRAY_SIZE(methods); i++)
		if (is_path(p, method, methods[i].name))
			r->method = (uint8_t)methods[i].method;
	end = method + 1 + find(p + method + 1, n - method - 1, " ");
	v = p + end + 1;
	if (end == method + 1 || n != end + 9 || !is_path(v, 5, "HTTP/") || !is_digit(v[5]) || v[6] != '.' ||
	    !is_digit(v[7]))
		return 400;
	if (v[5] != '1')
		return 505;
	r->minor = v[7] == '0' ? 0 : 1;
	if (!r->method)
		return 501;
	return target(r, p + method + 1, end - method - 1) ? 0 : 400;
}

/* Accept: is it named, with a weight above nothing? Weights beyond that are not compared. */
static void accept(struct http_request *r, const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t all = find(p + at, n - at, ","), name;
		bool refused = false;

		while (all && among(p[at], " \t")) {
			at++;
			all--;
		}
		name = find(p + at, all, " \t;");
		for (size_t i = name; i + 2 < all; i++)
			if (lower(p[at + i]) == 'q' && p[at + i + 1] == '=') {
				refused = true;
				for (size_t k = i + 2; k < all && (is_digit(p[at + k]) || p[at + k] == '.'); k++)
					if (p[at + k] >= '1' && p[at + k] <= '9')
						refused = false;
			}
		if (!refused && same(p + at, name, "application/octet-stream"))
			r->wants_bytes = true;
		if (!refused && same(p + at, name, "application/json"))
			r->wants_json = true;
		at += all + 1;
	}
}

static unsigned field(struct http_request *r)
{
	const uint8_t *p = r->line;
	size_t name = find(p, r->n, ":"), n = r->n;

	if (!name || name == n)
		return 400;
	for (size_t i = 0; i < name; i++)
		if (!is_token(p[i])) /* and so neither a folded line nor a blank before the colon */
			return 400;
	for (size_t i = name; i < n; i++)
		if ((p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
			return 400;
	const uint8_t *v = p + name + 1;

	n -= name + 1;
	while (n && among(*v, " \t")) {
		v++;
		n--;
	}
	while (n && among(v[n - 1], " \t"))
		n--;
	if (same(p, name, "host")) {
		for (size_t i = 0; i < n; i++)
			if (!is_alnum(v[i]) && !among(v[i], "-._~!$&'()*+,;=:[]%"))
				return 400;
		if (r->host)
			return 400;
		r->host = true;
	} else if (same(p, name, "content-length")) {
		bool digits = n;

		for (size_t i = 0; i < n; i++)
			digits &= is_digit(v[i]);
		if (r->length_said || !digits)
			return 400;
		r->length_said = true;
		if (!number_of(&r->length, v, n))
			r->length = UINT64_MAX; /* more than fits is too much, and not malformed */
	} else if (same(p, name, "transfer-encoding")) {
		r->chunked = !r->coding && same(v, n, "chunked");
		r->coding = true;
	} else if (same(p, name, "expect")) {
		if (!same(v, n, "100-continue"))
			return 417;
		r->expects = true;
	} else if (same(p, name, "accept")) {
		accept(r, v, n);
	} else if (same(p, name, "content-type")) {
		r->other_type |= !same(v, find(v, n, " \t;"), "application/octet-stream");
	} else if (same(p, name, "content-encoding")) {
		r->other_type |= !same(v, n, "identity");
	}
	return 0;
}

/* The empty line: what only all fields together say. */
static unsigned finish(const struct http_request *r)
{
	if (r->minor && !r->host)
		return 400;
	if (r->coding)
		return r->length_said || !r->minor ? 400 : r->chunked ? 411 : 501;
	return 200;
}

static unsigned line(struct http_request *r)
{
	unsigned status = 0;

	if (!r->lines && !r->n) { /* RFC 9112, 2.2: one empty line in front is no mistake */
		if (r->skipped)
			return 400;
		r->skipped = true;
		return 0;
	}
	if (!r->lines)
		status = request_line(r);
	else if (r->n)
		status = field(r);
	else
		return finish(r);
	r->lines = 1;
	r->n = 0;
	return status;
}

unsigned http_parse(struct http_request *r, const uint8_t *bytes, size_t n, size_t *used)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = bytes[i];
		unsigned status = 0;

		*used = i + 1;
		if (r->head++ >= HTTP_HEAD)
			return 431;
		if (r->cr != (c == '\n')) /* a CR without LF, or an LF without CR */
			return 400;
		r->cr = c == '\r';
		if (c == '\n')
			status = line(r);
		else if (c == '\r')
			continue;
		else if (!r->lines && (c < ' ' || c > '~')) /* at once: TLS, say, has no lines to wait for */
			return 400;
		else if (r->n == sizeof(r->line))
			return r->lines ? 431 : find(r->line, r->n, " ") == r->n ? 501 : 414;
		else
			r->line[r->n++] = c;
		if (status)
			return status;
	}
	*used = n;
	return 0;
}
