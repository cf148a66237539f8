// SPDX-License-Identifier: Apache-2.0
/* Fields of run queues that nl_linux_target_check accepts, for targets that no guest stands behind. */
#ifndef TESTS_UNIT_QUEUETARGET_H
#define TESTS_UNIT_QUEUETARGET_H

#include <newleaf/leaf.h>

static inline void queue_target(struct nl_leaf_target *t)
{
	t->runqueues = 0x2c000;
	t->task_on_cpu = (struct nl_leaf_field){52, 4};
	t->task_on_rq = (struct nl_leaf_field){104, 4};
	t->task_cfs_node = 168;
	t->task_rt_node = 384;
	t->rq_cfs = 148;
	t->rq_cfs_tasks = 2680;
	t->rq_rt = 2192;
	t->rq_rt_queues = 592;
	t->rq_curr = 2400;
	t->rq_stop = 2416;
	t->rq_dl_bw = 2344;
}

#endif
