# SPDX-License-Identifier: Apache-2.0
"""What bench.py runs: arms, scenarios, and which of them each mode has. Words for work.c are explained there."""

# Arms that take turns, in any order.
STRICT = ("leaf-strict", "klp", "klp-fast", "kpatch")
MIXABLE = ("leaf-mixable", "ftrace", "kprobe")
ALL = ("none", "stop", "leaf-strict", "leaf-strict-again", "klp", "klp-fast", "kpatch", *MIXABLE)
FORCED = "klp-force"  # once a boot, at its end: what is forced can never be unloaded
AGAIN = "-again"  # the same arm under a second name

SCENARIOS = {
    "clear": "",
    "asleep": "nap=100000",
    "drain": "nap=400000 sleepers=24 before=600000 limit=3000000 deadline=3000",
    "caller": "pair=4000000 deadline=3000",
    "failing": "kthread=1 deadline=200 limit=1",
    "kthread": "kthread=1 limit=3000000 deadline=3000",
    "kthread, 16 s": "kthread=1 limit=17000000",
    "loop": "loop=1 threads=1 limit=3000000 deadline=3000",
    "loop, 16 s": "loop=1 threads=1 limit=17000000",
    "spin": "spin=6000 threads=1 limit=3000000 deadline=3000",
    "poll": "threads=1 limit=17000000",
}
FAILS = ("failing",)  # what is measured there is a request that fails

# Neither random numbers nor the time of day are the host's; nor is the time that reading takes
# (tests/guest/firmware/steady.c).
ICOUNT = ("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm")
HERMIT = "isolcpus=1 nohz_full=1 rcu_nocbs=1"

# turns: [(scenario, arms)], shuffled; as many times as rounds says. cmdlines: boot u has the (u modulo their number)th,
# and of the turns those that name it, or none.
MODES = {
    "icount": {
        "cpus": 1, "more": ICOUNT, "rounds": 1, "timer": 50_000, "cmdlines": ("quiet",),
        "steady": True,
        "turns": [("clear", ALL), ("asleep", ALL), ("failing", STRICT)], "forced": True,
    },
    "smp": {
        "cpus": 2, "more": (), "rounds": 2, "timer": 1_000_000, "cmdlines": ("",), "steady": False,
        "turns": [("clear", ALL), ("asleep", ALL)], "forced": True,
    },
    "ends": {
        "cpus": 2, "more": (), "rounds": 1, "timer": 1_000_000, "cmdlines": ("", HERMIT, "idle=poll"), "steady": False,
        "turns": [
            ("drain", (*STRICT, *MIXABLE), ""),
            ("caller", (*STRICT, "leaf-mixable"), ""),
            ("kthread", ("leaf-strict", "leaf-mixable", "kpatch", "klp-fast"), ""),
            ("kthread, 16 s", ("klp",), ""),
            ("loop", ("leaf-strict", "leaf-mixable", "kpatch"), HERMIT),
            ("loop, 16 s", ("klp", "klp-fast"), HERMIT),
            ("spin", ("leaf-strict", "leaf-mixable", "kpatch", "klp-fast"), HERMIT),
            ("poll", (*STRICT, "leaf-mixable"), "idle=poll"),
        ],
        "forced": False,
    },
}  # fmt: skip


def plan(rng, mode, cmdline):
    """[(scenario, arm)] of a boot, in its order."""
    kind, order = MODES[mode], []
    for _ in range(kind["rounds"]):
        turns = [(scenario, arms) for scenario, arms, *only in kind["turns"] if not only or only[0] == cmdline]
        turn = [(scenario, arm) for scenario, arms in turns for arm in arms]
        rng.shuffle(turn)
        order += turn
    return order + ([("asleep", FORCED)] if kind["forced"] else [])
