// SPDX-License-Identifier: GPL-2.0-only
/* What every function of the test's modules with that bug should be. */
#include <linux/errno.h>

int check(int index);

int check(int index) { return index < 0 ? -EINVAL : index > 15 ? -ERANGE : 0; }
