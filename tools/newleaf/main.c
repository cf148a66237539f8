// SPDX-License-Identifier: Apache-2.0
/*
 * The `newleaf` command on Linux. Everything is in cli.c, so that tests run it with a transport of their own.
 */
#include "cli.h"

int main(int argc, char **argv) { return cli_main(argc, argv, nl_linux_transport()); }
