/* newleaf-author: makes, signs and examines leaves. `newleaf build` and its sisters find it beside newleaf or on the PATH. */
#include "author.h"
#include "commands.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *form, *what;
} commands[] = {
        {"build", command_build, "RECIPE -k VMLINUZ [-H HEADERS] [-o OUT.leaf]",
         "Makes an unsigned leaf for one kernel.\n"
         "  -k, --kernel FILE   the /boot/vmlinuz that the machine boots\n"
         "  -H, --headers DIR   the kernel's headers: /usr/src/linux-headers-VERSION, or a directory that the headers packages\n"
         "                      were unpacked to; default: where the packages install them. Only bodies need them\n"
         "  -o, --output FILE   default: ID.leaf in the current directory\n"},
        {"sign", command_sign, "LEAF --key KEY.pem [-o OUT.leaf]",
         "Signs a leaf (ECDSA P-256, SHA-256), in place unless -o is given; an old signature is replaced.\n"
         "      --key FILE          private key, PEM\n"
         "      --digest-out FILE   for a hardware token, step 1: writes the 32 bytes to sign instead of signing\n"
         "      --attach SIG --pub KEY   step 2: attaches the signature (DER, or 64 bytes r || s) made with that key\n"
         "  -o, --output FILE\n"},
        {"verify", command_verify, "LEAF --keys FILE | --pub KEY",
         "Says whether the signature is good and whose it is.\n"
         "      --keys FILE   records of trusted keys, as made by key image\n"
         "      --pub KEY     one public key, PEM or record\n"},
        {"inspect", command_inspect, "LEAF [--json]", "Shows what a leaf does, where, by whom, what it needs and what it risks.\n"},
        {"check", command_check, "LEAF -k VMLINUZ [--json]",
         "Compares a leaf with a kernel image: build-id, description of the kernel, every expected byte.\n"},
        {"key", command_key, "new NAME [--role ROLE[,ROLE]] [-o DIR] | list FILE | image KEY.pub... -o FILE",
         "new    makes NAME.pem (private, mode 0600) and NAME.pub (public record); roles: author (default), operator, revoke\n"
         "list   shows the records of a file\n"
         "image  joins public records into one file, to be put into the EFI image or beside it\n"},
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

void usage_error(const char *command, const char *why) { refuse(NL_EUSAGE, "%s;  see newleaf %s --help", why, command); }

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
