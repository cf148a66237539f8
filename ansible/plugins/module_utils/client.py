# SPDX-License-Identifier: Apache-2.0
"""Runs `newleaf --host` on the controller, once for all hosts. Its JSON is the only thing that is read."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

COMMON = dict(
    hosts=dict(type="list", elements="str", required=True),
    machines=dict(type="path"),
    fixed=dict(type="list", elements="str", default=[]),
    deadline=dict(type="str"),
    newleaf=dict(type="path", default="newleaf"),
)


def newleaf(module, verb, *more):
    """(exit code, document)."""
    p = module.params
    args = [p["newleaf"], "--host", ",".join(p["hosts"]), "--json"]
    for name in ("machines", "deadline"):
        if p[name]:
            args += ["--" + name, p[name]]
    for kernel in p["fixed"]:
        args += ["--fixed", kernel]
    code, out, err = module.run_command(args + [verb] + list(more))
    try:
        doc = json.loads(out)
    except ValueError:
        doc = {}
    if "hosts" not in doc:  # it did not even ask anybody
        module.fail_json(msg=doc.get("detail") or err or out or "newleaf said nothing", rc=code, code=doc.get("code"))
    return code, doc


def why(host):
    """What is wrong with one of them, in a line."""
    states = ["%s: %s" % (l["id"], l["state"]) for l in host.get("leaves", []) if l["code"]]
    said = "%s: %s" % (host["code"], host["detail"]) if host["code"] else host["state"]
    return "%s: %s" % (host["host"], said + (" (%s)" % ", ".join(states) if states else ""))
