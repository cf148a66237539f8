#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the tests of the stack notice what they are for? One place broken after the other: each must turn its test red.
usage: broken.py BUILD [NAME...]     (BUILD holds net-host and net-strict, built)"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
FILTER, SYN, WIRE, CONN, MAIN = "net/port/filter.c", "net/port/syn.c", "net/port/wire.c", "net/conn.c", "net/main.c"
SETTINGS, OPTIONS = "net/settings.c", "net/port/lwipopts.h"
# name, test (of the program with lwIP's pools, or "strict:"), file, what is there, what is put in its place
BROKEN = (
    ("short ARP", "arp", FILTER, "return n >= 28 && ", "return "),
    ("echoes without end", "echo", FILTER, "return f->echoes++ < FILTER_ECHOES;", "return true;"),
    ("other ports", "odd_segments", FILTER, " && frame_16(p + 2) == f->port;", ";"),
    ("options of neighbours", "neighbours", FILTER, "n < 8 || !p[1] || ", "n < 8 || "),
    ("routers, though fixed", "routers", FILTER, "f->routers && ", ""),
    ("no multicast report", "multicast", FILTER, "p[48] == 130", "false"),
    ("other machines", "arp", FILTER, "(!(frame[0] & 1) && memcmp(frame, f->mac, 6))", "false"),
    ("a cookie for everybody", "cookie", SYN, "c == cookie(f, c >> 27, c >> HASH_BITS & 3, theirs)", "true"),
    ("a cookie for ever", "cookie", SYN, "((clock_now() - (c >> 27)) & 31) <= 1 && ", ""),
    ("not of this client", "cookie", SYN, "	memcpy(of.addresses, f + at, n);\n", ""),
    ("not of its number", "cookie", SYN, ".theirs = theirs}", ".theirs = 0}"),
    ("a clock for a secret", "unforeseeable", SYN, "(uint32_t)hash(&of, sizeof(of))", "(uint32_t)net_now()"),
    ("an MSS in the middle", "mss", SYN, "		memset(options, 0, bytes);\n", "		;\n"),
    (
        "a PCB for each SYN", "half_open", SYN,
        "	if (flags == SYN) {",
        "	if (flags == SYN) return ERR_OK; else if (0) {",
    ),
    (
        "a tiny MSS", "mss", SYN,
        "	if (mss < sizes[0])\n		return;",
        "	if (mss < sizes[0])\n		mss = sizes[0];",
    ),
    ("neighbours to be found", "first", WIRE, "	take(neighbour, syn_neighbour(neighbour));\n", ""),
    ("a gateway to be found", "first", WIRE, "	find_gateway(NULL);\n", ""),
    ("freed twice", "strict:one_waits", WIRE, "	pbuf_ref(p);\n", ""),
    ("nothing leaves", "lost_answer", WIRE, "return wire_send(bytes) ?", "return bytes ?"),
    ("silent for ever", "idle", CONN, "c->lively + CONN_IDLE_MS", "c->lively + CONN_TOTAL_MS"),
    ("lively for ever", "slow", CONN, "return idle < total ? idle : total;", "return idle + 0 * total;"),
    ("all slots for one", "places", CONN, "same >= SLOTS_EACH || ", ""),
    ("one address of a /64", "places_6", CONN, "	if (IP_IS_V6(a) && IP_IS_V6(b))", "	if (0)"),
    ("nobody makes room", "places", CONN, "net_now() - best->lively < SILENT_MS", "true"),
    ("a window that stays shut", "large", CONN, "		tcp_recved(c->pcb, (u16_t)taken);\n", ""),
    ("a packet for nobody", "strict:exchange", CONN, "	pbuf_free(p);\n	return ERR_OK;", "	return ERR_OK;"),
    (
        "the first frame", "first_frame", MAIN,
        "		wire_receive(bytes);\n}\n\nvoid net_step",
        "		;\n}\n\nvoid net_step",
    ),
    ("awake for nothing", "asleep", MAIN, "		ms = IDLE_MS;", "		;"),
    ("an octet of 256", "settings", SETTINGS, "return digits && v <= limit;", "return digits;"),
    ("a short prefix", "settings", SETTINGS, "s->prefix6 < 64", "!s->prefix6"),
    ("two gaps", "settings", SETTINGS, "(*p)[1] == ':' && gap == 16", "(*p)[1] == ':'"),
    ("few PCBs", "places", OPTIONS, "#define MEMP_NUM_TCP_PCB 16", "#define MEMP_NUM_TCP_PCB 1"),
)


def red(build, top, test):
    program = "net-strict" if test.startswith("strict:") else "net-host"
    make = ["make", "-s", f"B={build}", "CFLAGS_WARN=", f"{build}/tests/{program}"]
    made = subprocess.run(make, cwd=top, capture_output=True, text=True, check=False)
    if made.returncode:
        return f"is not built: {made.stderr[-300:]}"
    only = "strict" if program == "net-strict" else "host"
    run = subprocess.Popen(
        [sys.executable, "tests/net/run.py", build, test.split(":")[-1]],
        cwd=top,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "NET_ONLY": only},
        start_new_session=True,
    )
    try:
        return "" if run.wait(60) else "goes unnoticed"
    except subprocess.TimeoutExpired:
        return ""  # for ever: noticed
    finally:
        try:
            os.killpg(run.pid, signal.SIGKILL)  # a stack in a circle does not see that its test is over
        except ProcessLookupError:
            pass
        run.wait()


def main():
    build, wanted = os.path.realpath(sys.argv[1]), set(sys.argv[2:])
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="broken.") as top:
        for name in ("Makefile", "net", "include", "scripts", "tests", "hv", "arch", "efi", "tools", "guest-agent"):
            (os.symlink if name not in ("net", "tests") else shutil.copytree)(f"{TOP}/{name}", f"{top}/{name}")
        own = f"{top}/build"
        os.mkdir(own)
        shutil.copytree(f"{build}/lwip-src", f"{own}/lwip-src")
        for name, test, path, old, new in BROKEN:
            if wanted and name not in wanted:
                continue
            with open(f"{TOP}/{path}", encoding="utf-8") as file:
                text = file.read()
            says = "" if text.count(old) == 1 else f"has its text {text.count(old)} times in {path}"
            if not says:
                with open(f"{top}/{path}", "w", encoding="utf-8") as file:
                    file.write(text.replace(old, new))
                says = red("build", top, test)
                shutil.copy(f"{TOP}/{path}", f"{top}/{path}")
                os.utime(f"{top}/{path}")
            if says:
                wrong += 1
                print(f"net: broken: {name} ({test}): {says}")
    print(f"net: {len(wanted or BROKEN) - wrong} of {len(wanted or BROKEN)} broken stacks were noticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
