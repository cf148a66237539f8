// SPDX-License-Identifier: Apache-2.0
/* See main.h. */
#include "main.h"

#include "conn_tcp.h"
#include "hash.h"
#include "port/wire.h"
#include "settings.h"

#include <lwip/init.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

#define IDLE_MS 1000u

static uint64_t now;
static unsigned refused;

uint64_t net_now(void) { return now; }

u32_t sys_now(void) { return (u32_t)now; }

unsigned net_refused(void) { return refused; }

_Noreturn void net_assert(unsigned line) { net_fail(NET_FAIL_ASSERT | (uint64_t)line << 16); }

/* The frame in the mailbox has rax bytes, or there is none. */
static uint64_t wait(uint32_t ms)
{
	struct net_answer a = net_call(NL_NET_WAIT, ms, 0, 0);

	if (a.rdx > now)
		now = a.rdx;
	return a.rax;
}

void net_start(void)
{
	const struct nl_net_config *c = &net_mailbox.config;
	struct settings s;
	uint64_t bytes;

	hash_seed(c->seed);
	refused = settings_read(c, &s);
	if (!s.ip && !s.dhcp && !s.ip6 && !s.auto6)
		net_fail(NET_FAIL_SETTING);
	if (c->port < 1 || c->port > 65535)
		net_fail(NET_FAIL_START);
	bytes = wait(0); /* lwIP's timers begin with the time it is */
	lwip_init();
	if (!wire_start(c, &s) || !conn_start((uint16_t)c->port))
		net_fail(NET_FAIL_START);
	if (bytes)
		wire_receive(bytes);
}

void net_step(void)
{
	uint32_t ms = sys_timeouts_sleeptime(), due = conn_due();
	uint64_t bytes;

	/* lwIP has a timer that beats ten times a second, mostly for nothing. */
	if (ms < IDLE_MS && conn_none() && wire_quiet())
		ms = IDLE_MS;
	bytes = wait(due < ms ? due : ms);
	if (bytes)
		wire_receive(bytes);
	sys_check_timeouts();
	conn_poll();
}
