// SPDX-License-Identifier: Apache-2.0
/*
 * The hypercall's port: an unused port for everybody but CPL 3 with I/O permission and the magic; garbage gets named
 * errors.
 */
#include <newleaf/hypercall.h>

#include "kernel.h"

__asm__(".globl user_out, user_out_end, user_outb, user_outb_end, user_in, user_in_end\n"
        "user_out: out %eax, (%dx)\n int $0x80\nuser_out_end:\n"
        "user_outb: out %al, (%dx)\n int $0x80\nuser_outb_end:\n"
        "user_in: in (%dx), %eax\n int $0x80\nuser_in_end:\n");
extern const uint8_t user_out[], user_out_end[], user_outb[], user_outb_end[], user_in[], user_in_end[];

static void cpl0(void)
{
	uint64_t *buffer = page_alloc(1);
	uint64_t rax = 0xdeadbeef00000000 | NL_CALL_MAGIC, rbx = NL_CALL_STATUS, rcx = 0x1111, rdx = NL_CALL_PORT;

	memset(buffer, 0x5a, NL_PAGE_SIZE);
	for (unsigned i = 0; i < 16; i++) {
		rbx = i;
		EXPECT_VECTOR(TRY("out %%eax, (%%dx)", ARGS("+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx)),
		                  ARGS("S"(buffer), "D"(NL_PAGE_SIZE))),
		              NONE, "the call at CPL 0");
		EXPECT(rax == (0xdeadbeef00000000 | NL_CALL_MAGIC) && rcx == 0x1111 && rbx == i,
		       "call %u at CPL 0 changed registers: rax %lx rcx %lx", i, rax, rcx);
	}
	for (unsigned i = 0; i < 512; i++)
		EXPECT(buffer[i] == 0x5a5a5a5a5a5a5a5a, "the buffer was written");
}

/* QEMU reads 0 from an unused port that is not aligned: there only the upper half is compared. */
static void unused_port(void)
{
	uint64_t v;

	for (uint16_t port = NL_CALL_PORT - 3; port < NL_CALL_PORT + 4; port++) {
		v = 0x1122334455667788;
		__asm__ volatile("inb %w1, %b0" : "+a"(v) : "d"(port));
		EXPECT(v == 0x11223344556677ff, "IN of a byte at %x: %lx", port, v);
		v = 0x1122334455667788;
		__asm__ volatile("inw %w1, %w0" : "+a"(v) : "d"(port));
		EXPECT(v == 0x112233445566ffff || port & 1, "IN of a word at %x: %lx", port, v);
		v = 0x1122334455667788;
		__asm__ volatile("inl %w1, %k0" : "+a"(v) : "d"(port));
		EXPECT(v == 0xffffffff || (port & 3 && !(v >> 32)), "IN of a doubleword at %x: %lx", port, v);
		v = NL_CALL_MAGIC;
		__asm__ volatile("outb %b0, %w1; outw %w0, %w1; outl %k0, %w1" : "+a"(v) : "d"(port));
		EXPECT(v == NL_CALL_MAGIC, "OUT at %x changed RAX to %lx", port, v);
	}
	__asm__ volatile("outl %k0, %w1" ::"a"(NL_CALL_MAGIC ^ 1), "d"(NL_CALL_PORT));
}

/* The one difference to an unused port: string instructions on it are #GP, from a kernel as well. No driver has one for
 * this port. */
static void string_port(void)
{
	uint32_t *p = page_alloc(1);
	uint64_t rsi = (uint64_t)p, rdi = (uint64_t)p, rcx = 4;

	p[0] = NL_CALL_MAGIC;
	if (!machine.bare) {
		EXPECT_VECTOR(TRY("cld; rep outsl", ARGS("+S"(rsi), "+c"(rcx)), ARGS("d"(NL_CALL_PORT))), GP,
		              "REP OUTS to the port");
		EXPECT_VECTOR(TRY("cld; rep insb", ARGS("+D"(rdi), "+c"(rcx)), ARGS("d"(NL_CALL_PORT))), GP,
		              "REP INS from the port");
		EXPECT(rcx == 4 && rsi == (uint64_t)p && rdi == (uint64_t)p,
		       "registers have moved: rcx %lx rsi %lx rdi %lx", rcx, rsi, rdi);
		return;
	}
	EXPECT_VECTOR(TRY("cld; rep outsl", ARGS("+S"(rsi), "+c"(rcx)), ARGS("d"(NL_CALL_PORT))), NONE,
	              "REP OUTS to the port");
	EXPECT(rcx == 0 && rsi == (uint64_t)p + 16, "REP OUTS: rcx %lx rsi %lx", rcx, rsi);
	rcx = 4;
	EXPECT_VECTOR(TRY("cld; rep insb", ARGS("+D"(rdi), "+c"(rcx)), ARGS("d"(NL_CALL_PORT))), NONE,
	              "REP INS from the port");
	EXPECT(rcx == 0 && rdi == (uint64_t)p + 4 && p[0] == UINT32_MAX, "REP INS: rcx %lx rdi %lx read %x", rcx, rdi,
	       p[0]);
}

int user_call(uint64_t call, uint64_t buffer, uint64_t len, uint64_t rcx, uint64_t r8, struct user_regs *r)
{
	*r = (struct user_regs){.rax = NL_CALL_MAGIC,
	                        .rbx = call,
	                        .rcx = rcx,
	                        .rdx = NL_CALL_PORT,
	                        .rsi = buffer,
	                        .rdi = len,
	                        .r8 = r8,
	                        .rflags = 0xad7};
	return user_run(user_out, user_out_end, r);
}

static void cpl3_denied(void)
{
	struct user_regs r;

	user_allow_ports(false);
	EXPECT_VECTOR(user_call(NL_CALL_STATUS, USER_DATA_VA, 4096, 0, 0, &r), GP, "the call without I/O permission");
	r = (struct user_regs){.rax = NL_CALL_MAGIC, .rdx = NL_CALL_PORT, .rflags = 2};
	EXPECT_VECTOR(user_run(user_outb, user_outb_end, &r), GP, "OUT of a byte without I/O permission");
	EXPECT_VECTOR(user_run(user_in, user_in_end, &r), GP, "IN without I/O permission");
	/* Permission for the first three of the four ports that a doubleword covers is none. */
	user_allow_ports(true);
	((uint8_t *)this_cpu()->tss_page)[104 + (NL_CALL_PORT + 3) / 8] |= 1u << (NL_CALL_PORT + 3) % 8;
	EXPECT_VECTOR(user_call(NL_CALL_STATUS, USER_DATA_VA, 4096, 0, 0, &r), GP,
	              "the call with permission for three of four bytes");
	user_allow_ports(false);
}

static void cpl3_magic(void)
{
	struct user_regs r = {.rax = NL_CALL_MAGIC ^ 0x100,
	                      .rbx = NL_CALL_STATUS,
	                      .rdx = NL_CALL_PORT,
	                      .rsi = USER_DATA_VA,
	                      .rdi = 4096,
	                      .rflags = 2};

	user_allow_ports(true);
	memset((void *)USER_DATA_VA, 0x5a, 4096);
	EXPECT_VECTOR(user_run(user_out, user_out_end, &r), 0x80, "wrong magic");
	EXPECT(r.rax == (NL_CALL_MAGIC ^ 0x100), "wrong magic: rax %lx", r.rax);
	r.rax = NL_CALL_MAGIC;
	EXPECT_VECTOR(user_run(user_outb, user_outb_end, &r), 0x80, "wrong width");
	EXPECT(r.rax == NL_CALL_MAGIC, "wrong width: rax %lx", r.rax);
	EXPECT_VECTOR(user_run(user_in, user_in_end, &r), 0x80, "IN with permission");
	EXPECT(r.rax == UINT32_MAX, "IN with permission: rax %lx", r.rax);
	for (unsigned i = 0; i < 4096; i++)
		EXPECT(((volatile uint8_t *)USER_DATA_VA)[i] == 0x5a, "the buffer was written");
	if (machine.bare) {
		EXPECT_VECTOR(user_call(NL_CALL_STATUS, USER_DATA_VA, 4096, 7, 8, &r), 0x80,
		              "the call on bare hardware");
		EXPECT(r.rax == NL_CALL_MAGIC && r.rcx == 7, "the call on bare hardware: rax %lx rcx %lx", r.rax,
		       r.rcx);
	}
	user_allow_ports(false);
}

static struct nl_status status(void)
{
	struct user_regs r;

	memset((void *)USER_DATA_VA, 0, 4096);
	user_allow_ports(true);
	EXPECT_VECTOR(user_call(NL_CALL_STATUS, USER_DATA_VA, 4096, 0, 0, &r), 0x80, "STATUS");
	EXPECT(r.rax == NL_OK, "STATUS: error %lu", r.rax);
	user_allow_ports(false);
	return *(struct nl_status *)USER_DATA_VA;
}

static void cpl3_status(void)
{
	struct nl_status s = status();
	struct user_regs r;

	EXPECT(s.abi == NL_ABI_VERSION && s.size == sizeof(s), "abi %u size %u", s.abi, s.size);
	EXPECT(!strcmp(s.vendor, machine.intel ? "VMX" : "SVM"), "vendor %s", s.vendor);
	EXPECT(s.cpus_known == machine.n_cpus, "%u CPUs known, %u in the firmware's table", s.cpus_known,
	       machine.n_cpus);
	user_allow_ports(true);
	user_call(NL_CALL_STATUS, USER_DATA_VA, sizeof(s), 0, 0x7777, &r);
	user_allow_ports(false);
	EXPECT(r.rax == NL_OK && r.rcx == sizeof(s), "rax %lu rcx %lu", r.rax, r.rcx);
	EXPECT(r.rbx == NL_CALL_STATUS && r.rdx == NL_CALL_PORT && r.rsi == USER_DATA_VA && r.rdi == sizeof(s),
	       "a register was changed");
	EXPECT((r.rflags & 0xcd5) == 0x8d5, "flags %lx", r.rflags);
	note("%s/%s generation %lu, %lu KiB free", s.vendor, s.paging, s.generation, s.memory_free / 1024);
}

/* An update that went nowhere leaves a trace that an administrator sees. */
static void update_dropped(void)
{
	uint64_t before = status().counts.microcode_dropped;
	uint32_t index = machine.intel ? 0x79 : 0xc0010020;

	for (unsigned i = 1; i <= 3; i++) {
		EXPECT_VECTOR(wrmsr(index, (uint64_t)cpus), NONE, "a microcode update");
		EXPECT(status().counts.microcode_dropped == before + i, "%lu updates are counted, %lu were before",
		       status().counts.microcode_dropped, before);
	}
}

/* Each is refused by name; none changes the generation or is a defect of Newleaf's own. */
static void garbage(void)
{
	static const uint64_t addresses[] = {USER_DATA_VA,
	                                     USER_DATA_VA + 4095,
	                                     USER_DATA_VA + 17 * 4096 - 8,
	                                     0,
	                                     0xfee00000,
	                                     0xffffffffffffffff,
	                                     0x8000000000000000,
	                                     0xffff800000000000,
	                                     WINDOW + 400 * 4096,
	                                     0xfffff000,
	                                     0x7fffffffffff};
	static const uint64_t lengths[] = {
	        0, 1, 8, 47, 4096, 65536, 65537, 0xffffffff, 0x8000000000000000, 0xffffffffffffffff};
	static const uint64_t numbers[] = {0, 1, 64, 0x1000, 0xfffffff8, 0x100000000, 0xffffffffffffffff};
	uint64_t generation = status().generation, calls = 0, refused = 0;
	struct user_regs r;
	uint32_t x = 0x12345;

	user_allow_ports(true);
	for (uint64_t n = rounds(4000); n && !failed(); n--) {
		uint64_t call, buffer, len, rcx, r8;

		x = x * 1103515245 + 12345;
		call = (x >> 16) % 16;
		if (call == 15)
			call = 0xffffffff00000001;
		if (call == NL_CALL_ALIVE)
			continue; /* is never garbage */
		buffer = addresses[(x >> 8) % NL_ARRAY_SIZE(addresses)];
		len = lengths[(x >> 12) % NL_ARRAY_SIZE(lengths)];
		rcx = numbers[(x >> 4) % NL_ARRAY_SIZE(numbers)];
		r8 = numbers[(x >> 20) % NL_ARRAY_SIZE(numbers)];
		if (n % 3 == 0)
			for (unsigned i = 0; i < 512; i++)
				((uint32_t *)USER_DATA_VA)[i] = x = x * 1664525 + 1013904223;
		int vector = user_call(call, buffer, len, rcx, r8, &r);
		EXPECT(vector == 0x80, "call %lx: vector %d", call, vector);
		EXPECT(r.rax < NL_ERRORS_KNOWN && r.rax != NL_EINTERNAL,
		       "call %lx buffer %lx length %lx rcx %lx r8 %lx: answer %lx", call, buffer, len, rcx, r8, r.rax);
		calls++;
		refused += r.rax != NL_OK && r.rax != NL_NOTHING;
	}
	user_call(NL_CALL_ABANDON, 0, 0, 0, 0, &r);
	user_allow_ports(false);
	EXPECT(status().generation == generation, "the generation was %lu and is %lu", generation, status().generation);
	note("%lu calls, %lu refused", calls, refused);
}

static void named(void)
{
	struct nl_commit_request *q = (struct nl_commit_request *)USER_DATA_VA;
	struct user_regs r;

	user_allow_ports(true);
	user_call(77, USER_DATA_VA, 4096, 0, 0, &r);
	EXPECT(r.rax == NL_EUSAGE, "unknown call: %lu", r.rax);
	user_call(NL_CALL_STATUS, USER_DATA_VA, NL_CALL_MAX_BUFFER + 1, 0, 0, &r);
	EXPECT(r.rax == NL_EUSAGE, "buffer too long: %lu", r.rax);
	user_call(NL_CALL_STATUS, WINDOW + 300 * 4096, 4096, 0, 0, &r);
	EXPECT(r.rax == NL_EFAULT, "buffer not mapped: %lu", r.rax);
	user_call(NL_CALL_STATUS, USER_DATA_VA + 17 * 4096 - 16, 4096, 0, 0, &r);
	EXPECT(r.rax == NL_EFAULT, "buffer mapped in part: %lu", r.rax);
	user_call(NL_CALL_STATUS, (uint64_t)cpus, 4096, 0, 0, &r);
	EXPECT(r.rax == NL_EFAULT, "buffer in the kernel's pages: %lu", r.rax);
	user_call(NL_CALL_TRY, USER_DATA_VA, 4096, 0, 0, &r);
	EXPECT(r.rax == NL_ESTATE, "TRY without PREPARE: %lu", r.rax);
	memset(q, 0, sizeof(*q));
	q->expected_generation = 0x7777;
	q->deadline_ms = 100;
	user_call(NL_CALL_PREPARE, USER_DATA_VA, sizeof(*q), 0, 0, &r);
	EXPECT(r.rax == NL_EGENERATION, "PREPARE of another generation: %lu", r.rax);
	q->expected_generation = UINT64_MAX;
	q->count = NL_MAX_LEAVES + 1;
	user_call(NL_CALL_PREPARE, USER_DATA_VA, sizeof(*q), 0, 0, &r);
	EXPECT(r.rax == NL_EUSAGE, "PREPARE of too many leaves: %lu", r.rax);
	q->count = 1;
	user_call(NL_CALL_PREPARE, USER_DATA_VA, sizeof(*q), 0, 0, &r);
	EXPECT(r.rax == NL_EUNKNOWN_LEAF, "PREPARE of an unknown leaf: %lu", r.rax);
	user_allow_ports(false);
}

const struct test call_tests[] = {
        {"call-cpl0", cpl0, 0},
        {"call-unused-port", unused_port, 0},
        {"call-string-port", string_port, 0},
        {"call-cpl3-denied", cpl3_denied, 0},
        {"call-cpl3-wrong-magic", cpl3_magic, 0},
        {"call-cpl3-status", cpl3_status, NEWLEAF_ONLY},
        {"call-update-dropped", update_dropped, NEWLEAF_ONLY},
        {"call-named-errors", named, NEWLEAF_ONLY},
        {"call-garbage", garbage, NEWLEAF_ONLY},
        {NULL, NULL, 0},
};
