# SPDX-License-Identifier: Apache-2.0
"""The comparisons (tests/bench): what one boot says, another of the same seed and number says as well."""

import os
import subprocess
import sys
import tempfile

from guest import BUILD, TOP, Failure
from vmtest import test

sys.path.append(os.path.join(TOP, "tests", "bench"))

import bench  # noqa: E402
import repeats  # noqa: E402

SHOWN = 20  # figures that differ


@test(full=True)
def bench_repeats(t):
    """the same boot of the comparisons twice, under icount: every figure within 1 %"""
    programs = [os.path.relpath(os.path.join(BUILD, "bench", p), TOP) for p in ("work", "steady.efi")]
    done = subprocess.run(["make", "-s", *programs], cwd=TOP, capture_output=True, text=True, check=False)
    t.expect(done.returncode == 0, done.stderr)
    with tempfile.TemporaryDirectory(dir=os.path.join(BUILD, "bench")) as directory:
        image = bench.initrd(directory)
        runs = [bench.boot(0, 1, "icount", image) for _ in range(2)]
    for run in runs:
        if "failed" in run:
            raise Failure(run["failed"])
    found, compared = repeats.compare(*({"results": [run]} for run in runs))
    lines = repeats.told(found, compared)
    t.note("\n".join(lines[: SHOWN + 1]))
    t.expect(repeats.agree(found, compared), lines[0])
