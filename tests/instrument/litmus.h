// SPDX-License-Identifier: Apache-2.0
/*
 * How the test kernel talks to the instrument's build (litmus.c beside this file): by CPUID at CPL 0, with LITMUS_LEAF
 * in EAX and one of these in ECX. The product does not know the leaf.
 */
#ifndef INSTRUMENT_LITMUS_H
#define INSTRUMENT_LITMUS_H

#define LITMUS_LEAF 0x4c49544dU    /* "MTIL" */
#define LITMUS_PRESENT 0x74736e69U /* the answer in EAX: "inst" */

enum litmus_call {
	LITMUS_ASK,    /* is it there? */
	LITMUS_SET,    /* EBX: enum litmus_order, with FREEZE and SCAN; EDX: instructions between two steps */
	LITMUS_ENTER,  /* EBX: this task begins a pass on this CPU */
	LITMUS_RESUME, /* EBX: this task goes on in the middle of one */
};

/* What is shown to whom first, when a transaction flips. Between two steps lie EDX instructions. */
enum litmus_order {
	LITMUS_ROOT, /* the product's: one pointer, which every CPU compares before it enters the guest */
	LITMUS_PAGE, /* page by page, in tables that all CPUs use */
	LITMUS_CPU,  /* CPU by CPU */
	LITMUS_TASK, /* task by task, each where it begins a pass (with the scan) or goes on in one (without) */
	LITMUS_ORDERS
};
#define LITMUS_FREEZE 0x10U
#define LITMUS_SCAN 0x20U

#define LITMUS_MAX_TASKS 64

#endif
