// SPDX-License-Identifier: Apache-2.0
/* See settings.h. */
#include "settings.h"

#include "call.h"

#include <string.h>

/* Up to three decimal digits without a superfluous zero, at most `limit`. */
static bool number(const char **p, unsigned limit, uint8_t *out)
{
	unsigned v = 0, digits = 0;

	while (**p >= '0' && **p <= '9') {
		if (++digits > 3 || (digits > 1 && !v))
			return false;
		v = 10 * v + (unsigned)(*(*p)++ - '0');
	}
	*out = (uint8_t)v;
	return digits && v <= limit;
}

static bool address4(const char **p, uint8_t out[4])
{
	for (unsigned i = 0; i < 4; i++)
		if ((i && *(*p)++ != '.') || !number(p, 255, out + i))
			return false;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Groups of hexadecimal digits, :: once; no IPv4 at the end, no zone. */
static bool address6(const char **p, uint8_t out[16])
{
	unsigned n = 0, gap = 16;

	memset(out, 0, 16);
	if ((*p)[0] == ':' && (*p)[1] == ':')
		gap = 0, *p += 2;
	while (n < 16 && digit(**p) >= 0) {
		unsigned v = 0, digits = 0;

		for (; digit(**p) >= 0; (*p)++) {
			if (++digits > 4)
				return false;
			v = 16 * v + (unsigned)digit(**p);
		}
		out[n++] = (uint8_t)(v >> 8);
		out[n++] = (uint8_t)v;
		if (**p != ':')
			break;
		if ((*p)[1] == ':' && gap == 16)
			gap = n, *p += 2;
		else if (n < 16 && digit((*p)[1]) >= 0)
			(*p)++;
		else
			return false;
	}
	if (gap == 16)
		return n == 16;
	if (n == 16)
		return false;
	memmove(out + 16 - (n - gap), out + gap, n - gap);
	memset(out + gap, 0, 16 - n);
	return true;
}

static bool all(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

static bool usable4(const uint8_t a[4]) { return a[0] && a[0] != 127 && a[0] < 224; }

static bool usable6(const uint8_t a[16]) { return a[0] != 0xff && !(all(a, 15, 0) && a[15] < 2); }

/* "ADDRESS/PREFIX[,GATEWAY]" */
static bool read4(const char *p, struct settings *s)
{
	if (!address4(&p, s->address) || *p++ != '/' || !number(&p, 32, &s->prefix) || !usable4(s->address) ||
	    !s->prefix)
		return false;
	s->ip = true;
	if (!*p)
		return true;
	s->gateway = true;
	return *p++ == ',' && address4(&p, s->router) && !*p && usable4(s->router);
}

/* lwIP looks for neighbours only from an address of the same /64. */
static bool read6(const char *p, struct settings *s)
{
	if (!address6(&p, s->address6) || *p++ != '/' || !number(&p, 128, &s->prefix6) || !usable6(s->address6) ||
	    s->prefix6 < 64)
		return false;
	s->ip6 = true;
	if (!*p)
		return true;
	s->gateway6 = true;
	return *p++ == ',' && address6(&p, s->router6) && !*p && usable6(s->router6) &&
	       (!memcmp(s->router6, s->address6, 8) || (s->router6[0] == 0xfe && (s->router6[1] & 0xc0) == 0x80));
}

unsigned settings_read(const struct nl_net_config *c, struct settings *s)
{
	unsigned refused = 0;
	char ip[NL_NET_TEXT], ip6[NL_NET_TEXT];

	memset(s, 0, sizeof(*s));
	memcpy(ip, c->ip, sizeof(ip));
	memcpy(ip6, c->ip6, sizeof(ip6));
	ip[sizeof(ip) - 1] = ip6[sizeof(ip6) - 1] = 0;
	if (!memcmp(ip, "dhcp", 5)) {
		s->dhcp = true;
	} else if (ip[0] && !read4(ip, s)) {
		s->ip = s->gateway = false;
		refused |= NET_REFUSED_IP;
	}
	if (!memcmp(ip6, "auto", 5)) {
		s->auto6 = true;
	} else if (ip6[0] && !read6(ip6, s)) {
		s->ip6 = s->gateway6 = false;
		refused |= NET_REFUSED_IP6;
	}
	return refused;
}
