# SPDX-License-Identifier: Apache-2.0
"""Bodies of functions whose callers rely on more than the ABI promises. Files of Linux that are compiled without -pg
(lib/ among them) are compiled with -fipa-ra: xas_find keeps its argument in rdi across xas_load, xas_store its own in
r10 across xas_clear_mark. The bodies here do what the old functions do and leave nothing in the registers that the ABI
gives them."""

import os

from command import newleaf
from guest import Failure
from leaves import make
from vmtest import test

RECIPE = "id {0}\nversion 1\nreplace {1} with {0}.c allow old\n"
BODY = """#include <linux/xarray.h>

#define SPEND(reg) "mov $0x5a5a5a5a5a5a5a5a, %%" reg "\\n"
#define SPEND_ALL() asm volatile(SPEND("rcx") SPEND("rdx") SPEND("rsi") SPEND("rdi") SPEND("r8") SPEND("r9") \\
	SPEND("r10") SPEND("r11") ::: "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory")
"""

# Looks an entry up, from where the state stands or from the head.
LOAD = """
static void *begin(struct xa_state *xas)
{
	void *head;

	if (!xas_valid(xas))
		head = xas_error(xas) ? NULL : xa_head(xas->xa);
	else
		return xas_reload(xas);
	if (xas_error(xas))
		return NULL;
	if (xa_is_node(head) ? xas->xa_index >> xa_to_node(head)->shift > XA_CHUNK_MASK : xas->xa_index != 0) {
		xas->xa_node = XAS_BOUNDS;
		return NULL;
	}
	xas->xa_node = NULL;
	return head;
}

void *xas_load(struct xa_state *xas)
{
	void *e = begin(xas);

	for (bool last = false; !last && xa_is_node(e);) {
		struct xa_node *node = xa_to_node(e);
		unsigned int at = xas->xa_index >> node->shift & XA_CHUNK_MASK;

		if (node->shift < xas->xa_shift)
			break;
		for (e = xa_entry(xas->xa, node, at); xa_is_sibling(e); e = xa_entry(xas->xa, node, at)) {
			at = xa_to_sibling(e);
			if (node->shift && xa_is_node(xa_entry(xas->xa, node, at))) {
				e = XA_RETRY_ENTRY;
				break;
			}
		}
		xas->xa_node = node;
		xas->xa_offset = at;
		last = !node->shift;
	}
	SPEND_ALL();
	return e;
}
"""

# Takes a mark off an entry, and off each node above that has no other with it.
CLEAR = """
static void walk(const struct xa_state *xas, unsigned int mark)
{
	unsigned int at = xas->xa_offset;

	if (xas_invalid(xas))
		return;
	for (struct xa_node *n = xas->xa_node; n; at = n->offset, n = xa_parent_locked(xas->xa, n))
		if (!__test_and_clear_bit(at, n->marks[mark]) || !bitmap_empty(n->marks[mark], XA_CHUNK_SIZE))
			return;
	xas->xa->xa_flags &= ~XA_FLAGS_MARK((__force xa_mark_t)mark);
}

void xas_clear_mark(const struct xa_state *xas, xa_mark_t mark)
{
	walk(xas, (__force unsigned int)mark);
	asm volatile(SPEND("rax") ::: "rax");
	SPEND_ALL();
}
"""

LOAD_WORK = "dd if=/dev/zero of=/t/f bs=4096 seek=5 count=100 2>/dev/null && truncate -s 0 /t/f"
CLEAR_WORK = LOAD_WORK + " && dd if=/dev/zero of=/t/g bs=4096 count=300 2>/dev/null && sync && rm /t/g"


def run(t, function, body, work):
    g = t.boot()
    name = function.replace("_", "-")
    with open(os.path.join(g.scratch, name + ".c"), "w", encoding="utf-8") as f:
        f.write(BODY + body)
    leaf = make(g.scratch, g.machine.kernel, RECIPE.format(name, function))
    with open(leaf, "rb") as f:
        g.put(f.read(), f"/tmp/{name}.leaf")
    g.run("mkdir -p /t && mount -t tmpfs none /t && " + work)
    newleaf(g, f"apply /tmp/{name}.leaf")
    for _ in range(5):
        said = g.call(work)
        if said.code:
            raise Failure(f"{function}: with the leaf on, '{work}' ends with {said.code}:\n{g.run('dmesg | tail -40')}")
    g.check_dmesg()
    newleaf(g, f"revert {name}")
    g.run(work)
    g.check_dmesg()


@test()
def contract_xas_load(t):
    """a body of xas_load (no ftrace nop) that changes every register it may: a file of tmpfs is written and cut"""
    run(t, "xas_load", LOAD, LOAD_WORK)


@test()
def contract_void(t):
    """the same of xas_clear_mark, which returns nothing"""
    run(t, "xas_clear_mark", CLEAR, CLEAR_WORK)
