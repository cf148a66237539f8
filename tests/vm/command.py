# SPDX-License-Identifier: Apache-2.0
"""The newleaf command inside a guest, as the tests use it: JSON in, expectations checked."""

import json
import re

from guest import Failure, leaf_path

DEADLINE = 8  # exit code of NL_EDEADLINE
TRIES = 20
COMMITS = ("apply", "revert", "sync")  # verbs that may change something
FIXES = ("proc-net-chmod", "prctl-auxv")


def unchanged(arguments, answer, before, now):
    """A try that its deadline has ended says that it has changed nothing, and nothing has changed."""
    if answer.get("changed") is not False or now != before:
        raise Failure(
            f"newleaf {arguments} ended with {DEADLINE}, but the generation went from {before} to {now}: {answer}"
        )


def newleaf(g, arguments, code=0, timeout=60, env=""):
    """`newleaf ARGUMENTS --json`, behind NAME=VALUE if env says so; the exit code must be as given. Returns the last
    JSON document. A deadline that has passed (exit 8) says that the host was busy: another try, if nothing changed."""
    may_commit = code in (0, DEADLINE) and arguments.split()[0] in COMMITS
    before = generation(g, env) if may_commit else None
    for _ in range(TRIES):
        out = g.run(f"{env} newleaf {arguments} --json", timeout=timeout, code=(code, DEADLINE) if code == 0 else code)
        try:
            answer = json.loads(out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Failure(f"newleaf {arguments} --json gave no JSON document:\n{out}") from None
        late = answer.get("exit") == DEADLINE
        if late and may_commit:
            unchanged(arguments, answer, before, generation(g, env))
        if code != 0 or not late:
            break
        g.deadlines += 1
    return answer


def generation(g, env=""):
    return newleaf(g, "status", env=env)["generation"]


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
# load is a retry, not a failure, if nothing has changed; it is counted. What is torn is told on the console as well,
# where it outlives a guest that is reset before the script has ended.
ROUNDS = r"""
leaf=%(leaf)s id=%(id)s rounds=%(rounds)d again=0
wrong() { printf '\n%%s\n' "$*" >/dev/console; echo "$*"; exit 1; }
generation() { newleaf status --json | grep -o '"generation":[0-9]*' | head -n 1 | cut -d: -f2; }
shows() { # what the reproducer must end with, and when that is
	repro $id >/tmp/probe; [ $? = $1 ] || wrong "round $i, $2: $(cat /tmp/probe)"
}
attempt() { # what the reproducer ends with before, what shall be, how
	old=$1 word=$2 n=0; shift 2
	until newleaf "$@" --json >/tmp/said 2>&1; do
		code=$?
		[ $code = 8 ] && [ $n -lt %(tries)d ] ||
			{ echo "round $i: newleaf $* ended with $code"; cat /tmp/said; exit 1; }
		now=$(generation)
		grep -q '"changed":false' /tmp/said && [ "$now" = $gen ] ||
			wrong "round $i: newleaf $* ended with 8, but changed generation $gen to $now: $(cat /tmp/said)"
		shows $old "not $word"
		n=$((n + 1)) again=$((again + 1))
	done
	gen=$(sed -n 's/.*"generation":{"from":'$gen',"to":\([0-9]*\)}.*/\1/p' /tmp/said)
	[ -n "$gen" ] || wrong "round $i: newleaf $* does not go on from the generation before: $(cat /tmp/said)"
}
i=0 gen=$(generation)
while [ $i -lt $rounds ]; do
	attempt 1 applied apply $leaf
	shows 0 applied
	attempt 0 reverted revert $id
	shows 1 reverted
	i=$((i + 1))
done
echo "$rounds rounds, $again retries"
"""


def rounds_script(leaf, fix, count):
    return ROUNDS % {"leaf": leaf, "id": fix, "rounds": count, "tries": TRIES}


def rounds(g, fix, count, timeout):
    out = g.run(rounds_script(leaf_path(g.machine.kernel, fix), fix, count), timeout=timeout)
    return re.search(r"\d+ rounds, \d+ retries", out).group(0)
