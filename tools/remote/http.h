// SPDX-License-Identifier: Apache-2.0
/*
 * One request to a machine's network, and its answer. What answers may be hostile, or something else altogether: an
 * answer has a longest size, a longest time and one type of content, or it is none. Nothing of it is believed here.
 */
#ifndef NEWLEAF_REMOTE_HTTP_H
#define NEWLEAF_REMOTE_HTTP_H

#include <newleaf/errors.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_PORT 9947u

struct http_request {
	const char *base;   /* http://HOST:PORT */
	const char *method; /* GET, POST, PUT */
	const char *path;   /* from / on */
	const void *body;
	size_t size;
	size_t max;       /* bytes of an answer that are taken */
	uint64_t time_ms; /* for all of it */
};

struct http_answer {
	long status;    /* 200, ...; 0 = none came */
	uint8_t *bytes; /* 8-byte aligned; of an answer 2xx with octets, else of its problem; given back by http_free */
	size_t size;
	enum nl_err
	        said; /* of a refusal: its error's name, which nobody has signed; NL_OK: it gave none that is known */
	unsigned after_s; /* Retry-After, 0 = it did not say */
	char why[200];    /* what went wrong, for people */
};

void http_begin(void); /* once, before any thread */
/* NL_OK: an answer came, of whatever status, and is within its bounds. NL_EUNREACHABLE: none came, or not the whole.
 * NL_ESTATUS: what came is no answer of a machine's. */
enum nl_err http_ask(const struct http_request *r, struct http_answer *a);
void http_free(struct http_answer *a);

#endif
