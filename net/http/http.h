// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.1 for the network's stack: what its files share. net/conn.h is what TCP sees of it, net/call.h what it asks
 * the core by; it knows nothing else, keeps nothing between two requests but counts, and allocates nothing.
 *
 *     request.c  bytes to a request: the only parser here
 *     slots.c    a connection's life, calls of the core
 *     head.c     status lines, header fields, problems (RFC 9457)
 *     text.c     numbers, hexadecimal, JSON and its escapes
 *     json.c, metrics.c, page.html   the answers
 */
#ifndef NET_HTTP_HTTP_H
#define NET_HTTP_HTTP_H

#include "../call.h"
#include "../conn.h"
#include "text.h"

#include <newleaf/order.h>
#include <newleaf/witness.h>

#define HTTP_LINE 1024u     /* bytes of a request line, or of a field's */
#define HTTP_HEAD 8192u     /* of all lines together */
#define HTTP_HEAD_MS 10000u /* for whoever sends a byte now and then */
#define HTTP_BODY_MS 40000u /* likewise, from the connection on */
#define HTTP_AGAIN_MS 4000u /* of NL_AGAIN, until the client is told to come back: less than CONN_IDLE_MS */
#define HTTP_AGAIN_CALLS 8u /* calls at once */
#define HTTP_STAGE 8192u    /* bytes of a leaf for each call */
#define HTTP_ENTRIES 52u    /* of the journal in an answer */
#define HTTP_PIECE 2048u    /* of an answer that is made piece by piece */

enum http_method { HTTP_GET = 1, HTTP_HEAD_ = 2, HTTP_POST = 4, HTTP_PUT = 8, HTTP_OPTIONS = 16 };

enum http_place {
	HTTP_PAGE,
	HTTP_METRICS,
	HTTP_STATUS,
	HTTP_LEAVES,
	HTTP_JOURNAL,
	HTTP_CHALLENGE,
	HTTP_ORDERS,
	HTTP_LEAF,
	HTTP_PLACES,
	HTTP_STAR = HTTP_PLACES, /* OPTIONS * */
	HTTP_NOWHERE
};

struct http_request {
	/* The parser's. */
	uint16_t n;       /* bytes of line[] */
	uint16_t head;    /* bytes of all lines so far */
	uint8_t lines;    /* complete: 0, 1 = the request line, 2 = fields, too */
	bool cr, skipped; /* a CR is to be followed by LF; an empty line in front was passed over */
	uint8_t line[HTTP_LINE];
	/* What came of it. */
	uint8_t method; /* enum http_method; 0 = none of ours */
	uint8_t place;  /* enum http_place */
	uint8_t minor;  /* HTTP/1.minor */
	bool host, length_said, coding, chunked, expects, other_type;
	bool wants_bytes, wants_json; /* by Accept */
	bool nonce_said, from_said, query_wrong;
	uint64_t length;
	uint64_t from;
	uint8_t name[32]; /* the nonce, or the leaf's SHA-256 */
};

/* The next bytes. 0 = more are wanted, 200 = the head is complete, else the status of a refusal. *used says how many
 * were taken: all, if more are wanted. */
unsigned http_parse(struct http_request *r, const uint8_t *bytes, size_t n, size_t *used);

/* May this method be used there, and what does the network need for it? By place. */
struct http_rule {
	uint8_t methods; /* bits of enum http_method */
	uint8_t may;     /* of enum nl_net_may */
};
extern const struct http_rule http_rules[HTTP_PLACES];

enum http_state {
	HTTP_S_HEAD, /* its request comes */
	HTTP_S_BODY,
	HTTP_S_RUN,  /* the core is asked */
	HTTP_S_SEND, /* the answer goes out; what still comes is thrown away */
};

struct http_slot {
	uint8_t state; /* enum http_state */
	bool eof;
	uint64_t since, again; /* when it was opened; when the core first said NL_AGAIN, and 1; 0: it did not */
	struct http_request request;
	/* Going out: from[0..left), then piece number `index` of body, if any. */
	const uint8_t *from;
	size_t left;
	unsigned index;
	bool (*body)(struct http_slot *s, struct text *t, unsigned i);
	const uint8_t *bytes; /* or these, as a whole */
	size_t n_bytes;
	/* Of a request's body: bytes in data, and in the core already. */
	size_t staged, offset;
	/* Of the answer's. */
	size_t count;
	unsigned status;
	enum nl_err error; /* of a problem */
	uint64_t next;     /* of the journal */
	uint64_t tsc_now, tsc_hz, generation;
	uint8_t boot_id[16];
	uint8_t conditions[4], weakened, on_trial; /* of leaves, how many */
	uint64_t answers[6];                       /* http_answers, when it was begun */
	union {
		struct nl_net_facts facts;
		struct nl_leaf_state leaves[NL_MAX_LEAVES];
		struct nl_journal_entry entries[HTTP_ENTRIES];
		struct nl_challenge challenge;
		uint8_t bytes[NL_SIGNED_MAX_SIZE];
		uint8_t order[NL_ORDER_MAX_SIZE];
		uint8_t leaf[HTTP_STAGE];
	} data;
	char piece[HTTP_PIECE];
};

/* Answers since the stack's start, by the first digit of their status. */
extern uint64_t http_answers[6];

/* head.c: the answer begins: its head is next. The body was set before (body, or bytes and n_bytes), or there is none.
 * HEAD asks for the head alone. */
void http_answer(struct http_slot *s, unsigned status, const char *type);
void http_refuse(struct http_slot *s, unsigned status); /* by HTTP's own rules */
void http_refuse_error(struct http_slot *s, enum nl_err error);
const char *http_error_name(uint32_t error);
unsigned http_status_of(enum nl_err error);

/* Bodies, a piece at a time: false = there is no piece i. */
bool http_json_status(struct http_slot *s, struct text *t, unsigned i);
bool http_json_leaves(struct http_slot *s, struct text *t, unsigned i);
bool http_json_journal(struct http_slot *s, struct text *t, unsigned i);
bool http_json_challenge(struct http_slot *s, struct text *t, unsigned i);
bool http_json_done(struct http_slot *s, struct text *t, unsigned i);
bool http_metrics(struct http_slot *s, struct text *t, unsigned i);

extern const uint8_t http_page[], http_page_end[];

#endif
