#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""newleaf.core.facts"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: facts
short_description: What machines on Newleaf have signed of themselves
description:
  - Asks the machines' hypervisors, with a nonce of this question, and tells nothing that a machine has not signed.
  - Runs on the controller, once for all hosts, and changes nothing.
options:
  hosts:
    description: Names, IPv4 or [IPv6] addresses of the machines' hypervisors, with :PORT if it is not 9947.
    type: list
    elements: str
    required: true
  leaves:
    description: Leaves (files, SHA-256, ids) whose state is asked for; none, all that are known there.
    type: list
    elements: str
    default: []
  required:
    description:
      - Fail unless every host answers, and every leaf of O(leaves) is on and unweakened, or its kernel has the fix.
    type: bool
    default: false
  machines:
    description: A file with lines HOST KEY, the keys by which the machines were enrolled.
    type: path
  fixed:
    description: Build-ids of kernels that have the fix themselves, or files with one a line.
    type: list
    elements: str
    default: []
  deadline:
    description: For each host, such as 10s.
    type: str
  newleaf:
    description: The command.
    type: path
    default: newleaf
author: [Newleaf (@newleaf)]
"""

EXAMPLES = r"""
- name: Who runs what
  newleaf.core.facts:
    hosts: "{{ groups['web'] }}"
    leaves: [fix.leaf]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
ansible_facts:
  description: newleaf, by host, what newleaf --host --json says of it (schema newleaf.remote/1).
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.newleaf.core.plugins.module_utils.client import COMMON, newleaf, why


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            leaves=dict(type="list", elements="str", default=[]),
            required=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    _, doc = newleaf(module, "status", "--check", "--", *module.params["leaves"])
    facts = dict((h["host"], h) for h in doc["hosts"])
    bad = [h for h in doc["hosts"] if h["exit"]]
    result = dict(ansible_facts=dict(newleaf=facts), failed_hosts=[h["host"] for h in bad], changed=False)
    if bad and module.params["required"]:
        module.fail_json(msg="; ".join(why(h) for h in bad), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
