// SPDX-License-Identifier: Apache-2.0
// sources: net/http/slots.c net/http/request.c net/http/head.c net/http/text.c net/http/json.c net/http/metrics.c
// sources: net/http/page.c tests/http/fake.c tests/http/alone.c tests/http/drive.c
// length: 4096
// quick: 4000
// reader: wire
/*
 * Any bytes from two clients at once, in pieces of any size, to the network's HTTP server, whose core says what the
 * input wants it to: each answer is one, whatever the pieces were, and who is alone gets the same one in one piece.
 */
#define _GNU_SOURCE /* memmem */
#include "fuzz.h"

#include "../http/drive.h"
#include "../http/fake.h"

#define APART "\xff\xfe" /* between the two */

static struct drive d[2];

/* No cryptography: what it answers is nothing that HTTP looks at. */
void fake_sha256(const void *bytes, size_t n, uint8_t hash[32])
{
	(void)bytes;
	memset(hash, (int)n, 32);
}

void fake_sign(const uint8_t seed[32], const char *domain, const void *bytes, size_t n, uint8_t signature[64])
{
	(void)bytes;
	(void)domain;
	memset(signature, seed[0] + (int)n, 64);
}

void fake_public(const uint8_t seed[32], uint8_t key[32]) { memset(key, seed[0], 32); }

static void machine(const uint8_t *wish)
{
	memset(&fake, 0, sizeof(fake));
	drive_now = 1000;
	fake.now_ms = net_now;
	fake_start();
	net_mailbox.config.may = wish[0] & NL_NET_MAY_ALL;
	fake.any_leaf = wish[0] & 8;
	fake.rates = wish[0] & 16;
	fake.again = wish[0] & 32 ? wish[1] : 0;
	fake.again_between = wish[0] & 64;
	fake.order = (enum nl_err)(wish[2] % NL_ERRORS_KNOWN);
	if (fake.order == NL_AGAIN)
		fake.order = NL_OK;
	for (unsigned i = 0; i < wish[3] % NL_MAX_LEAVES; i++)
		memset(fake_leaf("x", 1, (enum nl_leaf_condition)i)->id, (int)(wish[3] + i), NL_LEAF_ID_LEN);
	for (unsigned i = 0; i < wish[4]; i++)
		fake_event((enum nl_event)i, (enum nl_err)i, NULL, i, i);
}

/* The whole life of both, each step of which the seed chooses. */
static void live(const uint8_t *wish, const uint8_t *in[2], const size_t n[2], bool whole)
{
	uint32_t dice = wish[5] | (uint32_t)wish[6] << 8 | 1u << 16;

	machine(wish);
	for (unsigned i = 0; i < 2; i++)
		drive_open(&d[i], i, in[i], n[i]);
	for (unsigned still = 0; still < 6000 && !(d[0].ended && d[1].ended);) {
		dice = dice * 1103515245 + 12345;
		struct drive *one = &d[n[1] ? dice >> 30 & 1 : 0];
		size_t piece = whole || dice >> 29 & 1 ? CONN_PIECE : (dice >> 16) % 40 + 1;

		if (drive_step(one, piece, whole ? CONN_PIECE : (dice >> 8) % 200 + 1))
			still = 0;
		else if (d[1].ended || one != &d[0] || !n[1])
			still++, drive_now += CONN_BUSY_MS;
		if (!n[1] && d[0].ended)
			break;
	}
	for (unsigned i = 0; i < 2; i++)
		drive_close(&d[i]);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	const uint8_t *in[2], *second;
	size_t n[2] = {0, 0};
	unsigned status;

	if (size < 8)
		return;
	in[0] = in[1] = bytes + 7;
	second = memmem(in[0], size - 7, APART, 2);
	n[0] = second ? (size_t)(second - in[0]) : size - 7;
	if (second) {
		in[1] = second + 2;
		n[1] = size - 7 - n[0] - 2;
	}
	live(bytes, in, n, false);
	FUZZ_CHECK(d[0].ended && (d[1].ended || !n[1]));
	status = drive_status(&d[0]);
	drive_status(&d[1]);
	if (!n[1]) {
		live(bytes, in, n, true);
		FUZZ_CHECK(d[0].ended && drive_status(&d[0]) == status);
	}
}

#define WISH "\x07\x05\x00\x03\x60\x12\x34"
#define H " HTTP/1.1\r\nHost: a\r\n"
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

void fuzz_seeds(void)
{
	static const char *const seeds[] = {
	        WISH "GET /" H "\r\n" APART "GET /v1/challenge" H "\r\n",
	        WISH "GET /metrics" H "Accept: */*;q=0.1\r\n\r\n",
	        WISH "GET /v1/leaves" H "Accept: application/octet-stream\r\n\r\n",
	        "\x27\x60\x00\x03\x60\x12\x34GET http://a:1/v1/status?nonce=" HASH H "\r\n" APART
	        "GET /v1/status?nonce=" HASH H "\r\n",
	        WISH "GET /v1/journal?from=3" H "\r\n",
	        WISH "HEAD /v1/%73tatus" H "Transfer-Encoding: chunked\r\n\r\n",
	        "\x0f\x60\x00\x03\x60\x12\x34PUT /v1/leaves/" HASH H
	        "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde",
	        WISH "POST /v1/orders" H "Content-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\nabc",
	        WISH "OPTIONS *" H "\r\n",
	};
	char bytes[1024];

	for (size_t i = 0; i < sizeof(seeds) / sizeof(*seeds); i++) {
		size_t n = 7 + strlen(seeds[i] + 7); /* a wish may have zeroes */

		memcpy(bytes, seeds[i], n);
		fuzz_seed(bytes, n);
	}
}
