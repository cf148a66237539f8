// SPDX-License-Identifier: Apache-2.0
/*
 * See text.h.
 */
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

const char *text_ns(struct text *t, uint64_t ns)
{
	if (ns < 1000)
		snprintf(t->s, sizeof(t->s), "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(t->s, sizeof(t->s), "%" PRIu64 " us", ns / 1000);
	else if (ns < NS_PER_S)
		snprintf(t->s, sizeof(t->s), "%.1f ms", (double)ns / 1e6);
	else
		snprintf(t->s, sizeof(t->s), "%.1f s", (double)ns / 1e9);
	return t->s;
}

static const char *count_of(struct text *t, uint64_t s, const char *const unit[4])
{
	if (s < 60)
		snprintf(t->s, sizeof(t->s), "%" PRIu64 "%s", s, unit[0]);
	else if (s < 3600)
		snprintf(t->s, sizeof(t->s), "%" PRIu64 "%s", s / 60, unit[1]);
	else if (s < 2 * 86400)
		snprintf(t->s, sizeof(t->s), "%" PRIu64 "%s", s / 3600, unit[2]);
	else
		snprintf(t->s, sizeof(t->s), "%" PRIu64 "%s", s / 86400, unit[3]);
	return t->s;
}

const char *text_age(struct text *t, uint64_t ns)
{
	static const char *const unit[4] = {"s", "m", "h", "d"};

	return count_of(t, ns / NS_PER_S, unit);
}

const char *text_uptime(struct text *t, uint64_t ns)
{
	static const char *const unit[4] = {" s", " min", " h", " days"};

	return count_of(t, ns / NS_PER_S, unit);
}

const char *text_count(struct text *t, uint32_t n)
{
	if (n == UINT32_MAX)
		snprintf(t->s, sizeof(t->s), "-");
	else
		snprintf(t->s, sizeof(t->s), "%u", n);
	return t->s;
}

const char *text_bytes(struct text *t, uint64_t bytes)
{
	if (bytes < 10240)
		snprintf(t->s, sizeof(t->s), "%" PRIu64 " B", bytes);
	else if (bytes < 10 << 20)
		snprintf(t->s, sizeof(t->s), "%" PRIu64 " KiB", bytes >> 10);
	else
		snprintf(t->s, sizeof(t->s), "%.1f MiB", (double)bytes / 1048576.0);
	return t->s;
}

const char *text_hex(struct text *t, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	t->s[0] = 0;
	for (size_t i = 0; i < n && 2 * i + 2 < sizeof(t->s); i++)
		snprintf(t->s + 2 * i, 3, "%02x", b[i]);
	return t->s;
}

const char *text_hex_brief(struct text *t, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	if (n < 4)
		return text_hex(t, bytes, n);
	snprintf(t->s, sizeof(t->s), "%02x%02x..%02x", b[0], b[1], b[n - 1]);
	return t->s;
}

const char *text_time(struct text *t, uint64_t unix_ns)
{
	time_t s = (time_t)(unix_ns / NS_PER_S);
	struct tm tm;
	char day[32];

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(t->s, sizeof(t->s), "%s.%03uZ", day, (unsigned)(unix_ns % NS_PER_S / 1000000));
	return t->s;
}

uint64_t text_tsc_ns(uint64_t ticks, uint64_t hz)
{
	return hz ? (uint64_t)((unsigned __int128)ticks * NS_PER_S / hz) : 0;
}

uint64_t text_wall(const struct nl_boot_facts *b, uint64_t tsc)
{
	const struct nl_firmware_time *w = &b->wall;
	struct tm tm = {.tm_year = w->year - 1900,
	                .tm_mon = w->month - 1,
	                .tm_mday = w->day,
	                .tm_hour = w->hour,
	                .tm_min = w->minute,
	                .tm_sec = w->second};
	int64_t s = timegm(&tm);

	if (w->timezone != NL_TIMEZONE_UNKNOWN)
		s += 60 * w->timezone;
	if (!b->tsc_hz || w->year < 1970 || s < 0)
		return 0;
	return (uint64_t)s * NS_PER_S + w->nanosecond + text_tsc_ns(tsc - b->tsc_at_wall, b->tsc_hz);
}

static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			fprintf(f, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void put_key(struct json *j, const char *key)
{
	if (j->comma)
		fputc(',', j->f);
	j->comma = true;
	if (key) {
		put_string(j->f, key);
		fputc(':', j->f);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	put_key(j, key);
	fputc(bracket, j->f);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	fputc(bracket, j->f);
	j->comma = true;
}

void json_string(struct json *j, const char *key, const char *value)
{
	put_key(j, key);
	if (value)
		put_string(j->f, value);
	else
		fputs("null", j->f);
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
	put_key(j, key);
	fprintf(j->f, "%" PRIu64, value);
}

void json_count(struct json *j, const char *key, uint32_t value)
{
	if (value == UINT32_MAX)
		json_string(j, key, NULL);
	else
		json_uint(j, key, value);
}

void json_number(struct json *j, const char *key, double value)
{
	put_key(j, key);
	fprintf(j->f, "%.3f", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	put_key(j, key);
	fputs(value ? "true" : "false", j->f);
}

void json_address(struct json *j, const char *key, uint64_t value)
{
	put_key(j, key);
	fprintf(j->f, "\"0x%" PRIx64 "\"", value);
}

void json_bytes(struct json *j, const char *key, const void *bytes, size_t n)
{
	struct text t;

	json_string(j, key, n ? text_hex(&t, bytes, n) : NULL);
}

void json_time(struct json *j, const char *key, uint64_t unix_ns)
{
	struct text t;

	json_string(j, key, unix_ns ? text_time(&t, unix_ns) : NULL);
}

void json_document(struct json *j, const char *schema, const char *result)
{
	char name[64];

	snprintf(name, sizeof(name), "newleaf.%s/1", schema);
	json_open(j, NULL, '{');
	json_string(j, "schema", name);
	if (result)
		json_string(j, "result", result);
}

void json_end(struct json *j)
{
	json_close(j, '}');
	fputc('\n', j->f);
	j->comma = false;
}
