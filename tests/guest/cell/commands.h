/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the image of image.S does when the core tells it to, and how the test kernel talks to the instrument's build
 * about it (tests/instrument/cell.c): by CPUID at CPL 0 with CELL_LEAF in EAX and a CELL_OP in ECX. Read by C and by
 * the assembler.
 */
#ifndef GUEST_CELL_COMMANDS_H
#define GUEST_CELL_COMMANDS_H

#define CELL_LEAF 0x4c4c4543    /* "CELL" */
#define CELL_PRESENT 0x6c6c6563 /* the answer of CELL_OP_ASK in EAX */

#define CELL_OP_ASK 0
#define CELL_OP_IMAGE 1 /* rbx: physical address, rdx: bytes. rax = enum nl_err */
#define CELL_OP_START 2
/* rbx: rax of the cell, rdx: its rdx, rsi: ticks, rdi: bits below. rax = enum nl_cell_end, rbx = its rdi, rcx = code of
 * its fault, rdx = its rip, rsi = ticks spent since its last call */
#define CELL_OP_RUN 3
#define CELL_OP_PEEK 4 /* rbx: which 8 bytes of the mailbox's data. rdx = what is there */

#define CELL_KICK 1  /* this CPU is kicked first, */
#define CELL_NMI 2   /* or an NMI of the guest's waits */
#define CELL_GO_ON 4 /* its registers as they are */
#define CELL_AGAIN 8 /* once more at once when it was left, without the guest in between */

/* clang-format off */
/* Calls again, with the result in rdi. The argument is in rdx. */
#define CELL_GOOD(X) X(add) X(sum) X(dirty) X(mailbox) X(selectors) X(flags) X(spin) X(count)
/* Is its end. In the order: memory, x87 and SSE, ports and MSRs, system calls and exceptions, CPL 0. */
#define CELL_BAD(X) \
	X(read_absent) X(read_tables) X(read_behind) X(write_absent) X(write_text) X(write_rodata) X(fetch_rodata) \
	X(fetch_data) X(fetch_mailbox) X(jump_wild) X(jump_noncanonical) X(push_wild) \
	X(x87) X(fwait) X(mmx) X(sse) X(fxsave) X(avx) X(xgetbv) \
	X(cpuid) X(rdmsr) X(wrmsr) X(in) X(out) X(rdtsc) X(rdtscp) X(rdpmc) \
	X(syscall) X(sysenter) X(int3) X(icebp) X(int80) X(ud2) X(divide) X(step) X(other_call) X(iret) X(far_return) \
	X(load_ds) X(load_ss) X(wrfsbase) \
	X(hlt) X(cli) X(sti) X(read_cr0) X(read_cr3) X(write_cr3) X(read_dr7) X(write_dr0) X(clts) X(lidt) X(lgdt) \
	X(ltr) X(swapgs) X(sysret) X(invlpg) X(wbinvd) X(invd) X(monitor) X(mwait) X(vmload) X(vmsave) X(vmrun) \
	X(stgi) X(clgi) X(vmxon) X(xsetbv)
/* clang-format on */

#endif
