// SPDX-License-Identifier: Apache-2.0
/*
 * The list of modules, and the chain of who is told that one comes or goes (kernel/module/main.c, kernel/notifier.c of
 * Linux). That the list's head is called `modules` and nothing else is, is looked at: a module may have the name, too.
 */
#define _GNU_SOURCE
#include "linux_modules.h"
#include "types.h"

#include <string.h>

static struct member find(const struct kernel *k, const char *type, const char *path)
{
	return member_find(k, type, path, "the hypervisor follows modules");
}

static uint32_t offset_of(const struct kernel *k, const char *type, const char *path)
{
	return find(k, type, path).offset;
}

static struct nl_leaf_field field_of(const struct kernel *k, const char *type, const char *path)
{
	struct member m = find(k, type, path);

	if (m.array_count || (m.size != 1 && m.size != 2 && m.size != 4 && m.size != 8))
		refuse(NL_EKERNEL, "%s: %s.%s has %u bytes", k->path, type, path, m.size);
	return (struct nl_leaf_field){(uint16_t)m.offset, (uint16_t)m.size};
}

/* notifier_call_chain() of CONFIG_DEBUG_NOTIFIERS calls nobody who is not of the kernel's own text, and says so. */
static void refuse_picky(const struct kernel *k)
{
	static const char says[] = "Invalid notifier called!";

	for (size_t i = 0; i < k->n_sections; i++)
		if (k->sections[i].bytes && memmem(k->sections[i].bytes, k->sections[i].size, says, sizeof(says)))
			refuse(NL_EUNSUPPORTED,
			       "%s is built with CONFIG_DEBUG_NOTIFIERS: it would not call what tells of its modules, "
			       "so "
			       "leaves for modules are not made for it",
			       k->release);
}

void linux_modules_fill(struct nl_leaf_target *t, const struct kernel *k)
{
	static const char where[] = "the hypervisor follows modules", chain[] = "struct blocking_notifier_head";
	struct member count;

	refuse_picky(k);
	if (!member_maybe(k, "struct rw_semaphore", "count", where, &count) || count.size != 8)
		refuse(NL_EUNSUPPORTED,
		       "%s is a kernel of PREEMPT_RT: whether somebody holds the list of its notifiers cannot be seen "
		       "in one number, so leaves for modules are not made for it",
		       k->release);
	t->modules = kernel_symbol(k, "modules");
	t->module_notify = kernel_symbol(k, "module_notify_list");
	t->module_size = find(k, "struct module", "").size;
	t->module_list = offset_of(k, "struct module", "list");
	t->module_name = offset_of(k, "struct module", "name");
	t->module_state = field_of(k, "struct module", "state");
	t->notify_count = offset_of(k, chain, "rwsem.count");
	t->notify_head = offset_of(k, chain, "head");
	t->block_call = offset_of(k, "struct notifier_block", "notifier_call");
	t->block_next = offset_of(k, "struct notifier_block", "next");
	t->block_priority = offset_of(k, "struct notifier_block", "priority");
}
