# SPDX-License-Identifier: Apache-2.0
"""Leaf files for the tests: where the shipped ones lie, and how to make broken ones. A leaf is taken apart, changed
and put together again (include/newleaf/leaf.h), then signed by a test key, so that each refusal has exactly one
reason."""

import dataclasses
import hashlib
import os
import re
import struct
import subprocess

from guest import BUILD, TOP, Failure, Skip, kernel_file

AUTHOR = os.path.join(BUILD, "newleaf-author")
DEMO_KEY = os.path.join(BUILD, "keys", "demo.pem")
FORMAT = 3  # NL_LEAF_FORMAT
HEADER = struct.Struct("<QIIIIIII48s16IIIIII")  # up to header.target
SITE = struct.Struct("<HHIIHHIIIIIII32s")
ALIGN = {"objects": 8, "sites": 8, "relocs": 8, "facts": 4}
SIGNATURES = 0x53474953464C4E  # magic
PARTS = ("objects", "sites", "relocs", "facts", "bytes", "text", "data", "strings")


def release_of(package):
    return package.removeprefix("linux-image-")


def built(package, fix):
    """The shipped leaf of a fix for a kernel, on this machine."""
    return os.path.join(BUILD, "leaves", release_of(package), fix + ".leaf")


class Unfit(Exception):
    """The kernel does not have, or no longer needs, what the leaf is for; the text says what."""


def author(*args):
    done = subprocess.run([AUTHOR, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode in (3, 5):
        raise Unfit(re.sub(r"(?s).*^ +why +(.*?)\n.*", r"\1", done.stderr, flags=re.M))
    if done.returncode != 0:
        raise Failure(f"newleaf-author {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def make(directory, package, recipe):
    """Build and sign a leaf from a recipe (a path, or text) for a kernel; returns the path. Skip when its headers
    cannot be had, Unfit when the kernel does not have what the leaf replaces."""
    if "\n" in recipe:
        path = os.path.join(directory, recipe.split("id ", 1)[1].split()[0] + ".recipe")
        with open(path, "w", encoding="utf-8") as f:
            f.write(recipe)
        recipe = path
    get = os.path.join(TOP, "scripts", "get-kernel")
    kernel = kernel_file(package)
    name = package.removeprefix("guest:")
    headers = subprocess.run([get, "--headers", name], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if headers.returncode == 11:
        raise Skip(headers.stderr.strip().splitlines()[-1])
    if headers.returncode != 0:
        raise Failure(f"get-kernel --headers {package}: {headers.stderr}")
    out = os.path.join(directory, os.path.basename(recipe).removesuffix(".recipe") + ".leaf")
    author("build", recipe, "-k", kernel, "-H", headers.stdout.strip(), "-o", out)
    author("sign", out, "--key", DEMO_KEY)
    return out


@dataclasses.dataclass
class Leaf:
    """A leaf taken apart. Change fields, then file()."""

    version: int
    consistency: int
    id: str
    description: int
    bss_size: int
    counters: int
    counter_cpus: int
    counter_offset: int
    target: bytes
    sites: list  # lists of the fields of struct nl_leaf_site
    relocs: bytes
    facts: bytes
    bytes: bytes
    text: bytes
    data: bytes
    strings: bytes

    @classmethod
    def read(cls, raw):
        _, _, header_size, _, version, consistency, *_, ident = HEADER.unpack_from(raw)[:9]
        rest = HEADER.unpack_from(raw)[9:]
        at = dict(zip(PARTS, zip(rest[0:16:2], rest[1:16:2])))
        size = {"sites": SITE.size, "relocs": 32}
        part = {p: raw[offset : offset + count * size.get(p, 1)] for p, (offset, count) in at.items()}
        sites = [list(SITE.unpack_from(part["sites"], i * SITE.size)) for i in range(at["sites"][1])]
        return cls(
            version, consistency, ident.rstrip(b"\0").decode(), *rest[16:], raw[HEADER.size : header_size], sites,
            part["relocs"], part["facts"], part["bytes"], part["text"], part["data"], part["strings"],
        )  # fmt: skip

    def file(self):
        """The unsigned file."""
        parts = dict(
            sites=b"".join(SITE.pack(*s) for s in self.sites), relocs=self.relocs, facts=self.facts,
            objects=b"", bytes=self.bytes, text=self.text, data=self.data,
            strings=self.strings,
        )  # fmt: skip
        count = {"objects": 0, "sites": len(self.sites), "relocs": len(self.relocs) // 32}
        header_size = HEADER.size + len(self.target)
        at, body, table = header_size, b"", []
        for name in PARTS:
            pad = -at % ALIGN.get(name, 1)
            table += [at + pad, count.get(name, len(parts[name]))]
            body += bytes(pad) + parts[name]
            at += pad + len(parts[name])
        head = HEADER.pack(
            0x324641454C57454E, FORMAT, header_size, at, self.version, self.consistency, 0, 0,
            self.id.encode().ljust(48, b"\0"), *table,
            self.description, self.bss_size, self.counters, self.counter_cpus, self.counter_offset,
        )  # fmt: skip
        return head + self.target + body


def signed(directory, data, *keys):
    """The signed form of an unsigned leaf's bytes, by the demo's key unless others are named. Not by newleaf-author,
    which signs nothing that it refuses."""

    def openssl(*args, given=None):
        done = subprocess.run(["openssl", *args], input=given, capture_output=True)
        if done.returncode != 0:
            raise Failure(f"openssl {' '.join(args)}: {done.stderr.decode()}")
        return done.stdout

    message = os.path.join(directory, "message")
    with open(message, "wb") as f:
        f.write(b"newleaf leaf".ljust(32, b"\0") + hashlib.sha256(data).digest())
    block = b""
    for key in keys or (DEMO_KEY,):
        block += openssl("pkey", "-in", key, "-pubout", "-outform", "DER")[-32:]
        block += openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message)
    return data + struct.pack("<QII", SIGNATURES, 16 + len(block), len(block) // 96) + block
