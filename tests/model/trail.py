# SPDX-License-Identifier: Apache-2.0
"""The way on which Spin found something, as lines that can be read: who, in which part of the model, which step of the
ring (include/newleaf/steps.h) or which statement. A model that says in words what happens ("## " of a printf) is shown
by these, with what must not be so at its end."""

import os
import re
import subprocess

import replay
import spin

LINE = re.compile(r"\s*(\d+):\tproc\s+(\d+) \((\S+?):\d+\) (\w+\.pml):(\d+) \(state \d+\).*?\t\[(.*)\]")
LOOPS = re.compile(r"else|break|DO|\.?\(?goto.*|\(1\)|\(*i ?< ?\w+\)*|i = \(i\+1\)|i = 0")  # nothing that anybody does


def parts(path):
    """Of each line of a model: the inline or process that it is in, and the steps that it names."""
    out, inside = [], ""
    labels = {label.upper(): label for label in replay.steps()}
    with open(path, encoding="utf-8") as file:
        for line in file:
            head = re.match(r"(?:inline|(?:active )?(?:\[\w+\] )?proctype) (\w+)", line)
            inside = head[1] if head else inside
            named = re.findall(r"\bSTEP_([A-Z]+)", line)
            steps = [labels.get(n) or labels.get(n.removesuffix("S")) for n in named]
            steps += ["late"] if re.search(r"\bLATE\(\)", line) else []
            out.append((inside, " or ".join(dict.fromkeys(s for s in steps if s))))
    return out


def told(output):
    """Lines of text for what the model says on its way, and the last that it claims; none, if it says nothing."""
    lines, words, claimed = [], "", ""
    for line in output.split("\n"):
        step = LINE.match(line)
        if line.strip().startswith("## "):
            words = line.strip()[3:]
        elif step and words and step[6].startswith("printf"):
            lines.append(f"{step[1]:>5}  {step[3].split(':')[0]:10} {words}")
            words = ""
        failed = re.search(r"text of failed assertion: (.*)", line)
        claimed = failed[1] if failed else claimed
    return lines and [*lines, f"{'':5}  {'':10} {claimed}"]


def read(where, model, defines):
    """Lines of text for the trail that pan left in `where`."""
    command = ["spin", "-t", "-p", *["-D" + d for d in defines], model + ".pml"]
    done = subprocess.run(command, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    words = told(done.stdout)
    if words:
        return words
    found = [m.groups() for m in map(LINE.match, done.stdout.split("\n")) if m]
    if not found:
        raise spin.Broken(f"spin has no trail of {model}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    first = int(any(name == ":init:" for _, _, name, *_ in found))  # who is started by init counts from 1
    sources = {name: parts(os.path.join(where, name)) for *_, name, _, _ in found}
    lines = []
    for number, process, name, source, line, statement in found:
        inside, step = sources[source][int(line) - 1]
        if name == ":init:" or (LOOPS.fullmatch(statement) and not (step and statement == "(1)")):
            continue
        what = f"** {step} **" if step and statement == "(1)" else statement
        lines.append(f"{number:>5}  {name} {int(process) - first}  {inside:20} {what}")
    return lines
