// SPDX-License-Identifier: Apache-2.0
/*
 * What every file of the core may use: console, panic, memory functions, locks. The core has no libc; these are
 * hv/core/console.c and hv/core/string.c.
 */
#pragma once

#include <stdarg.h>

#include <newleaf/bootblock.h>
#include <newleaf/errors.h>
#include <newleaf/hypercall.h>
#include <newleaf/types.h>

#define NL_VERSION "0.1.0"

/* Formats: %s %u %x (32 bits), %lu %lx (64 bits), width and 0-padding. Goes to the ring and, if configured, to the
 * serial port. */
void nl_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void nl_vlog(const char *format, va_list args);
void nl_console_panic(void (*keep)(char c)); /* from now on each byte goes there, too, and nobody waits for a lock */
void nl_console_drain(void);
/* Stops all CPUs, prints everything it knows of this one and its guest, resets the machine: panic.c. For defects of
 * ours only, never for what a guest does. */
_Noreturn void nl_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define NL_ASSERT(x) ((x) ? (void)0 : nl_panic("%s:%u: %s", __FILE__, __LINE__, #x))

void *memcpy(void *restrict d, const void *restrict s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
static inline bool nl_is_zero(const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n && !at[n - 1])
		n--;
	return !n;
}

typedef struct {
	uint32_t held;
} nl_lock_t;
static inline bool nl_trylock(nl_lock_t *l) { return !__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE); }
static inline void nl_lock(nl_lock_t *l)
{
	while (!nl_trylock(l))
		__builtin_ia32_pause();
}
static inline void nl_unlock(nl_lock_t *l) { __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE); }

extern struct nl_boot_block nl_boot; /* the core's own copy, checked */
extern struct nl_counts nl_counts;   /* counted without a lock */

/* Console ring, for NL_CALL_CONSOLE. Returns bytes written to out; *next is the offset to ask for next. */
size_t nl_console_read(uint64_t from, char *out, size_t max, uint64_t *next);
