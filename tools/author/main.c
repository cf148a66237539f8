// SPDX-License-Identifier: Apache-2.0
/* newleaf-author: makes, signs and examines leaves. `newleaf build` and its sisters find it beside newleaf or on the
 * PATH. */
#include "author.h"
#include "commands.h"
#include "forms.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *form, *what;
} commands[] = {
#define COMMAND_ROW(function, name, brief, form, summary, what) {name, command_##function, form, what},
        AUTHOR_COMMANDS(COMMAND_ROW)
#undef COMMAND_ROW
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

void print_help(const char *command)
{
	if (!command)
		printf("newleaf-author: make, sign and examine leaves\n\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (command && strcmp(command, commands[i].name))
			continue;
		printf("  newleaf %s %s\n", commands[i].name, commands[i].form);
		if (command)
			printf("\n%s", commands[i].what);
	}
	if (!command)
		printf("\nnewleaf COMMAND --help says more.\n");
}

void usage_error(const char *command, const char *why)
{
	refuse(NL_EUSAGE, "%s;  see newleaf %s --help", why, command);
}

int main(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(NULL);
		return argc < 2 ? NL_EXIT_USAGE : NL_EXIT_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		for (int j = 2; j < argc; j++) {
			if (!strcmp(argv[j], "--help") || !strcmp(argv[j], "-h")) {
				print_help(commands[i].name);
				return NL_EXIT_OK;
			}
		}
		refuse_context(commands[i].name, "done", false);
		return commands[i].run(argc - 1, argv + 1);
	}
	refuse_context(argv[1], "done", false);
	refuse(NL_EUSAGE, "there is no command '%s'; newleaf-author --help lists them", argv[1]);
}
