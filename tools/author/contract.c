// SPDX-License-Identifier: Apache-2.0
/* Counts the registers of a prototype (System V ABI for x86-64, 3.2.3): see contract.h. */
#include "contract.h"
#include "code.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <string.h>

#define WORDS 6u      /* rdi, rsi, rdx, rcx, r8, r9 */
#define STACK_MAX 8u  /* words that a stub copies */
#define STEPS_MAX 64u /* of typedefs and qualifiers */

const struct btf_type *contract_plain(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	for (unsigned n = 0; t && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)); n++)
		t = n < STEPS_MAX ? btf__type_by_id(btf, t->type) : NULL;
	return t;
}

/* Words of a value that is passed or returned; 3 = in memory; -1 = not of integers. */
static int words(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = contract_plain(btf, id);

	if (!t)
		return -1;
	if (btf_is_ptr(t) || btf_is_any_enum(t))
		return 1;
	if (btf_is_int(t) || btf_is_composite(t))
		return t->size > 16 ? 3 : (int)(t->size + 7) / 8;
	return -1;
}

struct contract contract_of(const struct btf *btf, uint32_t proto)
{
	const struct btf_type *t = btf__type_by_id(btf, proto);
	struct contract c = {0};
	unsigned all = 0;
	int n;

	if (!t || !btf_is_func_proto(t))
		return (struct contract){.trouble = xformat("its prototype is not known")};
	c.returns_void = !t->type;
	n = c.returns_void ? 0 : words(btf, t->type);
	if (n < 0)
		return (struct contract){.trouble = xformat("what it returns is no integer, pointer or structure")};
	if (n == 2)
		return (struct contract){.trouble = xformat("it returns 16 bytes, in rax and rdx")};
	if (n == 3)
		all++; /* where to put it */
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		if (!btf_params(t)[i].type)
			return (struct contract){.trouble = xformat("it takes any number of arguments")};
		n = words(btf, btf_params(t)[i].type);
		if (n < 0)
			return (struct contract){
			        .trouble = xformat("argument %u is no integer, pointer or structure", i + 1)};
		/* What follows in the list may still find a register when a structure does not: not gone into. */
		if (n == 3 || (all + (unsigned)n > WORDS && n > 1) || all + (unsigned)n > WORDS + STACK_MAX)
			return (struct contract){.trouble = xformat("argument %u is passed on the stack", i + 1)};
		all += (unsigned)n;
	}
	c.stack_words = all > WORDS ? all - WORDS : 0;
	return c;
}

/* Does the code take something from a register that it has not set, in the order of addresses? */
static bool takes_registers(const struct kernel *k, uint64_t va, uint32_t size)
{
	const uint8_t *p = kernel_bytes(k, va, size);
	uint32_t set = 0;

	for (uint32_t at = 0; p && at < size;) {
		struct code_step s = code_decode(p + at, size - at, va + at);

		if (s.reads & CODE_CALLER_SAVED & ~set)
			return true;
		set |= s.writes;
		at += s.len ? s.len : 1;
	}
	return !p;
}

bool contract_of_assembler(const struct kernel *k, uint32_t proto, uint64_t va, uint32_t size)
{
	const struct btf_type *t = btf__type_by_id(k->btf, proto);

	return t && btf_is_func_proto(t) && !t->type && !btf_vlen(t) && takes_registers(k, va, size);
}

static bool same(struct contract a, struct contract b)
{
	return !a.trouble == !b.trouble && a.returns_void == b.returns_void && a.stack_words == b.stack_words;
}

/* By the types of one object: how many functions of the name, and what they have in common. */
static size_t known(const struct btf *btf, const char *name, struct contract *c, uint32_t *proto)
{
	const uint32_t *ids;
	size_t n;

	ids = typenames_find(btf, BTF_KIND_FUNC, name, &n);
	for (size_t i = 0; i < n; i++) {
		struct contract one = contract_of(btf, btf__type_by_id(btf, ids[i])->type);

		if (!i)
			*proto = btf__type_by_id(btf, ids[i])->type;
		if (i && !same(one, *c))
			c->trouble = xformat("the kernel has functions of that name with different prototypes");
		else if (!i || one.trouble)
			*c = one;
	}
	return n;
}

bool contract_by_kernel(const struct kernel *k, const char *name, uint64_t va, uint32_t size, struct contract *c)
{
	uint32_t proto = 0;

	*c = (struct contract){0};
	if (!k->btf || !known(k->btf, name, c, &proto))
		return false;
	if (contract_of_assembler(k, proto, va, size))
		c->trouble = xformat("it is assembler code with rules of its own");
	return true;
}

struct contract contract_find(const struct kernel *k, const char *name, uint64_t va, uint32_t size,
                              const struct body *b, const struct body_symbol *body, const char *where, char **unknown)
{
	const struct btf *types = b && b->types ? b->types[body->object] : NULL;
	struct contract c = {0}, own = {0};
	const char *plain = body ? body->name : "";
	uint32_t proto = 0;
	bool told;

	*unknown = NULL;
	plain = strchr(plain, ':') ? strchr(plain, ':') + 1 : plain; /* of a patch: N:name */
	told = types && known(types, plain, &own, &proto);
	if (contract_by_kernel(k, name, va, size, &c)) {
		if (told && !c.trouble && !same(c, own))
			c.trouble = own.trouble ? own.trouble
			                        : xformat("the new prototype is another: what it returns, or what it "
			                                  "takes from the stack");
	} else {
		if (!b)
			return c; /* its own types may know */
		c = own;
		if (told)
			*unknown = xformat(
			        "the kernel's types do not know %s, so the prototype of the body is believed", name);
		else
			c.trouble = xformat("neither the kernel's types nor the body's know its prototype");
	}
	if (c.trouble)
		refuse(NL_ESITE,
		       "%s: %s has no ftrace nop, so a stub must keep the registers that its callers may rely on "
		       "(-fipa-ra), and it cannot: %s",
		       where, name, c.trouble);
	return c;
}
