// SPDX-License-Identifier: GPL-2.0-only
/* The two functions of the module bench, as every way to patch them makes them. */
#include <linux/errno.h>
#include <linux/types.h>

#include "../bench/bench.h"

int bench_inner(int index)
{
	bench_calls++;
	return index < 0 ? -EINVAL : BENCH_NEW;
}

int bench_outer(int nap)
{
	bench_calls++;
	bench_nap(nap);
	return BENCH_NEW | bench_inner(nap & 1) << 8;
}
