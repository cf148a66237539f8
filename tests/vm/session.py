# SPDX-License-Identifier: Apache-2.0
"""A session of processes, led by one that we started: what runs in it, and its end. An emulator runs behind a script of
ours, which a signal ends at once, while the emulator may need longer."""

import os
import signal
import subprocess
import time

PATIENCE = 5  # seconds from SIGTERM to SIGKILL, and for what that leaves


def processes():
    """The fields of /proc/PID/stat behind the name (state, parent, group, session, ...), by id, of each that runs."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                stat = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        if stat[0] not in "ZX":
            found[int(pid)] = stat
    return found


def members(leader):
    """The processes of the session that leader leads."""
    return {pid: stat for pid, stat in processes().items() if int(stat[3]) == leader}


def end(process):
    """Ends all of the session that process, a Popen of ours, leads; returns when none of it runs any more."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            pass
        deadline = time.monotonic() + PATIENCE
        while members(process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)  # most are not our children: nothing tells of their end
        if not members(process.pid):
            break
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        pass  # it hangs in the kernel of the host
