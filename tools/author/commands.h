// SPDX-License-Identifier: Apache-2.0
/* The commands of newleaf-author. argv[0] is the command's own name; each returns an exit code or refuses. */
#ifndef NEWLEAF_AUTHOR_COMMANDS_H
#define NEWLEAF_AUTHOR_COMMANDS_H

int command_build(int argc, char **argv);
int command_prove(int argc, char **argv);
int command_sign(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_symbols(int argc, char **argv);
int command_check(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_transplant(int argc, char **argv);
int command_key(int argc, char **argv);
int command_conf(int argc, char **argv);
int command_policy(int argc, char **argv);
int command_revoke(int argc, char **argv);
int command_order(int argc, char **argv);
int command_verify_status(int argc, char **argv);

_Noreturn void usage_error(const char *command, const char *why);
void print_help(const char *command);

#endif
