// SPDX-License-Identifier: Apache-2.0
/*
 * See conn.h. lwIP's callbacks only write down what happened, except that a new connection may take the place of a
 * silent one; all else is done in conn_poll, so that nothing is closed while lwIP is in the middle of it.
 */
#include "conn.h"

#include "call.h"
#include "conn_tcp.h"

#include <lwip/priv/tcp_priv.h>
#include <string.h>

#define SILENT_MS 500u              /* who has said nothing for so long makes room when all slots are taken */
#define SLOTS_EACH (CONN_SLOTS / 2) /* of one address */

static struct conn {
	bool used, ending;    /* ending: HTTP has said its last, and that and the FIN are on their way */
	bool fin, fin_told;   /* the client sends no more */
	bool gone;            /* it is over: lwIP has no PCB of it any more, or does the rest alone */
	bool last;            /* what waits in out[] is the last of HTTP */
	enum conn_give asked; /* what HTTP said last */
	struct tcp_pcb *pcb;
	uint64_t begun, lively; /* ms */
	size_t in_n, out_n;
	uint8_t in[TCP_WND];
	uint8_t out[CONN_PIECE]; /* of HTTP, for which TCP had no memory yet */
} conns[CONN_SLOTS];

static unsigned slot_of(const struct conn *c) { return (unsigned)(c - conns); }

/* From now on lwIP's alone. */
static void forget(struct conn *c)
{
	tcp_arg(c->pcb, NULL);
	tcp_recv(c->pcb, NULL);
	tcp_sent(c->pcb, NULL);
	tcp_err(c->pcb, NULL);
	c->pcb = NULL;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct conn *c = arg;

	(void)err;
	c->lively = net_now();
	if (!p) {
		c->fin = true;
		return ERR_OK;
	}
	if (c->ending || c->last) {
		tcp_recved(pcb, p->tot_len);
	} else {
		LWIP_ASSERT("more than the window", p->tot_len <= sizeof(c->in) - c->in_n);
		pbuf_copy_partial(p, c->in + c->in_n, p->tot_len, 0);
		c->in_n += p->tot_len;
	}
	pbuf_free(p);
	return ERR_OK;
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
	struct conn *c = arg;

	(void)pcb, (void)bytes;
	c->lively = net_now();
	return ERR_OK;
}

static void lost(void *arg, err_t err)
{
	struct conn *c = arg;

	(void)err;
	c->pcb = NULL;
	c->gone = true;
}

static void let_go(struct conn *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (pcb) {
		forget(c);
		tcp_abort(pcb);
	}
	c->used = false;
	http_closed(slot_of(c));
}

static bool same_host(const ip_addr_t *a, const ip_addr_t *b)
{
	if (IP_IS_V6(a) && IP_IS_V6(b)) /* whoever has an address there has all of the /64 */
		return ip_2_ip6(a)->addr[0] == ip_2_ip6(b)->addr[0] && ip_2_ip6(a)->addr[1] == ip_2_ip6(b)->addr[1];
	return ip_addr_eq(a, b);
}

/* A slot for this client: a free one, or that of who has been silent longest. */
static struct conn *place(const struct tcp_pcb *pcb)
{
	struct conn *best = NULL;
	unsigned same = 0;

	for (struct conn *c = conns; c < conns + CONN_SLOTS; c++) {
		if (c->used && c->pcb && same_host(&c->pcb->remote_ip, &pcb->remote_ip))
			same++;
		if (!best || (best->used && (!c->used || c->lively < best->lively)))
			best = c;
	}
	if (same >= SLOTS_EACH || (best->used && net_now() - best->lively < SILENT_MS))
		return NULL;
	if (best->used)
		let_go(best);
	return best;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct conn *c;

	(void)arg;
	if (!pcb || err != ERR_OK)
		return ERR_VAL;
	c = place(pcb);
	if (!c) {
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	memset(c, 0, offsetof(struct conn, in));
	c->used = true;
	c->pcb = pcb;
	c->begun = c->lively = net_now();
	tcp_arg(pcb, c);
	tcp_recv(pcb, received);
	tcp_sent(pcb, sent);
	tcp_err(pcb, lost);
	tcp_nagle_disable(pcb);
	http_open(slot_of(c));
	return ERR_OK;
}

bool conn_start(uint16_t port)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY), *listener;

	if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK)
		return false;
	listener = tcp_listen(pcb);
	if (!listener)
		return false;
	tcp_accept(listener, accepted);
	return true;
}

static void offer(struct conn *c)
{
	while (c->in_n && c->asked != CONN_END) {
		size_t n = c->in_n < CONN_PIECE ? c->in_n : CONN_PIECE, taken = http_take(slot_of(c), c->in, n);

		if (!taken || taken > n)
			break;
		c->in_n -= taken;
		memmove(c->in, c->in + taken, c->in_n);
		tcp_recved(c->pcb, (u16_t)taken);
	}
	if (c->fin && !c->fin_told && !c->in_n) {
		c->fin_told = true;
		http_eof(slot_of(c));
	}
}

/* True: out[] is with TCP. */
static bool written(struct conn *c)
{
	if (c->out_n && tcp_write(c->pcb, c->out, (u16_t)c->out_n, TCP_WRITE_FLAG_COPY) != ERR_OK)
		return false;
	c->out_n = 0;
	return true;
}

static void ask(struct conn *c)
{
	while (written(c) && !c->last) {
		size_t room = tcp_sndbuf(c->pcb);

		if (room > CONN_PIECE)
			room = CONN_PIECE;
		if (!room)
			return;
		c->asked = http_give(slot_of(c), c->out, room, &c->out_n);
		LWIP_ASSERT("more than asked for", c->out_n <= room);
		c->last = c->asked == CONN_END;
		if (!c->out_n && !c->last)
			return;
	}
}

static void serve(struct conn *c)
{
	if (!c->ending && !c->last)
		offer(c);
	if (!c->ending)
		ask(c);
	if (c->last && !c->ending && !c->out_n) {
		/* The client may go on to send: nobody listens. */
		tcp_recved(c->pcb, (u16_t)c->in_n);
		c->in_n = 0;
		c->ending = tcp_shutdown(c->pcb, 0, 1) == ERR_OK;
	}
	tcp_output(c->pcb);
}

static uint64_t deadline(const struct conn *c)
{
	uint64_t idle = c->lively + CONN_IDLE_MS, total = c->begun + CONN_TOTAL_MS;

	return idle < total ? idle : total;
}

void conn_poll(void)
{
	for (struct conn *c = conns; c < conns + CONN_SLOTS; c++) {
		/* Both directions are closed and everything is acknowledged: not before, or who does not acknowledge
		 * would hold memory that no limit of ours sees. */
		if (c->used && c->pcb && c->pcb->state == TIME_WAIT) {
			c->gone = true;
			forget(c);
		}
		if (c->used && !c->gone && net_now() < deadline(c))
			serve(c);
		if (c->used && (c->gone || net_now() >= deadline(c)))
			let_go(c);
	}
}

uint32_t conn_due(void)
{
	uint64_t due = UINT32_MAX, now = net_now();

	for (const struct conn *c = conns; c < conns + CONN_SLOTS; c++) {
		uint64_t at = c->used ? deadline(c) : UINT64_MAX;
		/* HTTP waits for the core, or TCP for memory */
		bool soon = c->used && !c->ending && (c->asked == CONN_BUSY || c->in_n || c->out_n || c->last);

		if (soon && at > now + CONN_BUSY_MS)
			at = now + CONN_BUSY_MS;
		at = at > now ? at - now : 0;
		if (at < due)
			due = at;
	}
	return (uint32_t)due;
}

bool conn_none(void)
{
	for (const struct conn *c = conns; c < conns + CONN_SLOTS; c++)
		if (c->used)
			return false;
	return true;
}
