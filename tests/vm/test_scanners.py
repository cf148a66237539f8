# SPDX-License-Identifier: Apache-2.0
"""What scanners and monitors are told, and the mitigation before a fix exists: a killed function with a CVE and a
counter. OPENVEX_SCHEMA=FILE (openvex_json_schema.json of github.com/openvex/spec) also validates the document."""

import json
import os
import tempfile

from command import apply, newleaf, revert
from guest import Machine, kernel_file
from leaves import DEMO_KEY, author
from vmtest import test

CVE = "CVE-2026-10001"


def document(t, g):
    """Which CVEs the scanner would not show, and the whole."""
    text = g.run("newleaf status --vex")
    vex = json.loads(text)
    if os.environ.get("OPENVEX_SCHEMA"):
        import jsonschema

        with open(os.environ["OPENVEX_SCHEMA"], encoding="utf-8") as f:
            jsonschema.validate(vex, json.load(f))
        t.note(f"valid by {os.path.basename(os.environ['OPENVEX_SCHEMA'])}: {len(vex['statements'])} statements")
    return {s["vulnerability"]["name"]: s for s in vex["statements"] if s["status"] == "not_affected"}


@test()
def scanners(t):
    """a killed function says EPERM and counts its calls; its CVE is in --vex and --prometheus while it is applied"""
    with tempfile.TemporaryDirectory() as directory:
        leaf = os.path.join(directory, "k.leaf")
        kernel = kernel_file(Machine.kernel)
        author("kill", "ioprio_check_cap=-EPERM", "-k", kernel, "--cve", CVE, "--counters", "--id", "k", "-o", leaf)
        author("sign", leaf, "--key", DEMO_KEY)
        g = t.boot()
        with open(leaf, "rb") as f:
            g.put(f.read(), "/tmp/k.leaf")
    g.run("ionice -c 2 -n 3 true")
    g.run("newleaf status --vex", code=3)
    apply(g, "k", path="/tmp/k.leaf")
    said = document(t, g)
    t.expect(list(said) == [CVE] and said[CVE]["status"] == "not_affected", f"--vex says {said}")
    release = g.run("uname -r").strip()
    product = said[CVE]["products"][0]["@id"]
    t.expect(product.startswith(f"pkg:deb/debian/linux-image-{release}@6.1."), f"the product is {product}")
    t.expect("permitted" in g.run("ionice -c 2 -n 3 true 2>&1 || true"), "the killed function does not say EPERM")
    metrics = g.run("newleaf status --prometheus")
    t.expect(f'newleaf_cve_mitigated{{cve="{CVE}",leaf="k"}} 1' in metrics, metrics)
    t.expect('newleaf_leaf_hits_total{leaf="k"} 1' in metrics, metrics)
    t.expect(newleaf(g, "status")["leaves"][0]["hits_by_function"] == [1], "the calls are not counted")
    revert(g, "k")
    g.run("ionice -c 2 -n 3 true")
    t.expect(not document(t, g), "a CVE is mitigated by a leaf that is reverted")
    g.check_dmesg()
    g.poweroff()
