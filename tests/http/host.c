// SPDX-License-Identifier: Apache-2.0
/*
 * The network's HTTP server on a host: ordinary sockets in the place of TCP (net/conn.h), a fake in that of the core.
 * For tests of the server and of its clients; several may run beside each other.
 */
#define _GNU_SOURCE /* accept4 */
#include "../../net/conn.h"
#include "fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
        "usage: http-host [OPTION...]\n"
        "The hypervisor's own HTTP server on a socket, with a core that is none: it checks no signature of an order\n"
        "or leaf, and answers from what these options say. Says first, on a line of its own:\n"
        "    http-host ADDRESS PORT MACHINE-ID MACHINE-KEY\n"
        "Ends with its standard input, if that is a pipe, or by a signal.\n"
        "  --bind ADDRESS         default 127.0.0.1; IPv6 too\n"
        "  --port N               default 0: one that is free\n"
        "  --may WORD,...         of metrics, read, orders; default all, empty: none\n"
        "  --machine HEX          its id, 16 bytes (00...: none); default 11...\n"
        "  --boot HEX             its boot's, 16 bytes; default 22...\n"
        "  --key HEX              seed of its key (Ed25519), 32 bytes; default 33...\n"
        "  --generation N         default 0\n"
        "  --kernel HEX           build-id of its kernel; default none\n"
        "  --leaf ID[,WORD...]    a leaf, may come often. Words: verified, applied (default), reverted, version=N,\n"
        "                         sha256=HEX (default: of ID), note=NL_X, trial=MS (taken back then), hits=N\n"
        "  --commits N            so many commits in its journal; default 0\n"
        "  --frozen --waiting --emulated --secure-boot --keys-from-file\n"
        "  --lockouts N  --list N  --list-error NL_X  --standing EPOCH  --standing-error NL_X  --starts N\n"
        "  --no-clock             the clock's rate is not known\n"
        "  --status HOW           good, forged, changed, nonce, key, cut: what is wrong with the signed status\n"
        "  --order NL_X           how every order ends; default: form, machine, boot, challenge, generation and\n"
        "                         freeze are checked, and it is carried out when its leaves are there\n"
        "  --challenge NL_X       instead of a challenge\n"
        "  --commit NL_X          how the commit of an accepted order ends; the journal says so\n"
        "  --commit-after MS      from the order to its commit, if its leaves are there; default 0\n"
        "  --put NL_X             how the verification of each leaf ends\n"
        "  --put-any              takes every file as a leaf, without an order\n"
        "  --again N              NL_AGAIN so often before each answer that may say it\n"
        "  --rate                 one signed status a second, else NL_ERATE\n"
        "  --delay MS             before the first byte of each answer\n"
        "  --speed N              its clock runs N times as fast\n"
        "  --cut BYTES            each connection ends after so many bytes of its answer\n";

static struct connection {
	int fd; /* 0: free */
	uint8_t in[2 * CONN_PIECE];
	size_t n;
	uint8_t out[CONN_PIECE];
	size_t at, left;
	bool eof, ended, shut;
	uint64_t opened, moved, busy, sent;
} connections[CONN_SLOTS];

static uint64_t speed = 1, started_ns, delay_ms, cut_at;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec - started_ns) / 1000000 * speed;
}

uint64_t net_now(void) { return now_ms(); }

static _Noreturn void wrong(const char *option, const char *value)
{
	fprintf(stderr, "http-host: %s %s: not understood (--help)\n", option, value);
	exit(2);
}

static uint64_t number(const char *option, const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (!*text || *end || *text == '-')
		wrong(option, text);
	return v;
}

/* Bytes given; at most n. */
static size_t bytes(const char *option, const char *text, uint8_t *to, size_t n)
{
	size_t i = 0;

	for (; text[2 * i]; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], 0};

		if (i == n || strspn(digits, "0123456789abcdefABCDEF") != 2)
			wrong(option, text);
		to[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return i;
}

static void exactly(const char *option, const char *text, uint8_t *to, size_t n)
{
	if (bytes(option, text, to, n) != n)
		wrong(option, text);
}

static enum nl_err error(const char *option, const char *text)
{
	static const struct {
		const char *name;
		enum nl_err e;
	} errors[] = {
#define ERROR(name, code, exit, what, next) {#name, name},
	        NL_ERRORS(ERROR)
#undef ERROR
	};

	for (size_t i = 0; i < NL_ARRAY_SIZE(errors); i++)
		if (!strcmp(errors[i].name, text))
			return errors[i].e;
	wrong(option, text);
}

static uint32_t may(const char *text)
{
	static const char *const words[] = {"metrics", "read", "orders"};
	char copy[64], *save, *w;
	uint32_t set = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < NL_ARRAY_SIZE(words) && strcmp(words[i], w))
			i++;
		if (i == NL_ARRAY_SIZE(words))
			wrong("--may", text);
		set |= 1u << i;
	}
	return set;
}

static void leaf(const char *text)
{
	char copy[512], *save, *w;
	struct nl_leaf_state *l;

	snprintf(copy, sizeof(copy), "%s", text);
	w = strtok_r(copy, ",", &save);
	if (!w || strlen(w) >= NL_LEAF_ID_LEN)
		wrong("--leaf", text);
	l = fake_leaf(w, 1, NL_LEAF_APPLIED);
	while ((w = strtok_r(NULL, ",", &save))) {
		if (!strcmp(w, "verified"))
			l->condition = NL_LEAF_VERIFIED;
		else if (!strcmp(w, "applied"))
			l->condition = NL_LEAF_APPLIED;
		else if (!strcmp(w, "reverted"))
			l->condition = NL_LEAF_REVERTED;
		else if (!strncmp(w, "version=", 8))
			l->version = (uint32_t)number("--leaf", w + 8);
		else if (!strncmp(w, "sha256=", 7))
			exactly("--leaf", w + 7, l->sha256, sizeof(l->sha256));
		else if (!strncmp(w, "note=", 5))
			l->note = error("--leaf", w + 5);
		else if (!strncmp(w, "trial=", 6))
			l->trial_tsc = l->since_tsc + number("--leaf", w + 6) * 1000000;
		else if (!strncmp(w, "hits=", 5))
			l->hits = number("--leaf", w + 5), l->counters = 1;
		else
			wrong("--leaf", text);
	}
}

static void commits(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		fake.facts.status.generation++;
		fake_event(NL_EV_COMMIT, NL_OK, NULL, 20000 + 7919 * i % 30000, 0);
	}
}

enum {
	BIND = 256,
	PORT,
	MAY,
	MACHINE,
	BOOT,
	KEY,
	GENERATION,
	KERNEL,
	LEAF,
	COMMITS,
	FROZEN,
	WAITING,
	EMULATED,
	SECURE_BOOT,
	KEYS_FROM_FILE,
	LOCKOUTS,
	LIST,
	LIST_ERROR,
	STANDING,
	STANDING_ERROR,
	STARTS,
	NO_CLOCK,
	STATUS,
	ORDER,
	COMMIT,
	COMMIT_AFTER,
	CHALLENGE,
	PUT,
	PUT_ANY,
	AGAIN,
	RATE,
	DELAY,
	SPEED,
	CUT,
	HELP
};
static const struct option options[] = {
        {"bind", 1, NULL, BIND},
        {"port", 1, NULL, PORT},
        {"may", 1, NULL, MAY},
        {"machine", 1, NULL, MACHINE},
        {"boot", 1, NULL, BOOT},
        {"key", 1, NULL, KEY},
        {"generation", 1, NULL, GENERATION},
        {"kernel", 1, NULL, KERNEL},
        {"leaf", 1, NULL, LEAF},
        {"commits", 1, NULL, COMMITS},
        {"frozen", 0, NULL, FROZEN},
        {"waiting", 0, NULL, WAITING},
        {"emulated", 0, NULL, EMULATED},
        {"secure-boot", 0, NULL, SECURE_BOOT},
        {"keys-from-file", 0, NULL, KEYS_FROM_FILE},
        {"lockouts", 1, NULL, LOCKOUTS},
        {"list", 1, NULL, LIST},
        {"list-error", 1, NULL, LIST_ERROR},
        {"standing", 1, NULL, STANDING},
        {"standing-error", 1, NULL, STANDING_ERROR},
        {"starts", 1, NULL, STARTS},
        {"no-clock", 0, NULL, NO_CLOCK},
        {"status", 1, NULL, STATUS},
        {"order", 1, NULL, ORDER},
        {"commit", 1, NULL, COMMIT},
        {"commit-after", 1, NULL, COMMIT_AFTER},
        {"challenge", 1, NULL, CHALLENGE},
        {"put", 1, NULL, PUT},
        {"put-any", 0, NULL, PUT_ANY},
        {"again", 1, NULL, AGAIN},
        {"rate", 0, NULL, RATE},
        {"delay", 1, NULL, DELAY},
        {"speed", 1, NULL, SPEED},
        {"cut", 1, NULL, CUT},
        {"help", 0, NULL, HELP},
        {NULL, 0, NULL, 0},
};

static const char *bind_to = "127.0.0.1";
static uint16_t port;

static void option(int which, const char *name, const char *arg)
{
	static const char *const hows[] = {"good", "forged", "changed", "nonce", "key", "cut"};
	struct nl_status *s = &fake.facts.status;

	switch (which) {
	case BIND:
		bind_to = arg;
		break;
	case PORT:
		port = (uint16_t)number(name, arg);
		break;
	case MAY:
		net_mailbox.config.may = may(arg);
		break;
	case MACHINE:
		exactly(name, arg, s->boot.machine_id, 16);
		break;
	case BOOT:
		exactly(name, arg, s->boot.boot_id, 16);
		break;
	case KEY:
		exactly(name, arg, fake.machine_seed, 32);
		break;
	case GENERATION:
		s->generation = number(name, arg);
		break;
	case KERNEL:
		s->kernel_build_id_len = (uint32_t)bytes(name, arg, s->kernel_build_id, NL_BUILD_ID_MAX);
		break;
	case LEAF:
		leaf(arg);
		break;
	case COMMITS:
		commits(number(name, arg));
		break;
	case FROZEN:
		s->orders |= NL_ORDER_FROZE;
		break;
	case WAITING:
		s->orders |= NL_ORDER_WAITS;
		break;
	case EMULATED:
		s->emulated = 1;
		break;
	case SECURE_BOOT:
		s->boot.secure_boot = 1;
		break;
	case KEYS_FROM_FILE:
		s->boot.keys_from_file = 1;
		break;
	case LOCKOUTS:
		s->lockouts = (uint32_t)number(name, arg);
		break;
	case LIST:
		s->list_sequence = number(name, arg), s->list_error = NL_OK;
		break;
	case LIST_ERROR:
		s->list_error = error(name, arg);
		break;
	case STANDING:
		s->standing.epoch = s->standing.floor = number(name, arg);
		s->standing.error = s->standing.carried = NL_OK;
		break;
	case STANDING_ERROR:
		s->standing.error = error(name, arg);
		break;
	case STARTS:
		fake.facts.starts = number(name, arg);
		break;
	case NO_CLOCK:
		fake.facts.tsc_hz = s->boot.tsc_hz = 0;
		break;
	case ORDER:
		fake.order = error(name, arg);
		break;
	case COMMIT:
		fake.commit = error(name, arg);
		break;
	case COMMIT_AFTER:
		fake.pause_ms = number(name, arg);
		break;
	case CHALLENGE:
		fake.challenge_error = error(name, arg);
		break;
	case PUT:
		fake.leaf = error(name, arg);
		break;
	case PUT_ANY:
		fake.any_leaf = true;
		break;
	case AGAIN:
		fake.again = (unsigned)number(name, arg);
		break;
	case RATE:
		fake.rates = true;
		break;
	case DELAY:
		delay_ms = number(name, arg);
		break;
	case SPEED:
		speed = number(name, arg);
		break;
	case CUT:
		cut_at = number(name, arg);
		break;
	case HELP:
		fputs(help, stdout);
		exit(0);
	case STATUS:
		for (size_t i = 0; i < NL_ARRAY_SIZE(hows); i++)
			if (!strcmp(hows[i], arg)) {
				fake.sign = (enum fake_signed)i;
				return;
			}
		wrong(name, arg);
	default:
		exit(2);
	}
}

static int listen_on(void)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool is_six = inet_pton(AF_INET6, bind_to, &six.sin6_addr) == 1;
	struct sockaddr *a = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t size = is_six ? sizeof(six) : sizeof(four);
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	uint8_t key[32];

	if (!is_six && inet_pton(AF_INET, bind_to, &four.sin_addr) != 1)
		wrong("--bind", bind_to);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, a, size) || listen(fd, 64) || getsockname(fd, a, &size)) {
		fprintf(stderr, "http-host: %s %u: %s\n", bind_to, port, strerror(errno));
		exit(1);
	}
	fake_public(fake.machine_seed, key);
	printf("http-host %s %u ", bind_to, ntohs(is_six ? six.sin6_port : four.sin_port));
	for (size_t i = 0; i < 16; i++)
		printf("%02x", fake.facts.status.boot.machine_id[i]);
	printf(" ");
	for (size_t i = 0; i < 32; i++)
		printf("%02x", key[i]);
	printf("\n");
	fflush(stdout);
	return fd;
}

static void over(unsigned slot)
{
	http_closed(slot);
	close(connections[slot].fd);
	connections[slot].fd = 0;
}

static void take_in(int listener)
{
	unsigned slot = 0, oldest = 0;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;

	if (fd < 0)
		return;
	for (; slot < CONN_SLOTS && connections[slot].fd; slot++)
		if (connections[slot].moved < connections[oldest].moved)
			oldest = slot;
	if (slot == CONN_SLOTS)
		over(slot = oldest);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connections[slot] = (struct connection){.fd = fd, .opened = now_ms(), .moved = now_ms()};
	http_open(slot);
}

/* What a connection can do without waiting. false: it is over. */
static bool serve(unsigned slot)
{
	struct connection *c = &connections[slot];
	bool again = true;

	while (again) {
		ssize_t got = c->eof || c->n == sizeof(c->in) ? -1 : read(c->fd, c->in + c->n, sizeof(c->in) - c->n);

		again = false;
		if (got > 0) {
			c->n += (size_t)got;
			c->moved = now_ms();
			fake.facts.frames_received++;
		} else if (got < 0 && errno != EAGAIN && !c->eof && c->n < sizeof(c->in)) {
			return false;
		} else if (!got && !c->eof) {
			c->eof = true;
			if (!c->ended && !c->n)
				http_eof(slot);
		}
		if (c->ended && c->n) {
			c->n = 0; /* thrown away */
			again = true;
		} else if (c->n) {
			size_t offered = c->n < CONN_PIECE ? c->n : CONN_PIECE, taken = http_take(slot, c->in, offered);

			if (taken > offered)
				abort();
			memmove(c->in, c->in + taken, c->n - taken);
			c->n -= taken;
			again = taken;
			if (c->eof && !c->n)
				http_eof(slot);
		}
		if (!c->left && !c->ended && now_ms() - c->opened >= delay_ms) {
			enum conn_give g = http_give(slot, c->out, sizeof(c->out), &c->left);

			c->at = 0;
			c->ended = g == CONN_END;
			c->busy = g == CONN_BUSY ? now_ms() + CONN_BUSY_MS : 0;
			again |= g == CONN_MORE;
		}
		if (c->left) {
			size_t piece = cut_at && cut_at - c->sent < c->left ? cut_at - c->sent : c->left;
			ssize_t put = send(c->fd, c->out + c->at, piece, MSG_NOSIGNAL);

			if (put < 0 && errno != EAGAIN)
				return false;
			if (put > 0) {
				c->at += (size_t)put;
				c->left -= (size_t)put;
				c->sent += (size_t)put;
				c->moved = now_ms();
				fake.facts.frames_sent++;
				again = true;
			}
			if (cut_at && c->sent == cut_at)
				return false;
		} else if (c->ended && !c->shut) {
			shutdown(c->fd, SHUT_WR);
			c->shut = true;
		}
	}
	return !(c->ended && !c->left && c->eof);
}

int main(int argc, char **argv)
{
	struct pollfd p[CONN_SLOTS + 2];
	struct timespec t;
	int which, index, listener;

	clock_gettime(CLOCK_MONOTONIC, &t);
	started_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	fake.now_ms = now_ms;
	fake_start();
	fake_event(NL_EV_BOOT, NL_OK, NULL, 2, NL_PAST_NONE);
	while ((which = getopt_long(argc, argv, "", options, &index)) != -1)
		option(which, which == '?' ? "" : options[index].name, optarg);
	if (optind < argc)
		wrong("", argv[optind]);
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on();
	for (;;) {
		int wait = 100;

		p[CONN_SLOTS] = (struct pollfd){.fd = listener, .events = POLLIN};
		p[CONN_SLOTS + 1] = (struct pollfd){.fd = isatty(0) ? -1 : 0};
		for (unsigned i = 0; i < CONN_SLOTS; i++) {
			struct connection *c = &connections[i];
			bool reads = !c->eof && c->n < sizeof(c->in);

			p[i] = (struct pollfd){.fd = c->fd ? c->fd : -1,
			                       .events = (short)((reads ? POLLIN : 0) | (c->left ? POLLOUT : 0))};
			if (c->fd && (c->busy || c->n || (delay_ms && !c->ended)))
				wait = 2;
		}
		if (poll(p, NL_ARRAY_SIZE(p), wait) < 0 && errno != EINTR)
			return 1;
		if (p[CONN_SLOTS + 1].revents & (POLLHUP | POLLERR | POLLNVAL))
			return 0;
		if (p[CONN_SLOTS].revents)
			take_in(listener);
		for (unsigned i = 0; i < CONN_SLOTS; i++) {
			struct connection *c = &connections[i];

			if (c->fd &&
			    (!serve(i) || now_ms() - c->moved >= CONN_IDLE_MS || now_ms() - c->opened >= CONN_TOTAL_MS))
				over(i);
		}
		fake_tick();
	}
}
