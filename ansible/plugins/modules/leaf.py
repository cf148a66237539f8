#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""newleaf.core.leaf"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: leaf
short_description: Say which leaves are on, on machines that run on Newleaf
description:
  - Signs one order for each host, has it carried out by the hypervisor, and waits until the machine has signed what
    came of it. Runs on the controller (connection local, or delegate_to localhost), once for all hosts.
  - A host that is as asked is sent nothing. In check mode nothing is signed.
options:
  hosts:
    description: Names, IPv4 or [IPv6] addresses of the machines' hypervisors, with :PORT if it is not 9947.
    type: list
    elements: str
    required: true
  state:
    description:
      - present, these leaves besides what is on; absent, these no more; exact, exactly these.
      - confirmed, these (or all) are on probation and good.
      - frozen, nothing changes until released; stopped, the same, and what waits is dropped.
    type: str
    choices: [present, absent, exact, confirmed, frozen, stopped, released]
    default: present
  leaves:
    description: Files of leaves, SHA-256 or ids; to be put on they are files.
    type: list
    elements: str
    default: []
  sign:
    description: Private keys of operators, files on the controller. As many as the machines' policy wants.
    type: list
    elements: path
    default: []
  confirm:
    description: On probation, taken back unless it is confirmed within this time, such as 600s.
    type: str
  machines:
    description: A file with lines HOST KEY, the keys by which the machines were enrolled.
    type: path
  fixed:
    description: Build-ids of kernels that have the fix themselves, or files with one a line. They need no leaf.
    type: list
    elements: str
    default: []
  deadline:
    description: For each host, until its outcome is known, such as 60s.
    type: str
  newleaf:
    description: The command.
    type: path
    default: newleaf
author: [Newleaf (@newleaf)]
"""

EXAMPLES = r"""
- name: The fix is on, everywhere
  newleaf.core.leaf:
    hosts: "{{ groups['web'] }}"
    leaves: [fix.leaf]
    sign: [alice.pem]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
hosts:
  description: What newleaf --host --json says of each (schema newleaf.remote/1).
  returned: always
  type: list
  elements: dict
failed_hosts:
  description: Those that are not as asked.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.newleaf.core.plugins.module_utils.client import COMMON, newleaf, why

VERBS = dict(present="apply", absent="revert", exact="sync", confirmed="confirm", frozen="freeze", stopped="stop",
             released="release")  # fmt: skip


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            state=dict(type="str", choices=sorted(VERBS), default="present"),
            leaves=dict(type="list", elements="str", default=[]),
            sign=dict(type="list", elements="path", default=[], no_log=False),
            confirm=dict(type="str"),
        ),
        required_if=[("state", "present", ("leaves",)), ("state", "absent", ("leaves",))],
        supports_check_mode=True,
    )
    p, more = module.params, []
    if p["confirm"] and p["state"] in ("present", "exact"):
        more += ["--confirm", p["confirm"]]
    for key in p["sign"]:
        more += ["--sign", key]
    if module.check_mode:
        more.append("--dry-run")
    if p["state"] not in ("frozen", "stopped", "released"):
        more += ["--"] + p["leaves"]
    _, doc = newleaf(module, VERBS[p["state"]], *more)
    bad = [h for h in doc["hosts"] if h["exit"] not in (0, 3)]
    result = dict(
        changed=any(h["changed"] or h["result"] == "would" for h in doc["hosts"]),
        hosts=doc["hosts"],
        failed_hosts=[h["host"] for h in bad],
    )
    if bad:
        module.fail_json(msg="; ".join(why(h) for h in bad), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
