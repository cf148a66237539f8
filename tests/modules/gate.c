// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate and the book of the test's modules, as parameters: `close` holds the name of the place that is shut,
 * `waiting` that of the place where somebody stands, `said` what was written; writing to `said` empties it.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "gate.h"

static char shut[32], stands[32], book[3072];
static size_t written;
static DEFINE_SPINLOCK(lock);
static DECLARE_WAIT_QUEUE_HEAD(queue);

static bool is_shut(const char *where)
{
	bool is;

	spin_lock(&lock);
	is = !strcmp(shut, where);
	spin_unlock(&lock);
	return is;
}

void gate_pass(const char *where)
{
	if (!is_shut(where))
		return;
	strscpy(stands, where, sizeof(stands));
	wait_event_idle(queue, !is_shut(where));
	stands[0] = 0;
}
EXPORT_SYMBOL_GPL(gate_pass);

void gate_say(const char *where, int answer)
{
	const char *word = answer == 0            ? "VULNERABLE"
	                   : answer == -ERANGE    ? "FIXED"
	                   : answer == KLP_ANSWER ? "LIVEPATCHED"
	                                          : "WRONG";

	spin_lock(&lock);
	if (written < sizeof(book))
		written += scnprintf(book + written, sizeof(book) - written, "%s %s\n", where, word);
	spin_unlock(&lock);
	if (word[0] == 'W')
		pr_err("gate: %s answered %d\n", where, answer);
}
EXPORT_SYMBOL_GPL(gate_say);

static int set_shut(const char *value, const struct kernel_param *p)
{
	spin_lock(&lock);
	strscpy(shut, value, sizeof(shut));
	strim(shut);
	spin_unlock(&lock);
	wake_up_all(&queue);
	return 0;
}

static int get_text(char *page, const struct kernel_param *p)
{
	return scnprintf(page, PAGE_SIZE, "%s\n", (char *)p->arg);
}

static int set_book(const char *value, const struct kernel_param *p)
{
	spin_lock(&lock);
	written = 0;
	book[0] = 0;
	spin_unlock(&lock);
	return 0;
}

static int get_book(char *page, const struct kernel_param *p)
{
	int n;

	spin_lock(&lock);
	n = scnprintf(page, PAGE_SIZE, "%.*s", (int)written, book);
	spin_unlock(&lock);
	return n;
}

static const struct kernel_param_ops shut_ops = {.set = set_shut, .get = get_text};
static const struct kernel_param_ops stands_ops = {.get = get_text};
static const struct kernel_param_ops book_ops = {.set = set_book, .get = get_book};
module_param_cb(close, &shut_ops, shut, 0644);
module_param_cb(waiting, &stands_ops, stands, 0444);
module_param_cb(said, &book_ops, NULL, 0644);

MODULE_DESCRIPTION("Newleaf's tests: a gate and a book");
MODULE_LICENSE("GPL");
