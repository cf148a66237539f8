#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does scripts/check-house see what it is for? A small tree that keeps the rules, then each rule broken in it."""

import os
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
WHOLE = {
    "hv/core/pool.h": "",
    "hv/view/view.h": '#include "core/pool.h"\n',
    "hv/view/view.c": '/* See view.h. */\n#include "view/view.h"\n#include "x86.h"\n',
    "hv/guest/guestmem.h": '#include "view/view.h"\n',
    "hv/commit/commit.c": '#include "view/view.h"\n#include "vendor.h"\n',
    "hv/exits/exit.c": '#include "apic.h"\n',
    "arch/x86_64/include/x86.h": "",
    "arch/x86_64/include/apic.h": "",
    "arch/x86_64/include/vendor.h": "",
    "arch/x86_64/svm/svm.h": '#include "vendor.h"\n',
    "arch/x86_64/svm/svm.c": '#include "svm.h"\n#include "core/pool.h"\n#include "guest/guestmem.h"\n',
}
THREATS = "## Threats to validity\n"
# What is broken, in which file, by which text; and what must be said.
BROKEN = (
    ("hv/view/view.c", '#include "commit/window.h"\n', "floors: hv/view/view.c: includes hv/commit/window.h: upwards"),
    ("hv/view/view.c", '#include "apic.h"\n', "not for this floor"),
    ("hv/core/pool.h", '#include "svm.h"\n', None),  # not found that way: it is in no folder where hv/ looks
    ("hv/core/pool.c", '#include "../../arch/x86_64/svm/svm.h"\n', "a vendor's"),
    ("arch/x86_64/svm/svm.c", '#include "commit/window.h"\n', "above what arch/ knows"),
    ("hv/view/npt.h", '#include "view/view.h"\n', None),
    ("hv/view/npt.h", '#include "view/view.h"\n', "in a circle with", ("hv/view/view.c", '#include "view/npt.h"\n')),
    ("hv/core/pool.c", "int x;\n" * 600, "length: hv/core/pool.c: 601 lines"),
    ("hv/core/pool.c", "int x;\n" * 599, None),
    ("hv/core/pool.c", "\t\tint " + "x" * 101 + ";\n", "width: hv/core/pool.c:2: 122 columns"),
    ("hv/core/pool.c", "\t\tint " + "x" * 99 + ";\n", None),
    ("scripts/thing", "# " + "x" * 120 + "\n", "width: scripts/thing:2: 122 columns"),
    ("hv/core/pool.c", "/* See conf.h. */\n", "names: hv/core/pool.c:2: there is no conf.h"),
    ("hv/core/pool.c", "/*\n * As hv/view/gone.c says.\n */\n", "names: hv/core/pool.c:3: there is no hv/view/gone.c"),
    ("hv/core/pool.c", "/* As kernel/sched/core.c of Linux; see view.c. */\n", None),
    ("docs/explanation/litmus.md", "## Question\n## Design\n## Null result\n## More\n" + THREATS, None),
    ("docs/explanation/litmus.md", "## Question\n## Design\n" + THREATS, "pages: docs/explanation/litmus.md"),
    ("docs/reference/model.md", "## Design\n## Question\n## Null result\n" + THREATS, "pages: docs/reference"),
    ("docs/explanation/design.md", "## Question\n", None),
)


def check(change):
    """What is said of the tree with these texts appended."""
    with tempfile.TemporaryDirectory(prefix="house.") as top:
        texts = {path: LICENCE + text for path, text in WHOLE.items()}
        texts["hv/commit/window.h"] = LICENCE
        texts["scripts/tcb"] = "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"
        for path, text in change:
            texts[path] = text if text.startswith("bare") else texts.get(path, LICENCE) + text
        for path, text in texts.items():
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                file.write(text)
        os.chmod(os.path.join(top, "scripts/tcb"), 0o755)
        done = subprocess.run(
            [os.path.join(TOP, "scripts/check-house"), top], capture_output=True, text=True, check=False
        )
        if done.stderr:
            raise SystemExit(done.stderr)
        return done.returncode, done.stdout


def main():
    wrong = 0
    cases = [((), None)] + [(((path, text), *more), said) for path, text, said, *more in BROKEN]
    cases.append(((("hv/core/naked.c", "bare\n"),), "licence: hv/core/naked.c"))
    cases.append(
        ((("scripts/tcb", "echo 'tcb: hv/ is over' >&2; exit 1\n"),), "budgets: scripts/tcb: tcb: hv/ is over")
    )
    for change, said in cases:
        code, out = check(change)
        if (code, said is None) not in ((0, True), (1, False)) or (said or "") not in out:
            wrong += 1
            print(f"{change!r:.150}: expected {said!r}, said {out!r}")
    print(f"{len(cases) - wrong} of {len(cases)} cases of the house check judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
