// SPDX-License-Identifier: GPL-2.0-only
/* The function of the module planted without its loop. */
int planted_loop(int index);

int planted_loop(int index) { return index + 1; }
