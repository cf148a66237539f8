# SPDX-License-Identifier: Apache-2.0
"""Records as include/newleaf/record.h lays them out, for tests that make them by hand."""

import struct

HEAD = struct.Struct("<QIIII")  # magic, version, sizes of the head and of one record, count
POLICY = 0x5943494C4F504C4E


def record(magic, records, version=1, extra=b""):
    """A head, what a kind adds to it, and its records, all of one size."""
    return HEAD.pack(magic, version, HEAD.size + len(extra), len(records[0]), len(records)) + extra + b"".join(records)


def policy_record(guest_may=15, conf_may=0, security_version=1, proofs=3, without_list=0, signatures=1, unpatched=0,
                  operators=0, order_may=0, net_may=0):
    """The section .nlpol: as the build makes it, but for what is named."""
    words = (guest_may, 10000, conf_may, security_version, proofs, signatures, without_list, unpatched)
    return record(POLICY, [struct.pack("<12I", *words, operators, order_may, 600000, net_may)])
