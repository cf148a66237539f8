// SPDX-License-Identifier: Apache-2.0
// sources: hv/core/panic.c hv/core/kept.c hv/core/console.c hv/core/clock.c hv/core/cpu.c
/*
 * The core gives up: every other CPU that runs a guest is made to leave it and stands still, the words reach ring and
 * record, the record is whole before the platform resets, and the next boot tells it once.
 */
#include "host.h"
#include "../../arch/x86_64/include/host.h"
#include "core/cpu.h"
#include "core/panic.h"
#include "vendor.h"
#include "x86.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct nl_panic_record record;
static struct nl_cpu cpus[4], *self;
struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
const struct nl_vendor *nl_vendor;
static unsigned kicks[4], written_back;
static bool obeys, dump_panics, uart_panics;
static jmp_buf end;
enum { RESET = 1, HALT = 2 };

struct nl_cpu *nl_this_cpu(void) { return self; }
void host_reset(void) { longjmp(end, RESET); }
void host_dump_machine_checks(void) { nl_log("the banks\n"); }
void x86_halt(void) { longjmp(end, HALT); }
void x86_wbinvd(void) { written_back += nl_panic_valid(&record); }

/* Is the line free? */
uint8_t x86_inb(uint16_t p)
{
	(void)p;
	if (uart_panics) {
		uart_panics = false;
		nl_panic("in a line");
	}
	return 0x60;
}

void x86_outb(uint16_t p, uint8_t v) { (void)p, (void)v; }

/* Another CPU, kicked: at its next look, before an entry. */
static int looks(void)
{
	jmp_buf kept;
	int how;

	memcpy(&kept, &end, sizeof(end));
	how = setjmp(end);
	if (!how)
		nl_panic_stop();
	memcpy(&end, &kept, sizeof(end));
	return how;
}

static void kick(struct nl_cpu *c)
{
	kicks[c->index]++;
	if (obeys)
		assert_int_equal(looks(), HALT);
}

static void dump(struct nl_cpu *c)
{
	assert_ptr_equal(c, self);
	nl_log("the dump\n");
	if (dump_panics)
		nl_panic("in the dump");
}

static const struct nl_vendor vendor = {.name = "SVM", .kick = kick, .dump = dump};

static int gives_up(void)
{
	int how = setjmp(end);

	if (!how)
		nl_panic("index %u is %s", 7u, "odd");
	return how;
}

/* Each test is a process: a panic is for good. */
static int start(void **state)
{
	(void)state;
	memset(&record, 0, sizeof(record));
	seam_tsc_step = 1000;
	nl_vendor = &vendor;
	nl_n_cpus = 4;
	for (unsigned i = 0; i < 4; i++) {
		nl_cpus[i] = &cpus[i];
		cpus[i] = (struct nl_cpu){.index = i, .apic_id = 2 * i, .state = NL_CPU_RUNNING};
	}
	cpus[3].state = NL_CPU_WAIT_SIPI;
	self = &cpus[1];
	self->exits[NL_CAUSE_CPUID] = 5;
	nl_panic_init(&record);
	return 0;
}

static bool says(const char *what) { return strstr(record.text, what); }

static void run_apart(void (*test)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* one that hangs goes with the test */
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void whole(void)
{
	char ring[4096];
	uint64_t next;
	size_t n;

	obeys = true;
	assert_int_equal(looks(), 0); /* before: nobody stands */
	assert_int_equal(gives_up(), RESET);
	assert_true(kicks[0] == 1 && kicks[1] == 0 && kicks[2] == 1 && kicks[3] == 0);
	assert_int_equal(written_back, 1);
	assert_true(nl_panic_valid(&record));
	assert_true(says("PANIC: index 7 is odd") && says("CPU 1 APIC 2") && says("the dump") && says("exits[0] 5"));
	assert_true(says("the banks"));
	assert_true(says("other CPUs stopped: 2 of 2"));
	n = nl_console_read(0, ring, sizeof(ring) - 1, &next);
	ring[n] = '\0';
	assert_non_null(strstr(ring, record.text));
	assert_int_equal(looks(), HALT); /* for ever */
	self = &cpus[2];
	assert_int_equal(gives_up(), HALT); /* too late to say anything */
	assert_false(says("CPU 2"));

	nl_console_panic(NULL); /* the next boot: told once */
	nl_panic_init(&record);
	n = nl_console_read(next, ring, sizeof(ring) - 1, &next);
	ring[n] = '\0';
	assert_non_null(strstr(ring, "the boot before ended in a panic"));
	assert_non_null(strstr(ring, "index 7 is odd"));
	assert_false(nl_panic_valid(&record));
}

static void deaf(void)
{
	obeys = false; /* it runs on until the reset, and the record says so */
	assert_int_equal(gives_up(), RESET);
	assert_true(nl_panic_valid(&record));
	assert_true(says("other CPUs stopped: 0 of 2"));
}

static void twice(void)
{
	obeys = dump_panics = true;
	assert_int_equal(gives_up(), RESET);
	assert_true(nl_panic_valid(&record));
	assert_true(says("index 7 is odd") && says("the dump"));
}

/* A machine check while this CPU says something: it holds the console's lock, and waits for nobody. */
static void in_a_line(void)
{
	int how = setjmp(end);

	nl_boot.console_port = 0x3f8;
	uart_panics = obeys = true;
	if (!how)
		nl_log("a line that is cut off\n");
	assert_int_equal(how, RESET);
	assert_true(nl_panic_valid(&record));
	assert_true(says("PANIC: in a line") && says("the dump"));
}

static void early(void)
{
	self = NULL; /* no table of CPUs yet */
	nl_n_cpus = 0;
	nl_vendor = NULL;
	assert_int_equal(gives_up(), RESET);
	assert_true(says("index 7 is odd"));
	assert_true(nl_panic_valid(&record));
}

static void whole_record(void **state) { (void)state, run_apart(whole); }
static void deaf_cpus(void **state) { (void)state, run_apart(deaf); }
static void second_defect(void **state) { (void)state, run_apart(twice); }
static void console_in_use(void **state) { (void)state, run_apart(in_a_line); }
static void before_cpus(void **state) { (void)state, run_apart(early); }

/* Memory that the firmware used meanwhile. */
static void damaged(void **state)
{
	(void)state;
	record = (struct nl_panic_record){.magic = NL_PANIC_MAGIC, .length = 5, .text = "hello"};
	record.checksum = nl_panic_checksum(&record);
	assert_true(nl_panic_valid(&record));
	for (size_t bit = 0; bit < (24 + 6) * 8; bit++) {
		((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(nl_panic_valid(&record));
		((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	record.length = sizeof(record.text);
	record.checksum = 0;
	assert_false(nl_panic_valid(&record));
}

/* What an earlier guest may have written there reaches a terminal as text, and as nothing else. */
static void foreign(void)
{
	static const char text[] = "\033[2J\233m\r\ttext\177\n";
	char ring[4096];
	uint64_t next;
	size_t n;

	record.magic = NL_PANIC_MAGIC;
	record.length = sizeof(text) - 1;
	memcpy(record.text, text, sizeof(text));
	record.checksum = nl_panic_checksum(&record);
	nl_panic_init(&record);
	n = nl_console_read(0, ring, sizeof(ring), &next);
	for (size_t i = 0; i < n; i++)
		assert_true(ring[i] == '\n' || (ring[i] >= 0x20 && ring[i] <= 0x7e));
	ring[n] = '\0';
	assert_non_null(strstr(ring, "?[2J?m??text?\n"));
}

static void foreign_text(void **state) { (void)state, run_apart(foreign); }

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(whole_record, start),   cmocka_unit_test_setup(deaf_cpus, start),
	        cmocka_unit_test_setup(second_defect, start),  cmocka_unit_test_setup(before_cpus, start),
	        cmocka_unit_test_setup(console_in_use, start), cmocka_unit_test_setup(damaged, start),
	        cmocka_unit_test_setup(foreign_text, start),
	};
	return cmocka_run_group_tests_name("panic", tests, NULL, NULL);
}
