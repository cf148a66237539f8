// SPDX-License-Identifier: Apache-2.0
/* A part of freeze.pml: who commits, as a timeline has it. */
/* hypercall() under the lock. What the core drops of an agent is told once, as NL_ESTALE: by a DROP of its own. */
inline traced_call()
{
	if
	:: atomic { TURN(me, STEP_PREPARE) && trace_value[at] <= AGENTLESS_FLAG -> alone = trace_value[at]; NEXT }
		prepared = 0;
		stale = false;
		if /* RECLAIMED: commit.pml says why */
		:: atomic { RECLAIMED && TURN(me, STEP_PREPARED) && trace_value[at] == 0 -> NEXT }
			prepared = WHOLE
		:: atomic { RECLAIMED && TURN(me, STEP_PREPARED) && trace_value[at] == AGAIN -> NEXT }
			prepared = HALF
		:: STEP_FAILS(me, STEP_PREPARED)
		fi
	:: (prepared || stale) && TURN(me, STEP_DROP) -> /* ABANDON, its deadline has passed, NL_ESTALE */
		STEP_ANY(me, STEP_DROP);
		prepared = 0;
		stale = false
	:: prepared == WHOLE && TURN(me, STEP_FREEZE) -> commit_try((alone -> BY_ITSELF : TRY))
	fi
}

/* nl_commit_own: from PREPARE to SETTLE or DROP with the lock, and dropped whatever fails. */
inline own_commit()
{
	stale = stale || prepared;
	prepared = 0;
	if
	:: atomic { RECLAIMED && TURN(me, STEP_PREPARED) && trace_value[at] == 0 -> NEXT }
		prepared = WHOLE
	:: STEP_FAILS(me, STEP_PREPARED);
		STEP_ANY(me, STEP_DROP)
	fi;
	do
	:: prepared && OWN(me, STEP_FREEZE) -> commit_try(BY_ITSELF)
	:: prepared && OWN(me, STEP_DROP) -> STEP_ANY(me, STEP_DROP); prepared = 0
	:: !prepared -> break
	od
}
