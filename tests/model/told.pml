// SPDX-License-Identifier: Apache-2.0
/*
 * What a journal says of one leaf, or of orders (TOLD): then nothing of that happens in probation.pml, or orders.pml,
 * but when it is its turn, and what no journal tells (marks, flushes, the loader) when it likes. tests/model/journal.py writes told_events.pml, the
 * numbers of the events, and the file `told`: how many they are, and each.
 */
#ifdef TOLD
#include "told_events.pml"
#define ROOM 1100
int told; /* how many have happened */
hidden int EVENTS;
hidden byte event[ROOM];
c_decl {
	static int furthest;

	static void got_to(int told)
	{
		if (told <= furthest)
			return;
		furthest = told;
		printf("event %d\n", told);
	}

	static int number(FILE *file)
	{
		int n;

		if (fscanf(file, "%d", &n) != 1)
			exit(3);
		return n;
	}
}
inline read_told()
{
	c_code {
		FILE *file = fopen("told", "r");

		if (!file)
			exit(3);
		EVENTS = number(file);
		for (int i = 0; i < EVENTS; i++)
			event[i] = number(file);
		fclose(file);
	}
}
#define NEXT_IS(e) (event[told] == (e))
#define HAPPENED told++; c_code { got_to(now.told); }; assert(told < EVENTS)
#define FIRST 1 /* the leaf is whoever's comes */
#else
#define NEXT_IS(e) true
#define HAPPENED skip
#define FIRST 0
#endif
