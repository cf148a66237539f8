#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""monitoring/: every metric and label that rules and dashboard name is one that the hypervisor's own HTTP server has;
the dashboard names no data source; and what promtool says, where there is one."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.realpath(__file__))]

from server import servers  # noqa: E402

FOLDER = os.path.join(TOP, "monitoring")
wrong = right = 0


def expect(name, good, said=""):
    global wrong, right
    right, wrong = right + bool(good), wrong + (not good)
    if not good:
        print(f"FAILED {name}: {said!r:.1500}")


def text(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def served():
    """Names of metrics, and of each its labels with their values."""
    (s,) = servers(1, "--leaf", "fix,applied", "--standing", "3")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    said = opener.open(f"http://{s.name}/metrics", timeout=10).read().decode()
    s.close()
    metrics = {}
    for name, labels in re.findall(r"^(newleaf_\w+)(?:\{(.*)\})? ", said, re.M):
        metrics.setdefault(name, set()).update(re.findall(r'(\w+)="([^"]*)"', labels))
    return said, metrics


def expressions():
    for line in re.findall(r"expr: (?:>-)?((?:.*\n(?: {10}\S.*\n)*))", text("newleaf.rules.yml")):
        yield "newleaf.rules.yml", line
    for panel in json.loads(text("dashboard.json"))["panels"]:
        for target in panel["targets"]:
            yield "dashboard.json: " + panel["title"], target["expr"]


def main():
    said, metrics = served()
    named = list(expressions())
    expect("there are some", len(named) > 25, len(named))
    for where, expression in named:
        for name, labels in re.findall(r"\b(newleaf_\w+)(?:\{([^}]*)\})?", expression):
            expect(f"{where}: {name} is served", name in metrics, expression)
            for label, operator, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', labels):
                if label in ("job", "instance") or name not in metrics:
                    continue
                for one in value.split("|"):
                    expect(f"{where}: {name} has {label}{operator}{one}", (label, one) in metrics[name], metrics[name])
    dashboard = json.loads(text("dashboard.json"))
    sources = re.findall(r'"uid": "([^"]*)"', text("dashboard.json"))
    expect("no data source of somebody's own", set(sources) == {"${datasource}", dashboard["uid"]}, sources)
    expect("it asks for one", dashboard["templating"]["list"][0]["type"] == "datasource")
    promtool = shutil.which("promtool")
    for args in (("check", "config", "prometheus.yml"), ("check", "rules", "newleaf.rules.yml"),
                 ("test", "rules", "newleaf.test.yml")) if promtool else ():  # fmt: skip
        done = subprocess.run([promtool, *args], cwd=FOLDER, capture_output=True, text=True, check=False)
        expect("promtool " + " ".join(args), done.returncode == 0, done.stdout + done.stderr)
    if promtool:
        done = subprocess.run([promtool, "check", "metrics"], input=said, capture_output=True, text=True, check=False)
        expect("promtool check metrics", done.returncode == 0, done.stdout + done.stderr)
    print(f"monitoring: {right} passed, {wrong} failed" + ("" if promtool else "; no promtool here (prometheus)"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
