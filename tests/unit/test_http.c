// SPDX-License-Identifier: Apache-2.0
// sources: net/http/slots.c net/http/request.c net/http/head.c net/http/text.c net/http/json.c net/http/metrics.c
// sources: net/http/page.c tests/http/fake.c tests/http/sign.c tests/http/alone.c tests/http/drive.c
// libs: -lcrypto
/*
 * The HTTP server as a function: bytes in, status out, whatever the pieces are that they come in; and what the core
 * can say. RFC 9112 unless another is named.
 */
#include "../http/drive.h"
#include "../http/fake.h"
#include "../../net/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define H " HTTP/1.1\r\nHost: a\r\n"
#define END "\r\n"
#define HEX16 "0123456789abcdef"
#define HASH HEX16 HEX16 HEX16 HEX16
#define OCTETS "Content-Type: application/octet-stream\r\n"
#define REPEAT8(s) s s s s s s s s
#define LONG128 REPEAT8("0123456789abcdef")
#define LONG1024 REPEAT8(LONG128)

static const struct {
	unsigned status; /* 0: none */
	const char *in, *has;
} cases[] = {
        /* What there is. */
        {200, "GET /" H END, "text/html; charset=utf-8"},
        {200, "GET /metrics" H END, "text/plain; version=0.0.4"},
        {200, "GET /v1/status" H END, "newleaf.net.status/1"},
        {200, "GET /v1/leaves" H END, "newleaf.net.leaves/1"},
        {200, "GET /v1/journal" H END, "newleaf.net.journal/1"},
        {200, "GET /v1/journal?from=18446744073709551615" H END, "\"next\":18446744073709551615"},
        {200, "GET /v1/challenge" H END, "newleaf.net.challenge/1"},
        {200, "GET /v1/status?nonce=" HASH H END, "application/octet-stream"},
        {404, "GET /v1" H END, "NL_EUSAGE"},
        {404, "GET //" H END, NULL},
        {404, "GET /v1/status/" H END, NULL},
        {404, "GET /../v1/status" H END, NULL},
        {404, "GET /v1%2fstatus" H END, NULL}, /* RFC 3986, 2.2: not the same as /v1/status */
        {404, "GET /v1/status%00" H END, NULL},
        {404, "PUT /v1/leaves/" H "Content-Length: 1\r\n" END, NULL},
        {404, "PUT /v1/leaves/" HASH "0" H "Content-Length: 1\r\n" END, NULL},
        {404, "PUT /v1/leaves/g" HASH H "Content-Length: 1\r\n" END, NULL},
        {200, "GET /v1/s%74atus" H END, NULL}, /* RFC 3986, 2.3 */
        {200, "GET /%76%31/%6C%65aves" H END, NULL},
        /* Methods: RFC 9110, 9.1, 15.5.6, 15.6.2. */
        {405, "POST /v1/status" H "Content-Length: 1\r\n" END, "Allow: GET, HEAD, OPTIONS\r\n"},
        {405, "GET /v1/orders" H END, "Allow: POST, OPTIONS\r\n"},
        {405, "GET /v1/leaves/" HASH H END, "Allow: PUT, OPTIONS\r\n"},
        {405, "PUT /" H "Content-Length: 1\r\n" END, NULL},
        {501, "DELETE /v1/leaves/" HASH H END, NULL},
        {501, "TRACE /" H END, NULL},
        {501, "CONNECT a:1" H END, NULL},
        {501, "get / HTTP/1.1\r\nHost: a\r\n" END, NULL}, /* of methods, case counts */
        {501, "BREW /" H END, NULL},
        {400, "G(T /" H END, NULL},
        {204, "OPTIONS *" H END, "Allow: GET, HEAD, POST, PUT, OPTIONS\r\n"},
        {204, "OPTIONS /v1/orders" H END, "Allow: POST, OPTIONS\r\n"},
        {400, "GET *" H END, NULL},
        {200, "HEAD /" H END, "script-src 'sha256-"},
        {200, "HEAD /v1/status" H END, "application/json"},
        {200, "HEAD /v1/challenge" H END, NULL},
        {404, "HEAD /no" H END, "Content-Length: 1"},
        /* The request line: 3. */
        {400, "GET  /" H END, NULL},
        {400, "GET / " H END, NULL},
        {400, "GET\t/\tHTTP/1.1\r\nHost: a\r\n" END, NULL},
        {400, "GET /\r\n", NULL}, /* HTTP/0.9 */
        {400, "GET / HTTP/1.1 \r\nHost: a\r\n" END, NULL},
        {400, "GET / http/1.1\r\nHost: a\r\n" END, NULL},
        {400, "GET / HTTP/11\r\nHost: a\r\n" END, NULL},
        {400, "GET / HTTP/1.10\r\nHost: a\r\n" END, NULL},
        {400, " GET /" H END, NULL},
        {400, "GET" H END, NULL},
        {400, "\r\n\r\nGET /" H END, NULL},
        {200, "\r\nGET /" H END, NULL}, /* 2.2 */
        {505, "GET / HTTP/2.0\r\nHost: a\r\n" END, NULL},
        {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NULL},
        {505, "GET / HTTP/0.9\r\nHost: a\r\n" END, NULL},
        {200, "GET / HTTP/1.2\r\nHost: a\r\n" END, NULL}, /* RFC 9110, 2.5 */
        {200, "GET / HTTP/1.0\r\n" END, NULL},
        {400, "\x16\x03\x01\x02\x00\x01", NULL}, /* TLS */
        {400, "GET /\x7f" H END, NULL},
        {400, "GET /\xc3\xa4" H END, NULL},
        {414, "GET /" LONG1024 H END, NULL},
        {501, "A" LONG1024 " /" H END, NULL},
        /* The target: 3.2. */
        {200, "GET http://a" H END, "text/html"},
        {200, "GET HTTP://a:80/v1/status" H END, NULL},
        {400, "GET http:///" H END, NULL},
        {400, "GET http://u@a/" H END, NULL},
        {400, "GET https://a/" H END, NULL},
        {400, "GET a" H END, NULL},
        {400, "GET /#a" H END, NULL},
        {400, "GET /%" H END, NULL},
        {400, "GET /%4" H END, NULL},
        {400, "GET /%4g" H END, NULL},
        /* Parameters. */
        {400, "GET /v1/journal?from=" H END, NULL},
        {400, "GET /v1/journal?from=-1" H END, NULL},
        {400, "GET /v1/journal?from=1x" H END, NULL},
        {400, "GET /v1/journal?from=18446744073709551616" H END, NULL},
        {400, "GET /v1/journal?from=1&from=1" H END, NULL},
        {400, "GET /v1/journal?from" H END, NULL},
        {400, "GET /v1/journal?" H END, NULL},
        {400, "GET /v1/journal?form=1" H END, NULL},
        {400, "GET /v1/status?nonce=" H END, NULL},
        {400, "GET /v1/status?nonce=" HASH "0" H END, NULL},
        {400, "GET /v1/status?nonce=" HEX16 H END, NULL},
        {400, "GET /v1/status?nonse=" HASH H END, NULL}, /* not the unsigned one in its place */
        {400, "GET /v1/status?nonce=" HASH "&nonce=" HASH H END, NULL},
        {400, "GET /metrics?a=1" H END, NULL},
        {404, "GET /no?a=1" H END, NULL},
        /* Lines and fields: 2.2, 5. */
        {400, "GET / HTTP/1.1\nHost: a\r\n" END, NULL},
        {400, "GET / HTTP/1.1\r\nHost: a\n" END, NULL},
        {400, "GET / HTTP/1.1\r\nHost: a\r\n\n", NULL},
        {400, "GET / HTTP/1.1\r\nHost: a\r\r\n" END, NULL},
        {400, "GET / HTTP/1.1\rHost: a\r\n" END, NULL},
        {400, "GET /" H "A: b\r\n c\r\n" END, NULL}, /* obs-fold */
        {400, "GET / HTTP/1.1\r\n Host: a\r\n" END, NULL},
        {400, "GET / HTTP/1.1\r\nHost : a\r\n" END, NULL},
        {400, "GET / HTTP/1.1\r\nHost\r\n" END, NULL},
        {400, "GET /" H "A: b\r\n c: d\r\n" END, NULL},
        {400, "GET /" H "A : d\r\n" END, NULL},
        {400, "GET /" H ": a\r\n" END, NULL},
        {400, "GET /" H "A(: a\r\n" END, NULL},
        {400, "GET /" H "A: \x01\r\n" END, NULL},
        {400, "GET /" H "A: \x7f\r\n" END, NULL},
        {200, "GET /" H "A:\t b\x80\xff\t \r\n" END, NULL},
        {200, "GET /" H "A:\r\n" END, NULL},
        {200, "GET / HTTP/1.1\r\nhOST:a\r\n" END, NULL},
        {431, "GET /" H "A: " LONG1024 "\r\n" END, NULL},
        {431, "GET /" H REPEAT8(REPEAT8(REPEAT8("A: 0123456789ab\r\n"))) END, NULL},
        {400, "GET / HTTP/1.1\r\n" END, NULL}, /* 3.2: Host */
        {400, "GET /" H "Host: a\r\n" END, NULL},
        {400, "GET / HTTP/1.1\r\nHost: a/b\r\n" END, NULL},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n" END, NULL},
        {200, "GET / HTTP/1.1\r\nHost: [fe80::1]:9947\r\n" END, NULL},
        {200, "GET / HTTP/1.1\r\nHost:\r\n" END, NULL},
        /* How long a body is: 6. */
        {411, "POST /v1/orders" H OCTETS END, NULL},
        {411, "POST /v1/orders" H OCTETS "Transfer-Encoding: chunked\r\n" END, NULL},
        {411, "GET /" H "Transfer-Encoding: CHUNKED\r\n" END, NULL},
        {501, "POST /v1/orders" H OCTETS "Transfer-Encoding: gzip, chunked\r\n" END, NULL},
        {501, "POST /v1/orders" H OCTETS "Transfer-Encoding: identity\r\n" END, NULL},
        {501, "GET /" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END, NULL},
        {400, "POST /v1/orders" H OCTETS "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n" END "a", NULL},
        {400, "POST /v1/orders" H OCTETS "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" END "a", NULL},
        {400, "POST /v1/orders HTTP/1.0\r\n" OCTETS "Transfer-Encoding: chunked\r\n" END "a", NULL},
        {400, "POST /v1/orders" H OCTETS "Content-Length: 1\r\nContent-Length: 1\r\n" END "a", NULL},
        {400, "POST /v1/orders" H OCTETS "Content-Length: 1, 1\r\n" END "a", NULL},
        {400, "POST /v1/orders" H OCTETS "Content-Length: +1\r\n" END "a", NULL},
        {400, "POST /v1/orders" H OCTETS "Content-Length: 0x1\r\n" END "a", NULL},
        {400, "POST /v1/orders" H OCTETS "Content-Length:\r\n" END "a", NULL},
        {400, "GET /" H "Content-Length: a\r\n" END, NULL},
        {413, "POST /v1/orders" H OCTETS "Content-Length: 4097\r\n" END, NULL},
        {413, "PUT /v1/leaves/" HASH H "Content-Length: 262145\r\n" END, NULL},
        {413, "PUT /v1/leaves/" HASH H "Content-Length: 18446744073709551617\r\n" END, NULL},
        {422, "POST /v1/orders" H OCTETS "Content-Length: 0\r\n" END, "NL_EORDER"},
        {422, "PUT /v1/leaves/" HASH H "Content-Length: 0\r\n" END, "NL_ELEAF"},
        {200, "GET /" H "Content-Length: 3\r\n" END "abc", NULL},
        {200, "GET /" H END "GET /no" H END, NULL}, /* one request for each connection */
        {400, "POST /v1/orders" H OCTETS "Content-Length: 5\r\n" END "abcd", NULL}, /* cut */
        {400, "GET / HTT", NULL},
        {0, "", NULL},
        /* What it is: RFC 9110, 8.3, 10.1.1, 15.5.16. */
        {415, "POST /v1/orders" H "Content-Type: text/plain\r\nContent-Length: 1\r\n" END "a", NULL},
        {415, "POST /v1/orders" H "Content-Encoding: gzip\r\nContent-Length: 1\r\n" END "a", NULL},
        {422, "POST /v1/orders" H "Content-Length: 1\r\n" END "a", "urn:newleaf:NL_EORDER"},
        {422, "POST /v1/orders" H "Content-type:application/octet-stream ;a=b\r\nContent-Length: 1\r\n" END "a", NULL},
        {417, "POST /v1/orders" H OCTETS "Expect: 200-ok\r\nContent-Length: 1\r\n" END, NULL},
        {422, "POST /v1/orders" H OCTETS "Expect: 100-Continue\r\nContent-Length: 1\r\n" END "a", NULL},
        {409, "PUT /v1/leaves/" HASH H "Content-Length: 3\r\n" END "abc", "POST /v1/orders first"},
        {409, "PUT http://a/v1/leaves/0123456789ABCDEF" HEX16 HEX16 HEX16 H "Content-Length: 3\r\n" END "abc", NULL},
        /* Accept: RFC 9110, 12.5.1. */
        {200, "GET /v1/status" H "Accept: application/octet-stream\r\n" END, "Content-Length: 384\r\n"},
        {200, "GET /v1/challenge" H "Accept: text/html, application/octet-stream;q=0.5\r\n" END,
         "Content-Length: 96\r\n"},
        {200, "GET /v1/status" H "Accept: application/octet-stream;q=0\r\n" END, "application/json"},
        {200, "GET /v1/status" H "Accept: application/octet-stream; q=0.000, */*\r\n" END, "application/json"},
        {200, "GET /v1/status" H "Accept: application/octet-stream, application/json\r\n" END, "application/json"},
        {200, "GET /v1/status" H "Accept: */*\r\nAccept:Application/Octet-Stream\r\n" END, "Content-Length: 384\r\n"},
        {200, "GET /v1/status" H "Accept: ,,;,\r\n" END, "application/json"},
};

static struct drive d;

static int fresh(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	drive_now = 1000;
	fake.now_ms = net_now;
	fake_start();
	return 0;
}

static unsigned ask(const char *in, size_t piece, size_t room)
{
	drive_open(&d, 0, in, strlen(in));
	drive_all(&d, piece, room);
	drive_close(&d);
	assert_true(d.ended);
	return drive_status(&d);
}

static void expect(unsigned status, const char *in, const char *has)
{
	unsigned got = ask(in, CONN_PIECE, CONN_PIECE);

	if (got != status || (has && !strstr(d.out, has)))
		fail_msg("%u instead of %u: %s\n%s", got, status, in, d.out);
}

static void answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(cases); i++)
		expect(cases[i].status, cases[i].in, cases[i].has);
}

/* In two pieces, wherever it is cut; byte by byte; through the eye of a needle. */
static void pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t cut = 1; cut<n; cut += n> 1000 ? 97 : 1) {
			drive_open(&d, 0, cases[i].in, cut);
			d.told_eof = true; /* the rest is still to come */
			while (drive_step(&d, CONN_PIECE, CONN_PIECE))
				;
			d.n = n;
			d.told_eof = false;
			drive_all(&d, CONN_PIECE, CONN_PIECE);
			drive_close(&d);
			assert_true(d.ended);
			if (drive_status(&d) != cases[i].status)
				fail_msg("cut at %zu: %s", cut, cases[i].in);
		}
		assert_int_equal(ask(cases[i].in, 1, 1), cases[i].status);
	}
}

/* What the policy does not let the network do. */
static void policy(void **state)
{
	static const struct {
		const char *in;
		uint32_t may;
		unsigned status;
	} places[] = {{"GET /" H END, NL_NET_MAY_READ, 200},
	              {"GET /metrics" H END, NL_NET_MAY_METRICS, 200},
	              {"GET /v1/status" H END, NL_NET_MAY_READ, 200},
	              {"GET /v1/status?nonce=" HASH H END, NL_NET_MAY_READ, 200},
	              {"HEAD /v1/status" H END, NL_NET_MAY_READ, 200},
	              {"GET /v1/leaves" H END, NL_NET_MAY_READ, 200},
	              {"GET /v1/journal" H END, NL_NET_MAY_READ, 200},
	              {"GET /v1/challenge" H END, NL_NET_MAY_ORDERS, 200},
	              {"POST /v1/orders" H OCTETS "Content-Length: 1\r\n" END "a", NL_NET_MAY_ORDERS, 422},
	              {"PUT /v1/leaves/" HASH H "Content-Length: 1\r\n" END "a", NL_NET_MAY_ORDERS, 409}};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(places); i++)
		for (uint32_t may = 0; may <= NL_NET_MAY_ALL; may++) {
			uint64_t calls = fake.facts.calls;

			net_mailbox.config.may = may;
			if (may & places[i].may) {
				expect(places[i].status, places[i].in, NULL);
			} else {
				expect(403, places[i].in, *places[i].in == 'H' ? NULL : "NL_EPOLICY");
				assert_int_equal(fake.facts.calls, calls);
			}
		}
}

/* A HEAD asks the core nothing, so it voids no challenge. */
static void heads(void **state)
{
	static const char *const in[] = {"HEAD /v1/challenge" H END, "HEAD /v1/status?nonce=" HASH H END,
	                                 "HEAD /metrics" H END, "HEAD /" H END};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(in); i++) {
		expect(200, in[i], NULL);
		assert_int_equal(fake.facts.calls, 0);
		assert_string_equal(strstr(d.out, "\r\n\r\n"), "\r\n\r\n");
	}
}

/* Each error that the core has reaches the client by its name, with the status of its class. */
static void errors(void **state)
{
	static const unsigned of_class[] = {
	        [NL_EXIT_INTERNAL] = 500, [NL_EXIT_USAGE] = 400,      [NL_EXIT_NOTHING] = 409,
	        [NL_EXIT_LEAF] = 422,     [NL_EXIT_TARGET] = 409,     [NL_EXIT_PERMISSION] = 403,
	        [NL_EXIT_CONFLICT] = 409, [NL_EXIT_DEADLINE] = 503,   [NL_EXIT_ABSENT] = 503,
	        [NL_EXIT_DEGRADED] = 409, [NL_EXIT_ENVIRONMENT] = 503};
	static const struct {
		enum nl_err e;
		const char *name;
		unsigned exit;
	} all[] = {
#define ERROR(error, code, exit, what, next) {error, "\"code\":\"" #error "\"", exit},
	        NL_ERRORS(ERROR)
#undef ERROR
	};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(all); i++) {
		if (all[i].e == NL_OK || all[i].e == NL_AGAIN)
			continue;
		unsigned status = all[i].e == NL_ERATE ? 429 : all[i].e == NL_EBUSY ? 503 : of_class[all[i].exit];

		fake.order = all[i].e;
		expect(status, "POST /v1/orders" H "Content-Length: 1\r\n" END "a", all[i].name);
		fake.leaf = all[i].e;
		expect(status, "PUT /v1/leaves/" HASH H "Content-Length: 1\r\n" END "a", all[i].name);
	}
}

/* NL_AGAIN is repeated; not for ever; and what must not mix does not. */
static void again(void **state)
{
	static const char sign[] = "GET /v1/status?nonce=" HASH H END;
	static struct drive other;

	(void)state;
	fake.again = 300;
	expect(200, sign, "application/octet-stream");
	expect(200, "GET /metrics" H END, NULL);
	expect(422, "POST /v1/orders" H "Content-Length: 1\r\n" END "a", NULL);
	fake.any_leaf = true;
	expect(201, "PUT /v1/leaves/" HASH H "Content-Length: 3\r\n" END "abc", "\"sha256\":\"" HASH "\"");
	fake.again = UINT32_MAX;
	uint64_t before = drive_now;

	expect(503, sign, "NL_EBUSY");
	assert_in_range(drive_now - before, HTTP_AGAIN_MS - 100, CONN_IDLE_MS - 100);
	/* Who asks while another one's is signed waits, and is answered when that one is gone. */
	fake.again = UINT32_MAX;
	fake.agains = 0;
	drive_open(&other, 1, sign, strlen(sign));
	while (drive_step(&other, CONN_PIECE, CONN_PIECE))
		;
	uint64_t calls = fake.facts.calls;

	drive_open(&d, 0, sign, strlen(sign));
	for (unsigned i = 0; i < 5; i++)
		drive_step(&d, CONN_PIECE, CONN_PIECE);
	assert_int_equal(fake.facts.calls, calls);
	assert_int_equal(d.n_out, 0);
	drive_close(&other);
	fake.again = 3;
	fake.agains = 0;
	drive_all(&d, CONN_PIECE, CONN_PIECE);
	assert_int_equal(drive_status(&d), 200);
	drive_close(&d);
}

/* A leaf's file: in pieces of 8 KiB, of any size up to the longest, one at a time. */
static void leaves(void **state)
{
	static const size_t sizes[] = {1,      HTTP_STAGE - 1,  HTTP_STAGE, HTTP_STAGE + 1, 2 * HTTP_STAGE,
	                               100000, NL_LEAF_MAX_SIZE};
	static char in[NL_LEAF_MAX_SIZE + 400];
	static struct drive other;

	(void)state;
	fake.any_leaf = true;
	for (size_t i = 0; i < NL_ARRAY_SIZE(sizes); i++)
		for (fake.again = 0; fake.again < 20; fake.again += 9) {
			fake.again_between = fake.again;
			int head =
			        sprintf(in, "PUT /v1/leaves/%s" H "Expect: 100-continue\r\nContent-Length: %zu\r\n" END,
			                HASH, sizes[i]);

			for (size_t k = 0; k < sizes[i]; k++)
				in[(size_t)head + k] = (char)(k * 31 >> 3);
			drive_open(&d, 0, in, (size_t)head + sizes[i]);
			drive_all(&d, i % 2 ? CONN_PIECE : 333, CONN_PIECE);
			drive_close(&d);
			assert_int_equal(drive_status(&d), 201);
			assert_int_equal(fake.n_staged, sizes[i]);
			assert_memory_equal(fake.staged, in + head, sizes[i]);
		}
	/* The first has sent its head only; the second is told to come back, until the first is gone. */
	drive_open(&other, 1, in, (size_t)(strstr(in, END END) + 4 - in));
	other.told_eof = true;
	while (drive_step(&other, CONN_PIECE, CONN_PIECE))
		;
	assert_non_null(strstr(other.out, "100 Continue"));
	expect(503, "PUT /v1/leaves/" HASH H "Content-Length: 3\r\n" END "abc", "NL_EBUSY");
	drive_close(&other);
	expect(201, "PUT /v1/leaves/" HASH H "Content-Length: 3\r\n" END "abc", NULL);
}

/* Whoever sends a byte now and then is told so, and lets go of what he held. */
static void slow(void **state)
{
	static const char *const in[] = {"GET / HTTP/1.1\r\nHost: abcdefghijklmnopqrstuvwxyz\r\n",
	                                 "PUT /v1/leaves/" HASH H "Content-Length: 90\r\n" END "abcdefghijklmnopqrst"};

	(void)state;
	fake.any_leaf = true;
	for (size_t i = 0; i < NL_ARRAY_SIZE(in); i++) {
		uint64_t before = drive_now;
		size_t fast = strlen(in[i]) - 20;

		drive_open(&d, 0, in[i], strlen(in[i]));
		for (d.told_eof = true; d.at < fast;)
			drive_step(&d, fast - d.at, 100);
		for (; !d.ended; drive_step(&d, 1, CONN_PIECE))
			drive_now += 3000;
		drive_close(&d);
		assert_int_equal(drive_status(&d), 408);
		assert_in_range(drive_now - before, i ? HTTP_BODY_MS : HTTP_HEAD_MS,
		                (i ? HTTP_BODY_MS : HTTP_HEAD_MS) + 6000);
	}
	expect(201, "PUT /v1/leaves/" HASH H "Content-Length: 3\r\n" END "abc", NULL);
}

/* The longest answers, and what no core would say: nothing is cut, and it is JSON's alphabet. */
static void worst(void **state)
{
	static const char *const in[] = {"GET /v1/status" H END, "GET /v1/leaves" H END, "GET /v1/journal" H END,
	                                 "GET /metrics" H END, "GET /v1/challenge" H END};

	(void)state;
	for (unsigned fill = 0; fill < 3; fill++) {
		int byte = fill == 0 ? 0xff : fill == 1 ? '"' : '\n';

		fresh(NULL);
		memset(&fake.facts, byte, sizeof(fake.facts));
		memset(fake.leaves, byte, sizeof(fake.leaves));
		memset(fake.journal, byte, sizeof(fake.journal));
		fake.facts.status.leaves = NL_MAX_LEAVES;
		fake.newest = 600;
		for (size_t i = 0; i < NL_ARRAY_SIZE(in); i++) {
			unsigned leaves_said = 0;

			expect(200, in[i], NULL);
			for (const char *p = d.out; (p = strstr(p, "\"consistency\"")); p++)
				leaves_said++;
			assert_int_equal(leaves_said, i == 1 ? NL_MAX_LEAVES : 0);
			for (const char *p = strstr(d.out, "\r\n\r\n") + 4; *p; p++)
				assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
		}
	}
}

/* An answer is as long as it says, though another one is given while it goes out. */
static void beside(void **state)
{
	static const char in[] = "GET /metrics" H END;
	static struct drive other;

	(void)state;
	http_answers[2] = 8;
	drive_open(&other, 1, in, strlen(in));
	drive_step(&other, CONN_PIECE, 10);
	expect(200, "GET /" H END, NULL);
	drive_all(&other, CONN_PIECE, CONN_PIECE);
	drive_close(&other);
	assert_int_equal(drive_status(&other), 200);
	assert_non_null(strstr(other.out, "newleaf_http_responses_total{class=\"2xx\"} 9\n"));
}

/* Who may read /metrics alone learns of no leaf. */
static void secrets(void **state)
{
	(void)state;
	snprintf(fake_leaf("cve-2026-0001", 7, NL_LEAF_APPLIED)->key_name, 27, "somebody");
	fake.facts.status.kernel_slide = 0x12345678;
	fake_event(NL_EV_APPLIED, NL_OK, &fake.leaves[0], 0, 0);
	expect(200, "GET /metrics" H END, "newleaf_leaves{state=\"applied\"} 1");
	assert_null(strstr(d.out, "cve"));
	assert_null(strstr(d.out, "somebody"));
	expect(200, "GET /v1/leaves" H END, "cve-2026-0001");
	expect(200, "GET /v1/status" H END, NULL);
	assert_null(strstr(d.out, "12345678"));
	assert_null(strstr(d.out, "305419896"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(answers, fresh), cmocka_unit_test_setup(pieces, fresh),
	        cmocka_unit_test_setup(policy, fresh),  cmocka_unit_test_setup(heads, fresh),
	        cmocka_unit_test_setup(errors, fresh),  cmocka_unit_test_setup(again, fresh),
	        cmocka_unit_test_setup(leaves, fresh),  cmocka_unit_test_setup(slow, fresh),
	        cmocka_unit_test_setup(worst, fresh),   cmocka_unit_test_setup(secrets, fresh),
	        cmocka_unit_test_setup(beside, fresh),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
