# SPDX-License-Identifier: Apache-2.0
"""Two hundred rounds of apply and revert under load; CPUs that come and go while a leaf is applied."""

from command import FIXES, apply, newleaf, probe, revert, rounds
from vmtest import test

CHMOD, AUXV = FIXES


def under_load(t, count, cmdline, cpus=2):
    g = t.boot(cpus=cpus, cmdline=cmdline, settings=("console com1",))  # a reset of the guest must say why
    g.run("load >/tmp/load.out 2>&1 & echo $! >/tmp/load.pid")
    began = g.uptime()
    said = rounds(g, AUXV, count, timeout=1500)
    took = g.uptime() - began
    out = g.run(
        "kill $(cat /tmp/load.pid); while [ -d /proc/$(cat /tmp/load.pid) ]; do usleep 50000; done; cat /tmp/load.out",
        timeout=60,
    )
    t.expect(" 0 failures" in out, out)
    t.note(f"{said} in {took:.0f} s; {out.strip()}")
    probe(g, AUXV, "VULNERABLE")
    g.check_dmesg()
    g.poweroff()


@test()
def load_preempt_full(t):
    """200 rounds under load, preempt=full"""
    under_load(t, 200, "preempt=full")


@test()
def load_pti(t):
    """rounds under load with pti=on (50; 200 in load-pti-200)"""
    under_load(t, 50, "pti=on")


@test(full=True)
def load_pti_200(t):
    """200 rounds under load with pti=on"""
    under_load(t, 200, "pti=on")


@test(full=True)
def load_maxcpus_1(t):
    """rounds under load with maxcpus=1: the second CPU is never started by the guest"""
    under_load(t, 50, "maxcpus=1")


@test(full=True)
def load_maxcpus_1_200(t):
    """200 rounds under load with maxcpus=1"""
    under_load(t, 200, "maxcpus=1")


@test(full=True)
def load_4_cpus(t):
    """200 rounds under load on 4 CPUs, preempt=full and pti=on"""
    under_load(t, 200, "preempt=full pti=on", cpus=4)


@test()
def offline_online(t):
    """a CPU goes offline and comes back with a leaf applied, and sees what was applied and reverted meanwhile"""
    g = t.boot()
    online = "/sys/devices/system/cpu/cpu1/online"
    on_cpu_1 = "taskset 2 repro %s | grep -q -- '-> %s'"
    apply(g, AUXV)
    for _ in range(3):
        g.run(f"echo 0 >{online}")
        probe(g, AUXV, "FIXED")
        apply(g, CHMOD)  # while CPU 1 is away
        g.run(f"echo 1 >{online}")
        g.run(on_cpu_1 % (AUXV, "FIXED"))
        g.run(on_cpu_1 % (CHMOD, "FIXED"))
        g.run(f"echo 0 >{online}")
        revert(g, CHMOD)
        revert(g, AUXV)
        g.run(f"echo 1 >{online}")
        g.run(on_cpu_1 % (AUXV, "VULNERABLE"))
        g.run(on_cpu_1 % (CHMOD, "VULNERABLE"))
        apply(g, AUXV)
        g.run(on_cpu_1 % (AUXV, "FIXED"))
    status = newleaf(g, "status")
    t.expect("2" in str(status.get("cpus", status)), f"status lost a CPU: {status}")
    g.check_dmesg()
    g.poweroff()


@test()
def late_cpu(t):
    """maxcpus=1, a leaf applied, and only then the second CPU is started by the guest: it runs the patched code"""
    g = t.boot(cmdline="maxcpus=1")
    apply(g, AUXV)
    g.run("echo 1 >/sys/devices/system/cpu/cpu1/online")
    g.run(f"taskset 2 repro {AUXV} | grep -q -- '-> FIXED'")
    revert(g, AUXV)
    g.run(f"taskset 2 repro {AUXV} | grep -q -- '-> VULNERABLE'")
    g.check_dmesg()
