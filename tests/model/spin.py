# SPDX-License-Identifier: Apache-2.0
"""A model of this folder becomes a program that searches it (pan)."""

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("B", "build"), "model")
MEMORY, LIMIT = 8000, 1200  # MB of a search, seconds of a compiler


class Broken(Exception):
    """Spin or the compiler refused."""


def call(where, *command):
    done = subprocess.run(
        command, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    if done.returncode or "rror:" in done.stdout + done.stderr:
        raise Broken(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")


def make_pan(where, model, defines, optimise, shortest=False):
    """`where` may hold what the models include beside each other. shortest: of the ways to a find."""
    for source in glob.glob(os.path.join(HERE, "*.pml")):
        shutil.copy(source, where)
    call(where, "spin", "-a", *["-D" + d for d in defines], model + ".pml")
    safety = [] if "LIVE" in defines else ["-DSAFETY", "-DNOFAIR"]
    safety += ["-DBFS"] if shortest and safety else []
    call(where, "gcc", "-w", optimise, *safety, f"-DMEMLIM={MEMORY}", "-DVECTORSZ=2048", "-o", "pan", "pan.c")


def cached(name, names, declare, model, defines):
    """A pan that reads what it replays from a file, made once for each state of the sources. names: what declare(where)
    writes beside them."""
    said = hashlib.sha256()
    for source in sorted(glob.glob(os.path.join(HERE, "*"))):
        if source.endswith((".pml", ".py")):
            with open(source, "rb") as file:
                said.update(file.read())
    said.update(names.encode())
    where = os.path.join(BUILD, name)
    pan = os.path.join(where, f"pan-{said.hexdigest()[:16]}")
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(pan):
            for old in glob.glob(os.path.join(where, "pan*")):
                os.remove(old)
            declare(where)
            make_pan(where, model, defines, "-O1")
            os.rename(os.path.join(where, "pan"), pan)
    return pan
