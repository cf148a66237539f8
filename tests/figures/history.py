# SPDX-License-Identifier: Apache-2.0
"""What git knows of the commit that a record names: is it one, and what of the core has changed since. In a tree
without its whole history (an archive, a shallow clone) it knows nothing."""

import functools
import os
import re
import subprocess

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
CORE = ("hv", "arch", "efi")


def git(*arguments):
    """What it says, or None where it fails or is missing."""
    try:
        done = subprocess.run(["git", *arguments], cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@functools.cache
def whole():
    """Is all of it here, and of this tree rather than of one around it?"""
    top = git("rev-parse", "--show-toplevel")
    return bool(top) and os.path.realpath(top) == TOP and git("rev-parse", "--is-shallow-repository") == "false"


@functools.cache
def missing(commit):
    """Is it known to be none?"""
    return whole() and git("cat-file", "-e", commit + "^{commit}") is None


@functools.cache
def since(commit):
    """How many commits have changed the core since."""
    said = git("rev-list", "--count", f"{commit}..HEAD", "--", *CORE) if whole() and not missing(commit) else None
    return int(said or 0)


def hashes(text):
    """Of the words by which a record says its commit: the tree's first, then that of its tests."""
    return re.findall(r"\b[0-9a-f]{7,40}\b", text)
