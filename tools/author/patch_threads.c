// SPDX-License-Identifier: Apache-2.0
/*
 * kthread() calls the function once and does not come back before the thread ends. Such a function is known by who gets
 * its address, or by its asking whether the thread should stop; what only the loop of a thread calls has no address
 * that anybody holds, and is called anew.
 */
#include "patch_threads.h"
#include "code.h"
#include "references.h"

#include <newleaf/types.h>
#include <string.h>

#define LOOK 16u /* instructions from an address to the call that gets it */

static bool is_called(const struct kernel *k, uint64_t target, const char *const *names, size_t n)
{
	const struct ksym *found;

	for (size_t i = 0; i < n; i++)
		for (uint32_t at = 1; at <= kallsyms_find(&k->syms, names[i], at, &found) && found; at++)
			if (found->va == target)
				return true;
	return false;
}

/* Is it the next call behind the address that starts a thread? */
static bool starts_thread(const void *arg, const struct reference *r)
{
	static const char *const starters[] = {"kthread_create_on_node", "kthread_create_on_cpu", "kernel_thread",
	                                       "user_mode_thread",       "create_io_thread",      "vhost_task_create"};
	const struct kernel *k = arg;
	const struct ksym *next = r->in && r->in_code ? kallsyms_next(&k->syms, r->in->va) : NULL;
	uint64_t at = next ? r->in->va : 0;
	const uint8_t *bytes = next ? kernel_bytes(k, at, next->va - at) : NULL;
	unsigned seen = 0;

	while (bytes && at < next->va && seen < LOOK) {
		struct code_step s = code_decode(bytes, next->va - at, at);

		if (!s.len)
			return false;
		seen += at + s.len > r->at;
		if (seen && s.is_call)
			return s.jumps && is_called(k, s.target, starters, NL_ARRAY_SIZE(starters));
		at += s.len;
		bytes += s.len;
	}
	return false;
}

static bool asks_to_stop(const struct kernel *k, uint64_t va)
{
	static const char *const asks[] = {"kthread_should_stop", "kthread_should_park", "kthread_parkme",
	                                   "kthread_freezable_should_stop"};
	const struct ksym *next = kallsyms_next(&k->syms, va);
	const uint8_t *bytes = next ? kernel_bytes(k, va, next->va - va) : NULL;

	while (bytes && va < next->va) {
		struct code_step s = code_decode(bytes, next->va - va, va);
		uint32_t n = s.len ? s.len : 1;

		if (s.is_call && s.jumps && is_called(k, s.target, asks, NL_ARRAY_SIZE(asks)))
			return true;
		va += n;
		bytes += n;
	}
	return false;
}

static bool any(const void *arg, const struct reference *r)
{
	(void)arg;
	(void)r;
	return true;
}

static bool is_of_thread(const struct kernel *k, uint64_t va)
{
	struct reference r;

	return references_find(k, va, va + 1, starts_thread, k, &r) ||
	       (asks_to_stop(k, va) && references_find(k, va, va + 1, any, NULL, &r));
}

void threads_check(struct patch_unit *units, size_t n, bool allow_objects)
{
	for (size_t u = 0; u < n; u++)
		for (size_t i = 0; i < units[u].n_functions; i++) {
			const struct patch_function *f = &units[u].function[i];

			if (!is_of_thread(units[u].k, f->va))
				continue;
			if (!allow_objects)
				refuse(NL_ESITE,
				       "%s: %s (%s) is what a kernel thread runs from its beginning to its end: one "
				       "that "
				       "runs stays in the old code. Change what it calls, or, if such threads are "
				       "started "
				       "anew, say: --allow objects",
				       units[u].path, f->shipped->name, f->why);
			patch_note(&units[u],
			           xformat("threads that run %s stay in the old code until they end; ALLOWED",
			                   f->shipped->name));
		}
}
