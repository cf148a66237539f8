#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Ansible collection (ansible/), by the ansible that there is, over machines that are none (machine.py): a rollout,
its second run, check mode, a canary with another kernel, STOP, a gate that says no."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.realpath(__file__))]

from machine import Key, Machine  # noqa: E402

B = os.path.join(TOP, os.environ.get("B", "build"))
STOCK = "/usr/bin/ansible-playbook"  # Debian's
PLAYBOOK = STOCK if os.path.exists(STOCK) else shutil.which("ansible-playbook")
FOLDER = tempfile.TemporaryDirectory(prefix="newleaf-fleet-")
wrong = right = 0


def place(name):
    return os.path.join(FOLDER.name, name)


def expect(name, good, said=""):
    global wrong, right
    right, wrong = right + bool(good), wrong + (not good)
    if not good:
        print(f"FAILED {name}: {said!r:.1500}")


def rollout(machines, *options, **more):
    """(exit code, what changed, text)."""
    with open(place("machines"), "w", encoding="utf-8") as file:
        file.writelines(f"{m.name} {m.machine_key.public.hex()}\n" for m in machines)
    variables = {"newleaf_rings": [[m.name] for m in machines[:1]] + [[m.name for m in machines[1:]]],
                 "newleaf_leaves": [place("fix.leaf")], "newleaf_sign": [place("fleet.pem")],
                 "newleaf_machines": place("machines"), "newleaf_command": os.path.join(B, "newleaf"),
                 "newleaf_health_tries": 1, "newleaf_deadline": "10s", "newleaf_stop_file": place("STOP"), **more}
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": FOLDER.name, "ANSIBLE_COLLECTIONS_PATHS": FOLDER.name,
           "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_HOME": place("home"),
           "ANSIBLE_LOCAL_TEMP": place("tmp"), "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
           "ANSIBLE_DEPRECATION_WARNINGS": "false", "LC_ALL": "C.UTF-8"}  # fmt: skip
    done = subprocess.run([PLAYBOOK, "-i", "localhost,", "newleaf.core.rollout", "-e", json.dumps(variables), *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, cwd=FOLDER.name,
                          timeout=300, check=False)  # fmt: skip
    recap = re.search(r"^localhost .* changed=(\d+)", done.stdout, re.M)
    return done.returncode, recap and int(recap[1]), done.stdout + done.stderr


def on(machines):
    return [any(l["condition"] == 2 and not l["trial"] for l in m.leaves.values()) for m in machines]


def untouched(machines):
    return not any(method in ("POST", "PUT") for m in machines for method, _ in m.requests)


def main():
    if not PLAYBOOK:
        print("skipped: there is no ansible-playbook (Debian: ansible-core)")
        return 0
    os.makedirs(place("ansible_collections/newleaf"))
    os.symlink(os.path.join(TOP, "ansible"), place("ansible_collections/newleaf/core"))
    subprocess.run([os.path.join(B, "tests/remote-leaf"), place("fix.leaf"), "fix", "1", "k"], check=True)
    subprocess.run([os.path.join(B, "newleaf-author"), "key", "new", "fleet", "--role", "operator", "-o", FOLDER.name],
                   check=True, capture_output=True)  # fmt: skip
    with open(place("fleet.pub"), "rb") as file:
        key = Key(public=file.read()[28:60])

    fleet = [Machine(operators=[key]) for _ in range(3)]
    code, changed, said = rollout(fleet, "--check")
    expect("check mode: something would change", code == 0 and changed == 2, (code, changed, said))
    expect("check mode: nothing is ordered", untouched(fleet) and on(fleet) == [False] * 3)
    code, changed, said = rollout(fleet)
    expect("a rollout", code == 0 and changed == 4, (code, changed, said))
    expect("it is on, and confirmed", on(fleet) == [True] * 3, [m.leaves for m in fleet])
    code, changed, said = rollout(fleet)
    expect("a second run changes nothing", code == 0 and changed == 0, (code, changed, said))

    others = [Machine(operators=[key], kernel="o"), *[Machine(operators=[key]) for _ in range(2)]]
    code, changed, said = rollout(others)
    expect("a canary with another kernel", code != 0 and on(others) == [False] * 3, (code, said))
    expect("says why", "other-kernel" in said and "NL_EBUILDID" in said and others[0].name in said, said)
    expect("nobody behind it is asked", untouched(others) and not others[1].requests and not others[2].requests)
    code, changed, said = rollout(others, newleaf_fixed=[(b"o" * 20).hex()])
    expect("a kernel that has the fix needs no leaf", code == 0 and on(others) == [False, True, True], (code, said))

    fleet = [Machine(operators=[key]) for _ in range(3)]
    with open(place("STOP"), "w", encoding="utf-8"):
        pass
    code, changed, said = rollout(fleet)
    expect("STOP", code != 0 and "STOP" in said and not any(m.requests for m in fleet), (code, said))
    os.unlink(place("STOP"))
    code, changed, said = rollout(fleet, newleaf_health=["touch", place("STOP")])
    expect("STOP while the canary is on trial: it is not confirmed, and nobody else begun", code != 0 and on(fleet) == [
        False] * 3 and fleet[0].generation == 3 and not fleet[1].requests, (code, said))  # fmt: skip
    if os.path.exists(place("STOP")):
        os.unlink(place("STOP"))
    code, changed, said = rollout(fleet, newleaf_health=["false"])
    expect("a gate that says no", code != 0 and on(fleet) == [False] * 3 and not fleet[1].requests, (code, said))
    fleet[2].close()
    code, changed, said = rollout(fleet, newleaf_deadline="2s")
    expect("one of a ring is not there", code != 0 and on(fleet)[0] and "NL_EUNREACHABLE" in said, (code, said))
    print(f"ansible: {right} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
