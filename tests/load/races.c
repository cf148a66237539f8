// SPDX-License-Identifier: Apache-2.0
/*
 * What a guest asks of the instrument's build of races (tests/instrument/races.h), and faults at every step of what the
 * newleaf command does:
 *
 *   races ask                     exit code 0: it is the one below
 *   races delays SEED ONE-IN      CPUs are late at one of so many places; 0: nowhere
 *   races fault KIND STEP N       the N-th look, page, refuse or late behind a step fails once; nothing: none does
 *   races told [STEP]             has it failed, how many were counted behind the step, delays, stale CPUs
 *   races dead COMMITS MS [HOW]   so many that the core makes by itself, a try for each NMI; MS: their deadline; HOW:
 * they come from outside and go on to the guest (guests), do not go on (ours), or the core sends them, from one CPU to
 * the next (chain) races sweep [-d N] [-s SEED] [-k KIND] [-p PROBE] IDS FORTH BACK
 *
 * sweep: FORTH and BACK are arguments of newleaf that put the leaves IDS (a,b) on and off again. Each piece of them,
 * from one step to the next, is done with its first N faults, its last one, and N between that the seed draws (0: with
 * one that it draws). Then the command has succeeded, or named an error and said that nothing changed; the kernel's
 * text and read-only data, and the text of its modules, as /proc/kcore shows them, are those with the leaves or those
 * without (where leaves write each time, all else behind each piece); status agrees, and so does PROBE, a command of
 * the shell that succeeds with the leaves on and not with them off; the same command succeeds; and each time when the
 * leaves are off, Newleaf's memory is what it was. A line for each piece, exit code 1 at the first that is not so.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <newleaf/steps.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../instrument/races.h"

#define ANSWER "/tmp/races.answer"
#define NEWLEAF "/usr/bin/newleaf"
#define DEADLINE 8  /* the host is busy: another try */
#define DEGRADED 10 /* done, and what was looked at behind it is not as it should be, or cannot be read */
#define TRIES 20
#define MAX_IDS 8
#define MAX_PIECES 96
#define MAX_CODES 16
#define NEAR 4096

static const char *const kinds[RACES_FAULTS] = {"nothing", "look", "page", "refuse", "late"};
static const char *const nmis[DEAD_NMIS] = {"guests", "ours", "chain"};
static const char *const labels[] = {
#define LABEL(name, label) label,
        NL_STEPS(LABEL)
#undef LABEL
                [RACES_BEGIN] = "begin"};

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

/* --- The instrument --- */

struct told {
	uint32_t here, met, most, delays, turns, stale;
};

static struct told ask(enum races_call call, uint32_t b, uint32_t d, uint32_t si)
{
	uint64_t rax = RACES_LEAF, rbx = b, rcx = call, rdx = d, rsi = si, rdi = 0;

	__asm__ volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi)::"memory");
	return (struct told){.here = (uint32_t)rax == RACES_PRESENT,
	                     .met = (uint32_t)rbx,
	                     .most = (uint32_t)rcx,
	                     .delays = (uint32_t)rdx,
	                     .turns = (uint32_t)rsi,
	                     .stale = (uint32_t)rdi};
}

static uint32_t named(const char *word, const char *const *names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(word, names[i]))
			return i;
	fail("there is no %s", word);
}

/* --- The kernel's bytes, as its CPUs see them --- */

static struct piece {
	uint64_t va, size;
	uint8_t *off, *on; /* with the leaves off and on */
	uint64_t from, to; /* the pages in which these differ lie there */
	char name[64];
} pieces[MAX_PIECES];
static unsigned n_pieces;
static uint8_t *now;
static int kcore;

static void add_piece(const char *name, uint64_t start, uint64_t end)
{
	struct piece *p = &pieces[n_pieces];

	if (!start || end <= start)
		fail("%s lies at %lx-%lx", name, start, end);
	if (++n_pieces > MAX_PIECES)
		fail("more than %d pieces", MAX_PIECES);
	*p = (struct piece){.va = start, .size = end - start, .off = malloc(end - start), .on = malloc(end - start)};
	snprintf(p->name, sizeof(p->name), "%s", name);
	now = realloc(now, p->size > 64 << 20 ? p->size : 64 << 20);
}

static uint64_t symbol(const char *name)
{
	static char line[512];
	FILE *f = fopen("/proc/kallsyms", "r");
	char is[256], type, *at;
	uint64_t va, found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		va = strtoul(line, &at, 16);
		if (sscanf(at, " %c %255s", &type, is) == 2 && !strcmp(is, name))
			found = va;
	}
	if (f)
		fclose(f);
	return found;
}

/* `size` bytes of it, from `at` on. */
static void read_bytes(const struct piece *p, uint64_t at, uint64_t size, uint8_t *out)
{
	Elf64_Ehdr head;
	Elf64_Phdr ph;

	if (pread(kcore, &head, sizeof(head), 0) != sizeof(head))
		fail("/proc/kcore: %s", strerror(errno));
	for (unsigned i = 0; i < head.e_phnum; i++) {
		if (pread(kcore, &ph, sizeof(ph), (off_t)(head.e_phoff + i * sizeof(ph))) != sizeof(ph))
			break;
		if (ph.p_type != PT_LOAD || p->va < ph.p_vaddr || p->va + p->size > ph.p_vaddr + ph.p_memsz)
			continue;
		for (uint64_t got = 0; got < size;) {
			ssize_t n = pread(kcore, out + got, size - got,
			                  (off_t)(p->va - ph.p_vaddr + ph.p_offset + at + got));

			if (n <= 0)
				fail("%s at %lx cannot be read: %s", p->name, p->va + at + got, strerror(errno));
			got += (uint64_t)n;
		}
		return;
	}
	fail("/proc/kcore has nothing at %lx", p->va);
}

/* Where the leaves write, and a page on each side. */
static void find_changes(struct piece *p)
{
	uint64_t at, end = p->size;

	for (at = 0; at < end && p->off[at] == p->on[at]; at++)
		;
	for (; end > at && p->off[end - 1] == p->on[end - 1]; end--)
		;
	p->from = at < NEAR || at == end ? 0 : at - NEAR;
	p->to = at == end ? 0 : end + NEAR > p->size ? p->size : end + NEAR;
}

/* Is it as it was with the leaves on (or off), all of it, or where they write? */
static void expect_bytes(bool on, bool all, const char *when)
{
	for (unsigned i = 0; i < n_pieces; i++) {
		const struct piece *p = &pieces[i];
		uint64_t at = all ? 0 : p->from, end = all ? p->size : p->to;
		const uint8_t *want = (on ? p->on : p->off) + at, *is = now;

		read_bytes(p, at, end - at, now);
		if (!memcmp(is, want, end - at))
			continue;
		for (; *is == *want; is++, want++)
			at++;
		fail("%s: %s at %lx is %02x, with the leaves %s it is %02x", when, p->name, p->va + at, *is,
		     on ? "on" : "off", *want);
	}
}

/* The text of a module, which lies between its section's beginning and the next one's. */
static void add_modules(void)
{
	static char line[256];
	FILE *f = popen(
	        "cd /sys/module && for m in */sections/.text; do echo ${m%%/*} $(cat $m) $(cat ${m%/.text}/.[a-z]* "
	        "2>/dev/null | sort | grep -A1 $(cat $m) | tail -n 1); done",
	        "r");

	while (f && fgets(line, sizeof(line), f)) {
		const char *name = strtok(line, " "), *from = strtok(NULL, " "), *to = strtok(NULL, " ");
		uint64_t start = from ? strtoul(from, NULL, 16) : 0, end = to ? strtoul(to, NULL, 16) : 0;

		if (end > start && end - start < 1 << 20)
			add_piece(name, start, end);
	}
	if (f)
		pclose(f);
}

/* --- The command --- */

static char answer[1 << 16];
static const char *ids[MAX_IDS];
static unsigned n_ids;

static int newleaf(const char *arguments)
{
	static char line[1024];
	char *argv[32] = {(char *)NEWLEAF};
	posix_spawn_file_actions_t files;
	int status = -1, n = 1, fd;
	ssize_t got = 0;
	pid_t pid;

	snprintf(line, sizeof(line), "%s --json", arguments);
	for (char *word = strtok(line, " "); word && n < 31; word = strtok(NULL, " "))
		argv[n++] = word;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, ANSWER, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	if (posix_spawn(&pid, NEWLEAF, &files, NULL, argv, environ) || waitpid(pid, &status, 0) != pid)
		fail("%s cannot be run", NEWLEAF);
	posix_spawn_file_actions_destroy(&files);
	fd = open(ANSWER, O_RDONLY);
	if (fd >= 0) {
		got = read(fd, answer, sizeof(answer) - 1);
		close(fd);
	}
	answer[got > 0 ? got : 0] = 0;
	if (!WIFEXITED(status))
		fail("newleaf %s ended with %x: %s", arguments, status, answer);
	return WEXITSTATUS(status);
}

/* As newleaf(), and it must succeed. */
static void must(const char *arguments)
{
	int code, n = 0;

	while ((code = newleaf(arguments)) == DEADLINE && n++ < TRIES)
		;
	if (code)
		fail("newleaf %s ended with %d: %s", arguments, code, answer);
}

static uint64_t number(const char *key)
{
	const char *at = strstr(answer, key);

	if (!at)
		fail("status has no %s: %s", key, answer);
	return strtoull(at + strlen(key), NULL, 10);
}

struct memory {
	uint64_t pool, text, data;
};

/* All of the leaves are on, or all are off; what is free. */
static struct memory expect_status(bool on, const char *when)
{
	int code = newleaf("status");

	if (code)
		fail("%s: status ended with %d: %s", when, code, answer);
	for (unsigned i = 0; i < n_ids; i++) {
		char is[128];

		snprintf(is, sizeof(is), "\"id\":\"%s\",\"state\":\"applied\"", ids[i]);
		if (!!strstr(answer, is) != on)
			fail("%s: %s should be %s, status says %s", when, ids[i], on ? "on" : "off", answer);
	}
	return (struct memory){number("\"free_bytes\":"), number("\"arena_text_free_bytes\":"),
	                       number("\"arena_data_free_bytes\":")};
}

/* --- The sweep --- */

struct course { /* of one command, in one piece between two steps, with one kind of fault */
	uint32_t tried, met, went_on, named, n_codes;
	struct {
		char name[32];
		uint32_t n;
	} codes[MAX_CODES];
};

static const char *commands[2]; /* forth and back */
static const char *probe;
static struct memory flat;
static unsigned total;

static void note_code(struct course *c)
{
	char name[32] = "?";
	const char *at = strstr(answer, "\"code\":\"");
	unsigned i;

	if (!at || sscanf(at + 8, "%31[A-Z_]", name) != 1)
		fail("a failure without a name: %s", answer);
	for (i = 0; i < c->n_codes && strcmp(c->codes[i].name, name); i++)
		;
	if (i == MAX_CODES)
		fail("more than %d errors", MAX_CODES);
	if (i == c->n_codes)
		snprintf(c->codes[c->n_codes++].name, sizeof(name), "%s", name);
	c->codes[i].n++;
}

/* All that can be said of the leaves says that they are on, or off. */
static void expect(bool on, const char *when)
{
	int code = probe ? system(probe) : 0;

	expect_bytes(on, false, when);
	expect_status(on, when);
	if (probe && (code == 0) != on)
		fail("%s: with the leaves %s, %s ends with %x", when, on ? "on" : "off", probe, code);
}

/* The command with a fault; afterwards it is done. */
static void inject(bool back, enum races_fault kind, uint32_t step, uint32_t nth, struct course *c)
{
	char when[256];
	struct told told;
	bool changed;
	int code;

	snprintf(when, sizeof(when), "%s, %s %u behind %s", commands[back], kinds[kind], nth, labels[step]);
	ask(RACES_FAULT, kind, nth, step);
	code = newleaf(commands[back]);
	told = ask(RACES_TOLD, 0, 0, step);
	ask(RACES_FAULT, RACES_NOTHING, 0, 0);
	c->tried++;
	total++;
	c->met += told.met;
	changed = !code || (code == DEGRADED && told.met);
	if (!changed) {
		if (!told.met && code != DEADLINE)
			fail("%s: nothing failed, and it ended with %d: %s", when, code, answer);
		if (!strstr(answer, "\"changed\":false"))
			fail("%s: it failed, and something changed: %s", when, answer);
		if (told.met) {
			note_code(c);
			c->named++;
		}
	} else {
		c->went_on += told.met;
	}
	expect(back != changed, when);
	if (!changed) {
		must(commands[back]);
		expect(!back, when);
	}
}

/* Forth and back with a fault each, unless there is none (0); then everything is as before. */
static void both(enum races_fault kind, uint32_t step, const uint32_t nth[2], struct course *c)
{
	struct memory m;

	for (unsigned back = 0; back < 2; back++)
		if (nth[back])
			inject(back, kind, step, nth[back], &c[back]);
		else
			must(commands[back]);
	m = expect_status(false, commands[1]);
	if (memcmp(&m, &flat, sizeof(m)))
		fail("%s %u, %u behind %s: %lu bytes of the pool, %lu and %lu of the arena were free, now %lu, %lu and "
		     "%lu",
		     kinds[kind], nth[0], nth[1], labels[step], flat.pool, flat.text, flat.data, m.pool, m.text,
		     m.data);
}

/* How many there are behind each step, when none fails. */
static void count(enum races_fault kind, uint32_t most[NL_N_STEPS + 1][2])
{
	for (unsigned back = 0; back < 2; back++) {
		ask(RACES_FAULT, kind, 0, 0);
		must(commands[back]);
		for (uint32_t step = 0; step <= NL_N_STEPS; step++)
			most[step][back] = ask(RACES_TOLD, 0, 0, step).most;
		ask(RACES_FAULT, RACES_NOTHING, 0, 0);
	}
}

/* Which one fails in a round: the first ones, then one of each of so many parts of the rest, of the last part its last.
 * 0: all have. */
static uint32_t chosen(uint32_t round, uint32_t most, uint32_t dense)
{
	uint32_t from, to, rest = most > dense ? most - dense : 0;

	if (!dense)
		return most ? 1 + (uint32_t)rand() % most : 0;
	if (round < dense || !rest)
		return round < most ? round + 1 : 0;
	round -= dense;
	from = (uint32_t)((uint64_t)rest * round / dense);
	to = (uint32_t)((uint64_t)rest * (round + 1) / dense);
	if (round + 1 == dense)
		return most;
	return from == to ? 0 : dense + from + 1 + (uint32_t)rand() % (to - from);
}

static void tell(const char *what, enum races_fault kind, uint32_t step, uint32_t most, const struct course *c)
{
	printf("%-5s %-6s %-9s of %5u tried %4u met %4u went-on %4u named %4u", what, kinds[kind], labels[step], most,
	       c->tried, c->met, c->went_on, c->named);
	for (uint32_t i = 0; i < c->n_codes; i++)
		printf(" %s*%u", c->codes[i].name, c->codes[i].n);
	printf("\n");
	fflush(stdout);
}

static void sweep_piece(enum races_fault kind, uint32_t step, const uint32_t most[2], uint32_t dense)
{
	struct course c[2] = {0};

	if (!most[0] && !most[1])
		return;
	for (uint32_t round = 0; round < (dense ? 2 * dense : 1); round++) {
		uint32_t nth[2] = {chosen(round, most[0], dense), chosen(round, most[1], dense)};

		if (nth[0] || nth[1])
			both(kind, step, nth, c);
	}
	for (unsigned back = 0; back < 2; back++)
		if (most[back])
			tell(back ? "back" : "forth", kind, step, most[back], &c[back]);
	expect_bytes(false, true, labels[step]);
}

/* Twice what the kernel itself changes meanwhile would be seen here. */
static void begin(char *list)
{
	uint64_t changes = 0;

	for (char *id = strtok(list, ","); id && n_ids < MAX_IDS; id = strtok(NULL, ","))
		ids[n_ids++] = id;
	if ((kcore = open("/proc/kcore", O_RDONLY)) < 0)
		fail("/proc/kcore: %s", strerror(errno));
	add_piece("the kernel's text", symbol("_stext"), symbol("_etext"));
	add_piece("read-only data", symbol("__start_rodata"), symbol("__end_rodata"));
	add_modules();
	for (unsigned round = 0; round < 2; round++) {
		must(commands[0]);
		for (unsigned i = 0; !round && i < n_pieces; i++)
			read_bytes(&pieces[i], 0, pieces[i].size, pieces[i].on);
		expect_bytes(true, true, "the leaves were put on again");
		must(commands[1]);
		for (unsigned i = 0; !round && i < n_pieces; i++)
			read_bytes(&pieces[i], 0, pieces[i].size, pieces[i].off);
		expect_bytes(false, true, "the leaves were taken off again");
	}
	for (unsigned i = 0; i < n_pieces; i++) {
		find_changes(&pieces[i]);
		changes |= pieces[i].to;
	}
	if (!changes)
		fail("with the leaves on every byte is as without");
	flat = expect_status(false, "at the beginning");
}

static int sweep(int argc, char **argv)
{
	uint32_t dense = 2, seed = 1, only = RACES_NOTHING, most[NL_N_STEPS + 1][2];
	int opt;

	while ((opt = getopt(argc, argv, "d:s:k:p:")) != -1) {
		if (opt == 'd')
			dense = (uint32_t)strtoul(optarg, NULL, 10);
		else if (opt == 's')
			seed = (uint32_t)strtoul(optarg, NULL, 10);
		else if (opt == 'k')
			only = named(optarg, kinds, RACES_FAULTS);
		else if (opt == 'p')
			probe = optarg;
		else
			return 2;
	}
	if (argc - optind != 3)
		return 2;
	commands[0] = argv[optind + 1];
	commands[1] = argv[optind + 2];
	srand(seed);
	begin(argv[optind]);
	for (uint32_t kind = RACES_LOOK; kind < RACES_FAULTS; kind++) {
		if (only && kind != only)
			continue;
		count(kind, most);
		for (uint32_t step = 0; step <= NL_N_STEPS; step++)
			sweep_piece(kind, step, most[step], dense);
	}
	printf("%u commands with a fault, seed %u, %u pieces of memory\n", total, seed, n_pieces);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct told t;

	if (!ask(RACES_ASK, 0, 0, 0).here)
		fail("this is not the instrument's build");
	if (!strcmp(verb, "ask"))
		return 0;
	if (!strcmp(verb, "delays") && argc == 4) {
		ask(RACES_DELAYS, (uint32_t)strtoul(argv[2], NULL, 0), (uint32_t)strtoul(argv[3], NULL, 10), 0);
		return 0;
	}
	if (!strcmp(verb, "fault") && argc == 5) {
		ask(RACES_FAULT, named(argv[2], kinds, RACES_FAULTS), (uint32_t)strtoul(argv[4], NULL, 10),
		    named(argv[3], labels, NL_N_STEPS + 1));
		return 0;
	}
	if (!strcmp(verb, "told") && argc <= 3) {
		t = ask(RACES_TOLD, 0, 0, argc == 3 ? named(argv[2], labels, NL_N_STEPS + 1) : RACES_BEGIN);
		printf("met %u most %u delays %u turns %u stale %u\n", t.met, t.most, t.delays, t.turns, t.stale);
		return 0;
	}
	if (!strcmp(verb, "dead") && (argc == 4 || argc == 5)) {
		ask(RACES_DEAD, (uint32_t)strtoul(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10),
		    argc == 5 ? named(argv[4], nmis, DEAD_NMIS) : DEAD_GUESTS);
		return 0;
	}
	if (!strcmp(verb, "sweep"))
		return sweep(argc - 1, argv + 1);
	return 2;
}
