// SPDX-License-Identifier: Apache-2.0
/*
 * The core's console: a ring that `newleaf console` reads, and the serial port if the configuration names one.
 */
#include <stdarg.h>
#include "core/core.h"
#include "vendor.h"
#include "x86.h"

#define RING 16384u

static char ring[RING];
static uint64_t written;
static nl_lock_t lock;
static void (*panic)(char c); /* where a panic keeps its words; NULL: there is none */

void nl_console_panic(void (*keep)(char c)) { panic = keep; }

static void serial(char c)
{
	uint16_t port = (uint16_t)nl_boot.console_port;

	if (!port)
		return;
	/* bounded: a missing UART must not hang us */
	for (int i = 0; i < 100000 && !(x86_inb((uint16_t)(port + 5)) & 0x20); i++)
		x86_pause();
	x86_outb(port, (uint8_t)c);
}

/* Until the last byte has left the line: a reset would cut it off. Bounded as above. */
void nl_console_drain(void)
{
	uint16_t port = (uint16_t)nl_boot.console_port;

	for (int i = 0; port && i < 1000000 && !(x86_inb((uint16_t)(port + 5)) & 0x40); i++)
		x86_pause();
}

/* Plain text alone, whoever it is from: it reaches terminals. */
static void put(char c)
{
	if (c != '\n' && (c < ' ' || c > '~'))
		c = '?';
	ring[written++ % RING] = c;
	if (panic)
		panic(c);
	if (c == '\n')
		serial('\r');
	serial(c);
}

static void number(uint64_t v, unsigned base)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put(digits[--n]);
}

static void format(const char *f, va_list ap)
{
	for (; *f; f++) {
		if (*f != '%') {
			put(*f);
			continue;
		}
		bool wide = f[1] == 'l';
		f += 1 + wide;
		switch (*f) {
		case 's': {
			const char *s = va_arg(ap, const char *);
			for (s = s ? s : "(null)"; *s; s++)
				put(*s);
			break;
		}
		case 'u':
			number(wide ? va_arg(ap, uint64_t) : va_arg(ap, uint32_t), 10);
			break;
		case 'x':
			number(wide ? va_arg(ap, uint64_t) : va_arg(ap, uint32_t), 16);
			break;
		case '\0':
			return;
		default:
			put(*f);
		}
	}
}

/* The lock may be held by the CPU that panics, or by one that stands still: broken lines are better than none. */
void nl_vlog(const char *f, va_list ap)
{
	bool locked = !panic;

	if (locked)
		nl_lock(&lock);
	format(f, ap);
	if (locked)
		nl_unlock(&lock);
}

void nl_log(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	nl_vlog(f, ap);
	va_end(ap);
}

size_t nl_console_read(uint64_t from, char *out, size_t max, uint64_t *next)
{
	size_t n = 0;

	nl_lock(&lock);
	if (from > written)
		from = written;
	if (written - from > RING)
		from = written - RING;
	while (n < max && from < written)
		out[n++] = ring[from++ % RING];
	*next = from;
	nl_unlock(&lock);
	return n;
}
