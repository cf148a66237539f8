// SPDX-License-Identifier: Apache-2.0
/*
 * See drive.h.
 */
#include "drive.h"
#include "../../net/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t drive_now;

uint64_t net_now(void) { return drive_now; }

static void must(bool fine, const char *what, const struct drive *d)
{
	if (fine)
		return;
	fprintf(stderr, "drive: %s; the answer so far:\n%.*s\n", what, (int)d->n_out, d->out);
	abort();
}

void drive_open(struct drive *d, unsigned slot, const void *in, size_t n)
{
	*d = (struct drive){.slot = slot, .in = in, .n = n, .open = true};
	http_open(slot);
}

bool drive_step(struct drive *d, size_t piece, size_t room)
{
	uint8_t *in, *out;
	bool moved = false;
	size_t n = 0;

	if (d->ended)
		return false;
	if (d->at < d->n) {
		size_t offered = d->n - d->at < piece ? d->n - d->at : piece, taken;

		in = malloc(offered); /* of exactly that size, for the sanitizer */
		memcpy(in, d->in + d->at, offered);
		taken = http_take(d->slot, in, offered);
		free(in);
		must(taken <= offered, "took more than it was offered", d);
		d->at += taken;
		moved = taken;
	} else if (!d->told_eof) {
		d->told_eof = moved = true;
		http_eof(d->slot);
	}
	out = malloc(room);
	enum conn_give g = http_give(d->slot, out, room, &n);

	must(n <= room && d->n_out + n < sizeof(d->out), "gave more than there was room for", d);
	memcpy(d->out + d->n_out, out, n);
	free(out);
	d->n_out += n;
	must(g <= CONN_END && (g != CONN_IDLE || !n), "said what cannot be", d);
	must(g != CONN_MORE || n || room < 25, "more is to come, and none came", d);
	d->ended = g == CONN_END;
	return moved || n || d->ended;
}

void drive_all(struct drive *d, size_t piece, size_t room)
{
	for (unsigned still = 0; !d->ended && still < 60000 / CONN_BUSY_MS; still++) {
		if (drive_step(d, piece, room))
			still = 0;
		else
			drive_now += CONN_BUSY_MS;
	}
}

void drive_close(struct drive *d)
{
	d->open = false;
	http_closed(d->slot);
}

unsigned drive_status(const struct drive *d)
{
	const char *p = d->out, *end, *length;
	unsigned status = 0;

	if (!d->n_out)
		return 0;
	must(d->n_out < sizeof(d->out) && !d->out[d->n_out], "room for a NUL", d);
	do {
		must(!strncmp(p, "HTTP/1.1 ", 9), "a status line", d);
		status = (unsigned)strtoul(p + 9, NULL, 10);
		end = strstr(p, "\r\n\r\n");
		must(end, "a head that ends", d);
		if (status == 100)
			p = end + 4;
	} while (status == 100 && *p);
	if (status == 100)
		return 0;
	size_t skip = d->n >= 2 && !memcmp(d->in, "\r\n", 2) ? 2 : 0;
	bool head = d->n >= skip + 5 && !memcmp(d->in + skip, "HEAD ", 5);

	length = strstr(p, "\r\nContent-Length: ");
	if (length && length < end && d->ended && !head)
		must(strtoul(length + 18, NULL, 10) == d->n_out - (size_t)(end + 4 - d->out), "as long as it says", d);
	must(strstr(p, "\r\nConnection: close\r\n") && strstr(p, "\r\nCache-Control: no-store\r\n"), "its fields", d);
	must((strstr(p, "\r\nRetry-After: 1\r\n") != NULL) == (status == 429 || status == 503), "Retry-After", d);
	must(status < 400 || strstr(p, "application/problem+json"), "a problem", d);
	return status;
}
