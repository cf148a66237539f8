// SPDX-License-Identifier: Apache-2.0
/*
 * Status lines and header fields, and answers that say why not (RFC 9457). What is wrong with HTTP itself has its
 * status's name; what the core refuses has the error's, from the one table of errors.
 */
#include "http.h"

#include "page.h"

#include <newleaf/errors.h>
#include <string.h>

uint64_t http_answers[6];

static const struct phrase {
	unsigned status;
	const char *name, *detail, *code;
} phrases[] = {
        {200, "OK", NULL, NULL},
        {201, "Created", NULL, NULL},
        {202, "Accepted", NULL, NULL},
        {204, "No Content", NULL, NULL},
        {400, "Bad Request", "the request is malformed, or names a parameter that there is not", "NL_EUSAGE"},
        {403, "Forbidden", "the policy of this machine does not let the network do this: net-may", "NL_EPOLICY"},
        {404, "Not Found", "see docs/reference/http.md for what there is", "NL_EUSAGE"},
        {405, "Method Not Allowed", "Allow says what this is asked by", "NL_EUSAGE"},
        {408, "Request Timeout", "the request came too slowly", "NL_EDEADLINE"},
        {409, "Conflict", NULL, NULL},
        {411, "Length Required", "say Content-Length; no transfer coding is taken", "NL_EUSAGE"},
        {413, "Content Too Large", "an order has at most 4096 bytes, a leaf 262144", "NL_EUSAGE"},
        {414, "URI Too Long", "a request line has at most 1024 bytes", "NL_EUSAGE"},
        {415, "Unsupported Media Type", "send it as it is: Content-Type: application/octet-stream", "NL_EUSAGE"},
        {417, "Expectation Failed", "100-continue is all that can be expected", "NL_EUSAGE"},
        {422, "Unprocessable Content", NULL, NULL},
        {429, "Too Many Requests", NULL, NULL},
        {431, "Request Header Fields Too Large", "a field has at most 1024 bytes, all of them 8192", "NL_EUSAGE"},
        {500, "Internal Server Error", "a defect of Newleaf itself", "NL_EINTERNAL"},
        {501, "Not Implemented", "GET, HEAD, POST, PUT and OPTIONS are understood, and chunked at most",
         "NL_EUNSUPPORTED"},
        {503, "Service Unavailable", "somebody else is being answered, or the core is busy: try again", "NL_EBUSY"},
        {505, "HTTP Version Not Supported", "speak HTTP/1.1", "NL_EUSAGE"},
};

static const struct {
	const char *name, *what, *next;
	uint8_t exit;
} errors[NL_ERRORS_KNOWN] = {
#define ERROR(error_name, code, exit_code, what_it_is, what_next) {#error_name, what_it_is, what_next, exit_code},
        NL_ERRORS(ERROR)
#undef ERROR
};

const char *http_error_name(uint32_t error) { return errors[error < NL_ERRORS_KNOWN ? error : NL_EINTERNAL].name; }

unsigned http_status_of(enum nl_err error)
{
	static const uint16_t of_class[] = {
	        [NL_EXIT_OK] = 500,         [NL_EXIT_INTERNAL] = 500, [NL_EXIT_USAGE] = 400,
	        [NL_EXIT_NOTHING] = 409,    [NL_EXIT_LEAF] = 422,     [NL_EXIT_TARGET] = 409,
	        [NL_EXIT_PERMISSION] = 403, [NL_EXIT_CONFLICT] = 409, [NL_EXIT_DEADLINE] = 503,
	        [NL_EXIT_ABSENT] = 503,     [NL_EXIT_DEGRADED] = 409, [NL_EXIT_ENVIRONMENT] = 503,
	};

	return error == NL_ERATE ? 429 : error == NL_EBUSY ? 503 : of_class[errors[error].exit];
}

static const struct phrase *phrase(unsigned status)
{
	const struct phrase *p = phrases;

	while (p->status != status && p < phrases + NL_ARRAY_SIZE(phrases) - 1)
		p++;
	return p;
}

static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "OPTIONS"};

static void allow(struct text *t, unsigned place)
{
	unsigned methods = HTTP_OPTIONS | (place < HTTP_PLACES ? http_rules[place].methods
	                                                       : HTTP_GET | HTTP_HEAD_ | HTTP_POST | HTTP_PUT);
	const char *between = "Allow: ";

	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (methods >> i & 1) {
			text_add(t, between);
			text_add(t, names[i]);
			between = ", ";
		}
	text_add(t, "\r\n");
}

/* How long the whole body is: it is made once to be counted, and again to be sent. */
static size_t length(struct http_slot *s)
{
	struct text t;
	size_t n = s->n_bytes;

	for (unsigned i = 0; s->body; i++) {
		t = (struct text){.p = s->piece, .size = sizeof(s->piece)};
		if (!s->body(s, &t, i))
			break;
		if (t.cut)
			net_fail(NET_FAIL_HTTP);
		n += t.n;
	}
	return n;
}

void http_answer(struct http_slot *s, unsigned status, const char *type)
{
	const struct http_request *r = &s->request;
	bool head = r->method == HTTP_HEAD_;
	size_t n = head && status == 200 ? 0 : length(s);
	struct text t = {.p = s->piece, .size = sizeof(s->piece)};

	s->state = HTTP_S_SEND;
	s->status = status;
	http_answers[status / 100]++;
	text_add(&t, "HTTP/1.1 ");
	text_uint(&t, status);
	text_char(&t, ' ');
	text_add(&t, phrase(status)->name);
	if (type) {
		text_add(&t, "\r\nContent-Type: ");
		text_add(&t, type);
	}
	if (status != 204 && !(head && status == 200)) {
		text_add(&t, "\r\nContent-Length: ");
		text_uint(&t, n);
	}
	text_add(&t, "\r\nCache-Control: no-store\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n"
	             "Content-Security-Policy: ");
	text_add(&t, s->bytes == http_page ? PAGE_POLICY : "default-src 'none'; frame-ancestors 'none'");
	text_add(&t, "\r\n");
	if (status == 405 || status == 204)
		allow(&t, r->place);
	if (status == 429 || status == 503)
		text_add(&t, "Retry-After: 1\r\n");
	text_add(&t, "\r\n");
	if (t.cut)
		net_fail(NET_FAIL_HTTP);
	s->from = (const uint8_t *)s->piece;
	s->left = t.n;
	s->index = 0;
	if (head) {
		s->body = NULL;
		s->n_bytes = 0;
	}
}

static bool problem(struct http_slot *s, struct text *t, unsigned i)
{
	const struct phrase *p = phrase(s->status);
	enum nl_err e = s->error;

	if (i)
		return false;
	json_open(t, NULL, '{');
	if (e == NL_OK) {
		json_text(t, "type", "about:blank");
		json_text(t, "title", p->name);
	} else {
		text_add(t, "\"type\":\"urn:newleaf:");
		text_add(t, errors[e].name);
		text_char(t, '"');
		t->comma = true;
		json_text(t, "title", errors[e].what);
	}
	json_uint(t, "status", s->status);
	if (e == NL_EUNKNOWN_LEAF && s->request.place == HTTP_LEAF)
		json_text(t, "detail", "no accepted order waits for this leaf: POST /v1/orders first");
	else
		json_text(t, "detail", e == NL_OK ? p->detail : errors[e].next);
	json_text(t, "code", e == NL_OK ? p->code : errors[e].name);
	json_close(t, '}');
	text_char(t, '\n');
	return true;
}

static void refuse(struct http_slot *s, unsigned status, enum nl_err error)
{
	s->error = error;
	s->status = status;
	s->body = problem;
	s->bytes = NULL;
	s->n_bytes = 0;
	http_answer(s, status, "application/problem+json");
}

void http_refuse(struct http_slot *s, unsigned status) { refuse(s, status, NL_OK); }

void http_refuse_error(struct http_slot *s, enum nl_err error)
{
	if (error == NL_OK || (unsigned)error >= NL_ERRORS_KNOWN)
		error = NL_EINTERNAL;
	refuse(s, http_status_of(error), error);
}
