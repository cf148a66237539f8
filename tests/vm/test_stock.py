# SPDX-License-Identifier: Apache-2.0
"""The test guest without Newleaf: proves harness, initramfs and reproducers, and gives what the other tests compare
with."""

from vmtest import test

OLD, NEW = "linux-image-6.1.0-50-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64"


@test()
def stock_old_kernel(t):
    """without Newleaf the old kernel is VULNERABLE to every listed fix"""
    g = t.boot(newleaf=False, kernel=OLD)
    t.note(f"boot to user space {g.boot_seconds:.1f} s")
    for line in g.run("repro --all", code=1).splitlines():
        t.note(line)
        t.expect("-> VULNERABLE" in line, f"not vulnerable: {line}")
    g.check_dmesg()
    g.poweroff()


@test()
def stock_new_kernel(t):
    """without Newleaf the new kernel has every listed fix"""
    g = t.boot(newleaf=False, kernel=NEW)
    g.run("repro --all", code=0)
    g.check_dmesg()
    g.poweroff()


@test(full=True, emulator="bochs")
def stock_bochs(t):
    """without Newleaf the old kernel is VULNERABLE on Bochs, too"""
    g = t.boot(newleaf=False, kernel=OLD, emulator="bochs", cpus=1, memory=512, cmdline="quiet")
    t.note(f"boot to user space {g.boot_seconds:.1f} s")
    g.run("repro --all", code=1)
    g.put(bytes(range(256)) * 16, "/tmp/bytes")
    t.expect("2bcd3c4de20c918e19fab5c36249c70d" in g.run("md5sum /tmp/bytes"), "a file did not arrive as it was sent")
    g.check_dmesg()
    g.poweroff()
