# SPDX-License-Identifier: Apache-2.0
"""A file of EFI variables as OVMF keeps it in its flash: read one, set one. Volumes as in the PI specification, vol. 3,
3.2.1 (firmware volume header); variables as edk2's MdeModulePkg/Include/Guid/VariableFormat.h lays them out. Not here:
fault tolerant writing, of which a machine that is switched off needs nothing."""

import struct
import uuid

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY_DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")  # db, dbx
SHIM = uuid.UUID("605dab50-e046-4300-abb6-3dd810dd8b23")  # MokList
CERT_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
OURS = uuid.UUID("4e65776c-6561-6666-7465-737473210000")  # whom our signatures belong to

STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792")  # with authenticated variables
HEADER = struct.Struct("<HBBIQ16sIII16s")
START, ADDED, DELETED = 0x55AA, 0x3F, 0xFD
NON_VOLATILE, BOOT, RUNTIME = 1, 2, 4


class Variables:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = bytearray(f.read())
        (self.store,) = struct.unpack_from("<H", self.data, 48)  # length of the volume's header
        if self.data[self.store : self.store + 16] != STORE.bytes_le:
            raise ValueError(f"{path}: no authenticated variables of OVMF")
        self.end = self.store + struct.unpack_from("<I", self.data, self.store + 16)[0]

    def _all(self):
        at = self.store + 28
        while at + HEADER.size < self.end:
            start, state, _, attributes, _, time, _, name_size, size, owner = HEADER.unpack_from(self.data, at)
            if start != START:
                break
            name = self.data[at + HEADER.size : at + HEADER.size + name_size].decode("utf-16").rstrip("\0")
            body = at + HEADER.size + name_size
            yield at, state, attributes, time, name, uuid.UUID(bytes_le=owner), bytes(self.data[body : body + size])
            at = body + size + 3 & ~3
        self.free = at

    def get(self, name, owner):
        for _, state, _, _, found, whose, value in self._all():
            if state == ADDED and (found, whose) == (name, owner):
                return value
        return None

    def attributes(self, name, owner):
        for _, state, attributes, _, found, whose, _ in self._all():
            if state == ADDED and (found, whose) == (name, owner):
                return attributes
        return None

    def set(self, name, owner, value, attributes=None):
        """A variable that is there keeps its time stamp, and its attributes unless others are given."""
        time, like = bytes(16), NON_VOLATILE | BOOT | RUNTIME
        for at, state, had, when, found, whose, _ in self._all():
            if state == ADDED and (found, whose) == (name, owner):
                like, time = had, when
                self.data[at + 2] = ADDED & DELETED
        attributes = like if attributes is None else attributes
        title = (name + "\0").encode("utf-16-le")
        head = HEADER.pack(START, ADDED, 0, attributes, 0, time, 0, len(title), len(value), owner.bytes_le)
        new = head + title + value
        if self.free + len(new) > self.end:
            raise ValueError("no room for another variable")
        self.data[self.free : self.free + len(new)] = new

    def save(self, path):
        with open(path, "wb") as f:
            f.write(self.data)


def signature_list(certificate):
    """A DER certificate as db and MokList hold it (UEFI 2.10, 32.4.1)."""
    size = 16 + len(certificate)
    return CERT_X509.bytes_le + struct.pack("<III", 28 + size, 0, size) + OURS.bytes_le + certificate
