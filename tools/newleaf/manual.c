// SPDX-License-Identifier: Apache-2.0
/*
 * Prints the man pages and the reference pages from the tables in verbs.c, ../author/forms.h and ../remote/forms.h:
 * `newleaf-manual man|author|remote|cli|errors`. Runs when the project is built.
 */
#include "../author/forms.h"
#include "../remote/forms.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	enum nl_exit_code code;
	const char *what;
} exit_codes[] = {
        {NL_EXIT_OK, "state as asked"},
        {NL_EXIT_INTERNAL, "a defect of Newleaf itself"},
        {NL_EXIT_USAGE, "the command line is wrong"},
        {NL_EXIT_NOTHING, "nothing to do: the state is already as asked"},
        {NL_EXIT_LEAF, "the leaf is bad or not trusted"},
        {NL_EXIT_TARGET, "the target does not match: other kernel, other bytes"},
        {NL_EXIT_PERMISSION, "not permitted"},
        {NL_EXIT_CONFLICT, "a conflict or a missing requirement"},
        {NL_EXIT_DEADLINE, "deadline or interruption; unchanged, a retry may help"},
        {NL_EXIT_ABSENT, "no Newleaf below, or one of another version"},
        {NL_EXIT_DEGRADED, "applied, but a promise is weakened"},
        {NL_EXIT_ENVIRONMENT, "a tool or file is missing"},
};

/* Those that newleaf-author uses; the others belong to a running Newleaf. */
static const unsigned author_exits = 1u << NL_EXIT_OK | 1u << NL_EXIT_INTERNAL | 1u << NL_EXIT_USAGE |
                                     1u << NL_EXIT_LEAF | 1u << NL_EXIT_TARGET | 1u << NL_EXIT_CONFLICT |
                                     1u << NL_EXIT_ENVIRONMENT;

static const char about[] = "Newleaf is a thin hypervisor below this system that patches its kernel by changing what a "
                            "few pages show. This command asks it: "
                            "what runs, which leaves (signed patches) are applied, apply these, revert those. It is "
                            "one static binary and needs nothing else.";
static const char answers[] = "Data goes to stdout, progress to stderr and only if that is a terminal; NO_COLOR is "
                              "honoured. A failure always says what was not "
                              "done, "
                              "whether anything changed, why, and what to do next, with the name of the error and the "
                              "exit code. With --json every answer is one "
                              "JSON "
                              "document with a \"schema\" of the form newleaf.VERB/1, failures newleaf.error/1; fields "
                              "are only ever added within /1.";
static const char places[] =
        "The commands that change something are serialised by /run/newleaf/lock. An interrupted or killed command "
        "changes nothing: it is applied on all CPUs or on none.";
static const char root_words[] =
        "Only root may ask. The proof is in each call: an access to an I/O port that needs CAP_SYS_RAWIO or, where "
        "kernel lockdown keeps that port even from root, a one-time token that the kernel's msr driver reads for a "
        "holder of "
        "CAP_SYS_RAWIO (the module is loaded if need be); newleaf status says which one it was. explain, --help and "
        "--version need neither root nor Newleaf.";

static const struct {
	const char *name, *form, *summary, *what;
} author_commands[] = {
#define AUTHOR_ROW(function, name, brief, form, summary, what) {name, form, summary, what},
        AUTHOR_COMMANDS(AUTHOR_ROW)
#undef AUTHOR_ROW
};

static const char authoring[] =
        "These verbs are done by newleaf-author, which is looked for beside newleaf and then in PATH. They need "
        "neither root nor Newleaf, and have "
        "options of their own instead of those that the other verbs share.";

static const struct {
	const char *name, *form, *summary;
} remote_verbs[] = {
#define REMOTE_ROW(name, synonym, args, kind, what, least, most, function, summary) {name, args, summary},
        REMOTE_VERBS(REMOTE_ROW)
#undef REMOTE_ROW
};

static const char remote[] = "With --host, all of it is done by newleaf-remote, which is looked for beside newleaf and "
                             "then in PATH. It needs "
                             "neither root nor Newleaf where it runs.";

/* roff: a leading dot or quote is a request, a hyphen is a minus only when escaped. */
static void roff(const char *s)
{
	for (; *s; s++) {
		if (*s == '-')
			fputs("\\-", stdout);
		else if (*s == '\\')
			fputs("\\e", stdout);
		else
			putchar(*s);
	}
	putchar('\n');
}

static void man_option(const struct cli_option *o)
{
	printf(".TP\n\\fB");
	if (o->brief)
		printf("\\-%s\\fR, \\fB", o->brief);
	printf("\\-\\-");
	for (const char *p = o->name; *p; p++)
		printf(*p == '-' ? "\\-" : "%c", *p);
	printf("\\fR%s%s\n", o->value ? " " : "", o->value ? o->value : "");
	roff(o->what);
}

static int man(void)
{
	printf(".\\\" Made by newleaf-manual from the tables of the command.\n.TH NEWLEAF 1 \"\" \"newleaf %s\" "
	       "\"Newleaf\"\n",
	       CLI_VERSION);
	printf(".SH NAME\nnewleaf \\- live patches for the running kernel, from below\n.SH SYNOPSIS\n.B "
	       "newleaf\n\\fIVERB\\fR "
	       "[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n");
	printf(".SH DESCRIPTION\n");
	roff(about);
	printf(".PP\n");
	roff(root_words);
	printf(".SH VERBS\n");
	for (size_t i = 0; i < cli_n_verbs; i++) {
		const struct verb *v = &cli_verbs[i];

		if (v->group == GROUP_LATER || v->group == GROUP_MAKE)
			continue;
		printf(".TP\n\\fB%s\\fR ", v->name);
		roff(v->args);
		printf("%c%s.\n", v->summary[0] & ~0x20, v->summary + 1);
		if (v->more)
			roff(v->more);
		if (v->synonym)
			printf("Synonym: \\fB%s\\fR.\n", v->synonym);
	}
	printf(".SS Making leaves\n");
	roff(authoring);
	for (size_t i = 0; i < NL_ARRAY_SIZE(author_commands); i++) {
		printf(".TP\n\\fB%s\\fR ", author_commands[i].name);
		roff(author_commands[i].form);
		printf("%c%s.\n", author_commands[i].summary[0] & ~0x20, author_commands[i].summary + 1);
	}
	printf(".SS From outside\n");
	roff(remote);
	for (size_t i = 0; i < NL_ARRAY_SIZE(remote_verbs); i++) {
		printf(".TP\n\\fB\\-\\-host\\fR HOST,... \\fB%s\\fR ", remote_verbs[i].name);
		roff(remote_verbs[i].form);
		printf("%c%s.\n", remote_verbs[i].summary[0] & ~0x20, remote_verbs[i].summary + 1);
	}
	printf(".SH OPTIONS\n");
	for (size_t i = 0; i < cli_n_options; i++)
		man_option(&cli_options[i]);
	printf(".SH ANSWERS\n");
	roff(answers);
	printf(".SH EXIT STATUS\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(exit_codes); i++)
		printf(".TP\n%d\n%s\n", exit_codes[i].code, exit_codes[i].what);
	printf(".SH ERRORS\n");
	for (size_t i = 0; i < cli_n_errors; i++) {
		printf(".TP\n.BR %s \" (exit %d)\"\n", cli_errors[i].name, cli_errors[i].exit);
		roff(cli_errors[i].what);
		printf("\\(em ");
		roff(cli_errors[i].next);
	}
	printf(".SH FILES\n");
	roff(places);
	printf(".SH SEE ALSO\n.BR newleaf\\-author (1),\n.BR newleaf\\-remote (1)\n");
	return 0;
}

static int remote_man(void)
{
	printf(".\\\" Made by newleaf-manual from tools/remote/forms.h.\n.TH NEWLEAF\\-REMOTE 1 \"\" \"newleaf %s\" "
	       "\"Newleaf\"\n",
	       CLI_VERSION);
	printf(".SH NAME\nnewleaf\\-remote \\- ");
	roff(REMOTE_SUMMARY);
	printf(".SH SYNOPSIS\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(remote_verbs); i++) {
		printf("%s\\fBnewleaf \\-\\-host\\fR HOST,... [OPTION...] \\fB%s\\fR ", i ? ".br\n" : "",
		       remote_verbs[i].name);
		roff(remote_verbs[i].form);
	}
	printf(".SH VERBS\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(remote_verbs); i++) {
		printf(".TP\n\\fB%s\\fR ", remote_verbs[i].name);
		roff(remote_verbs[i].form);
		printf("%c%s.\n", remote_verbs[i].summary[0] & ~0x20, remote_verbs[i].summary + 1);
	}
	printf(".SH DESCRIPTION\n.nf\n");
	roff(REMOTE_WHAT);
	printf(".fi\n.SH EXIT STATUS\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(exit_codes); i++)
		printf(".TP\n%d\n%s\n", exit_codes[i].code, exit_codes[i].what);
	printf(".SH SEE ALSO\n.BR newleaf (1),\n.BR newleaf\\-author (1)\n");
	return 0;
}

static int author_man(void)
{
	printf(".\\\" Made by newleaf-manual from tools/author/forms.h.\n.TH NEWLEAF\\-AUTHOR 1 \"\" \"newleaf %s\" "
	       "\"Newleaf\"\n",
	       CLI_VERSION);
	printf(".SH NAME\nnewleaf\\-author \\- make, sign and examine leaves for newleaf\n.SH SYNOPSIS\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(author_commands); i++) {
		printf("%s\\fBnewleaf %s\\fR ", i ? ".br\n" : "", author_commands[i].name);
		roff(author_commands[i].form);
	}
	printf(".SH DESCRIPTION\n");
	roff("A leaf is a signed patch for one kernel, which newleaf apply puts below a running system. This program "
	     "makes leaves from "
	     "recipes, signs "
	     "and examines them, and makes the keys. It runs on the author's machine and needs neither root nor "
	     "Newleaf. The newleaf "
	     "command calls "
	     "it for these verbs; newleaf-author VERB does the same.");
	printf(".PP\n");
	roff("Data goes to stdout, failures to stderr in the form of newleaf(1): what was not done, why, what to do "
	     "next, error and exit "
	     "code. With "
	     "--json the answer, or the failure, is one JSON document.");
	printf(".SH COMMANDS\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(author_commands); i++) {
		printf(".SS %s\n.nf\n", author_commands[i].name);
		roff(author_commands[i].what);
		printf(".fi\n");
	}
	printf(".SH EXIT STATUS\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(exit_codes); i++)
		if (author_exits & 1u << exit_codes[i].code)
			printf(".TP\n%d\n%s\n", exit_codes[i].code, exit_codes[i].what);
	printf(".SH EXAMPLE\n.nf\n");
	roff("newleaf key new mine\n"
	     "newleaf build fix.recipe -k /boot/vmlinuz-6.1.0-50-cloud-amd64\n"
	     "newleaf sign fix.leaf --key mine.pem\n"
	     "newleaf verify fix.leaf --pub mine.pub");
	printf(".fi\n.SH FILES\n");
	roff("The form of a recipe is in docs/reference/recipe.md of Newleaf's sources, a first leaf step by step in "
	     "docs/how-to/first-leaf.md.");
	printf(".SH SEE ALSO\n.BR newleaf (1)\n");
	return 0;
}

static int cli_page(void)
{
	printf("# The `newleaf` command\n\n<!-- Made from the command's own tables: edit tools/newleaf/verbs.c, "
	       "tools/author/forms.h or tools/remote/forms.h, "
	       "then `make docs`. -->\n\n"
	       "    newleaf VERB [OPTION...] [ARGUMENT...]\n\n%s\n\n%s\n\n%s\n\n%s\n\n## Verbs\n",
	       about, root_words, answers, places);
	for (size_t i = 0; i < cli_n_verbs; i++) {
		const struct verb *v = &cli_verbs[i];

		if (v->group == GROUP_LATER || v->group == GROUP_MAKE)
			continue;
		printf("\n### newleaf %s%s%s\n\n%c%s.\n", v->name, *v->args ? " " : "", v->args, v->summary[0] & ~0x20,
		       v->summary + 1);
		if (v->more)
			printf("\n%s\n", v->more);
		if (v->synonym)
			printf("\nSynonym for users of kpatch: `%s`.\n", v->synonym);
		if (!v->options)
			continue;
		putchar('\n');
		for (size_t k = 0; k < cli_n_options; k++)
			if (cli_options[k].bit & v->options)
				printf("- `%s%s%s--%s%s%s`: %s\n", cli_options[k].brief ? "-" : "",
				       cli_options[k].brief ? cli_options[k].brief : "",
				       cli_options[k].brief ? ", " : "", cli_options[k].name,
				       cli_options[k].value ? " " : "",
				       cli_options[k].value ? cli_options[k].value : "", cli_options[k].what);
	}
	printf("\n## Options of every verb above\n\n");
	for (size_t k = 0; k < cli_n_options; k++)
		if (!cli_options[k].bit)
			printf("- `%s%s%s--%s`: %s\n", cli_options[k].brief ? "-" : "",
			       cli_options[k].brief ? cli_options[k].brief : "", cli_options[k].brief ? ", " : "",
			       cli_options[k].name, cli_options[k].what);
	printf("\n## Verbs that make leaves\n\n%s\n", authoring);
	for (size_t i = 0; i < NL_ARRAY_SIZE(author_commands); i++)
		printf("\n### newleaf %s\n\n%c%s.\n\n```\nnewleaf %s %s\n\n%s```\n", author_commands[i].name,
		       author_commands[i].summary[0] & ~0x20, author_commands[i].summary + 1, author_commands[i].name,
		       author_commands[i].form, author_commands[i].what);
	printf("\n## From outside\n\n%c%s. %s\n\n```\nnewleaf --host HOST,... VERB [OPTION...] [ARGUMENT...]\n\n",
	       REMOTE_SUMMARY[0] & ~0x20, REMOTE_SUMMARY + 1, remote);
	for (size_t i = 0; i < NL_ARRAY_SIZE(remote_verbs); i++)
		printf("  %-9s %-20s %s\n", remote_verbs[i].name, remote_verbs[i].form, remote_verbs[i].summary);
	printf("\n%s```\n", REMOTE_WHAT);
	printf("\n## Not in this version\n\n");
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (cli_verbs[i].group == GROUP_LATER)
			printf("- `%s` (%s). %s.\n", cli_verbs[i].name, cli_verbs[i].summary, cli_verbs[i].more);
	printf("\nThey answer NL_EUNSUPPORTED, exit 7.\n\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
	for (size_t i = 0; i < NL_ARRAY_SIZE(exit_codes); i++)
		printf("| %d | %s |\n", exit_codes[i].code, exit_codes[i].what);
	printf("\nThe errors behind them: [errors.md](errors.md). JSON: [schemas/](schemas/).\n");
	return 0;
}

static int errors_page(void)
{
	printf("# Errors\n\n<!-- Made from include/newleaf/errors.h: edit that, then `make docs`. -->\n\n"
	       "Names and codes are stable: they travel in hypercall answers, in the journal and in JSON. `newleaf "
	       "explain NL_X` says the "
	       "same offline.\n\n"
	       "| error | code | exit | meaning | what to do |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < cli_n_errors; i++)
		printf("| %s | %d | %d | %s | %s |\n", cli_errors[i].name, cli_errors[i].code, cli_errors[i].exit,
		       cli_errors[i].what, cli_errors[i].next);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "man"))
		return man();
	if (argc == 2 && !strcmp(argv[1], "author"))
		return author_man();
	if (argc == 2 && !strcmp(argv[1], "remote"))
		return remote_man();
	if (argc == 2 && !strcmp(argv[1], "cli"))
		return cli_page();
	if (argc == 2 && !strcmp(argv[1], "errors"))
		return errors_page();
	fputs("usage: newleaf-manual man|author|remote|cli|errors\n", stderr);
	return 2;
}
