# SPDX-License-Identifier: Apache-2.0
"""The newleaf command inside a guest, as the tests use it: JSON in, expectations checked."""

import json
import re

from guest import Failure, leaf_path

DEADLINE = 8  # exit code of NL_EDEADLINE
FIXES = ("proc-net-chmod", "prctl-auxv")


def newleaf(g, arguments, code=0, timeout=60, env=""):
    """`newleaf ARGUMENTS --json`, behind NAME=VALUE if env says so; the exit code must be as given. Returns the last
    JSON document. A deadline that has passed (exit 8) says that the host was busy: another try."""
    for _ in range(20):
        out = g.run(f"{env} newleaf {arguments} --json", timeout=timeout, code=(code, DEADLINE) if code == 0 else code)
        if code != 0 or not re.search(r'"exit": *%d\b' % DEADLINE, out):
            break
    try:
        return json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise Failure(f"newleaf {arguments} --json gave no JSON document:\n{out}") from None


def generation(g):
    return newleaf(g, "status")["generation"]


def probe(g, fix, expected):
    """What the reproducer says must be VULNERABLE or FIXED."""
    out = g.call(f"repro {fix}").out.strip()
    if not out.endswith("-> " + expected):
        raise Failure(f"expected {expected}: {out}")


def apply(g, fix, code=0, path=None):
    return newleaf(g, f"apply {path or leaf_path(g.machine.kernel, fix)}", code)


def revert(g, fix, code=0):
    return newleaf(g, f"revert {fix}", code)


def cycle(g, fixes=FIXES):
    """VULNERABLE, apply, FIXED, revert, VULNERABLE for each."""
    for fix in fixes:
        probe(g, fix, "VULNERABLE")
        apply(g, fix)
        probe(g, fix, "FIXED")
        revert(g, fix)
        probe(g, fix, "VULNERABLE")


def refused(g, arguments, name, exits):
    """The command must be refused by this error name, change nothing, and say so."""
    before = generation(g)
    answer = newleaf(g, arguments, code=exits)
    names = (name,) if isinstance(name, str) else name
    if answer.get("code") not in names or answer.get("changed") is not False:
        raise Failure(f"newleaf {arguments}: expected {names}, changed false; got {answer}")
    if generation(g) != before:
        raise Failure(
            f"newleaf {arguments} was refused ({answer['code']})"
            f" but the generation went from {before} to {generation(g)}"
        )
    return answer


# Apply/revert rounds, run inside the guest so that 200 of them do not cost 200 conversations. A deadline (exit 8) under
# load is a retry, not a failure; it is counted.
ROUNDS = r"""
leaf=%(leaf)s id=%(id)s rounds=%(rounds)d again=0
attempt() {
	n=0
	while :; do
		newleaf "$@" -q 2>/tmp/said && return 0
		code=$?
		[ $code = 8 ] && [ $n -lt 20 ] ||
			{ echo "round $i: newleaf $* ended with $code"; cat /tmp/said; exit 1; }
		n=$((n + 1)) again=$((again + 1))
	done
}
i=0
while [ $i -lt $rounds ]; do
	attempt apply $leaf
	repro $id >/tmp/probe; [ $? = 0 ] || { echo "round $i, applied: $(cat /tmp/probe)"; exit 1; }
	attempt revert $id
	repro $id >/tmp/probe; [ $? = 1 ] || { echo "round $i, reverted: $(cat /tmp/probe)"; exit 1; }
	i=$((i + 1))
done
echo "$rounds rounds, $again retries"
"""


def rounds(g, fix, count, timeout):
    script = ROUNDS % {"leaf": leaf_path(g.machine.kernel, fix), "id": fix, "rounds": count}
    out = g.run(script, timeout=timeout)
    return re.search(r"\d+ rounds, \d+ retries", out).group(0)
