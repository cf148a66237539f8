// SPDX-License-Identifier: Apache-2.0
/* In place of HTTP, for tests of what is below: says again what came, and ends when the client does. */
#include "conn.h"

#include <string.h>

static struct {
	uint8_t kept[2048];
	size_t n;
	bool end;
} slots[CONN_SLOTS];

void http_open(unsigned slot) { memset(&slots[slot], 0, sizeof(slots[slot])); }

size_t http_take(unsigned slot, const uint8_t *bytes, size_t n)
{
	size_t room = sizeof(slots[slot].kept) - slots[slot].n;

	if (n > room)
		n = room;
	memcpy(slots[slot].kept + slots[slot].n, bytes, n);
	slots[slot].n += n;
	return n;
}

void http_eof(unsigned slot) { slots[slot].end = true; }

enum conn_give http_give(unsigned slot, uint8_t *out, size_t room, size_t *n)
{
	*n = slots[slot].n < room ? slots[slot].n : room;
	memcpy(out, slots[slot].kept, *n);
	memmove(slots[slot].kept, slots[slot].kept + *n, slots[slot].n - *n);
	slots[slot].n -= *n;
	if (slots[slot].end && !slots[slot].n)
		return CONN_END;
	return *n ? CONN_MORE : CONN_IDLE;
}

void http_closed(unsigned slot) { slots[slot].n = 0; }
