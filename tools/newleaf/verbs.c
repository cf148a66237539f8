// SPDX-License-Identifier: Apache-2.0
/*
 * The tables of the command: verbs, options, errors. Parser, --help, the man page and the reference pages are all made
 * from these, and for the verbs that make leaves from ../author/forms.h.
 */
#include "../author/forms.h"
#include "cli.h"

const struct cli_option cli_options[] = {
        {OPT_DEADLINE, NULL, "deadline", "TIME",
         "give up after this time, unchanged: 500ms, 2s (default 1s, on an emulator 10s)"},
        {OPT_AGENTLESS, NULL, "agentless", NULL,
         "gather no CPUs: the hypervisor stops each where it is, and every leaf counts as strict"},
        {OPT_CONFIRM, NULL, "confirm", "TIME",
         "on probation: taken back unless newleaf confirm says within this time that it is good: 60s"},
        {OPT_DRY_RUN, "n", "dry-run", NULL, "verify and say what would be done; change nothing"},
        {OPT_ALL, NULL, "all", NULL, "every applied leaf"},
        {OPT_CHECK, NULL, "check", NULL, "for scripts: exit 10 if a promise is weakened, print only what weakens it"},
        {OPT_VEX, NULL, "vex", NULL, "an OpenVEX document: which CVEs the bytes that run mitigate"},
        {OPT_PROMETHEUS, NULL, "prometheus", NULL, "metrics for node_exporter's textfile collector"},
        {OPT_PRODUCT, NULL, "product", "PURL", "the package that --vex speaks of (default: this kernel's)"},
        {OPT_FOLLOW, "f", "follow", NULL, "go on printing what is new until interrupted"},
        {OPT_SINCE, NULL, "since", "SEQ", "begin with this sequence number"},
        {OPT_KEEP, NULL, "keep", "FILE", "add what FILE does not have yet to its end; with --follow, go on doing so"},
        {OPT_VERIFY, NULL, "verify", "FILE", "print and check a kept file instead; needs no Newleaf and no root"},
        {OPT_INTERVAL, NULL, "interval", "TIME", "count for this time and print rates: 10s"},
        {OPT_TRANSACTION, NULL, "transaction", "N", "only this one"},
        {OPT_LAST, NULL, "last", "N", "the last N transactions (default 1)"},
        {OPT_CHROME, NULL, "chrome", "FILE", "write a trace that Perfetto and chrome://tracing open"},
        {OPT_SVG, NULL, "svg", "FILE", "draw a picture"},
        {OPT_TIMELINE, NULL, "timeline", "FILE", "write the commit's timeline as a trace, tried in vain or not"},
        {OPT_SIGNED, NULL, "signed", NULL, "have the hypervisor sign the status, for newleaf verify-status elsewhere"},
        {OPT_NONCE, NULL, "nonce", "HEX", "64 digits of whoever asks, a new one each time: openssl rand -hex 32"},
        {OPT_OUT, NULL, "out", "FILE", "where the signed status goes; - for the standard output"},
        {OPT_MACHINE_KEY, NULL, "machine-key", NULL, "the key that this machine is enrolled by, 64 digits"},
        {OPT_ESP, NULL, "esp", "DIR", "where the EFI partition is mounted (default: /boot/efi, /efi or /boot)"},
        {0, NULL, "json", NULL, "the answer as JSON on stdout, errors too"},
        {0, "q", "quiet", NULL, "no answer but the exit code; failures still say why"},
        {0, "h", "help", NULL, "how this verb is used"},
};
const size_t cli_n_options = NL_ARRAY_SIZE(cli_options);

#define AUTHORING \
	"Done by newleaf-author, which is looked for beside newleaf and then in PATH; newleaf VERB --help has its " \
	"options."

const struct verb cli_verbs[] = {
        {"status", "list", "", 0, 0,
         OPT_CHECK | OPT_VEX | OPT_PROMETHEUS | OPT_PRODUCT | OPT_SIGNED | OPT_NONCE | OPT_OUT | OPT_MACHINE_KEY,
         GROUP_LOOK, "what runs below this system and which leaves are applied",
         "One line on Newleaf, one on the kernel, one on each leaf. OLD-TASKS: how many tasks stood in the functions "
         "that the leaf replaces when it was applied or reverted; -: nobody had to ask. NOTE: the error that weakens "
         "it; newleaf explain says more. With --check a script learns from the exit code "
         "alone: 0 all well, "
         "9 no Newleaf, 10 a leaf is applied but a promise is weakened, or the signed list is not good. HITS: how "
         "often the functions were called, "
         "where "
         "the leaf counts. --vex and --prometheus print for scanners and monitors instead; a CVE that a leaf names "
         "counts as mitigated while the leaf is applied and nothing weakens it. --vex answers 3, nothing to do, when "
         "no "
         "leaf names a CVE. --signed --nonce HEX --out FILE writes what somebody outside can believe without believing "
         "this system: status and leaves, digests of the bytes that run, the head of the journal, signed together with "
         "the nonce (docs/how-to/believe.md). One signature a second is made.",
         verb_status},
        {"apply", "load", "LEAF...", 1, NL_MAX_LEAVES,
         OPT_DEADLINE | OPT_AGENTLESS | OPT_CONFIRM | OPT_DRY_RUN | OPT_TIMELINE, GROUP_CHANGE,
         "apply leaf files, all in one flip",
         "Each file is handed to the hypervisor, which verifies signature, kernel identity and expected bytes. Then "
         "all of them are "
         "applied in one "
         "commit beside what is applied already; a leaf that is applied under the same id, or that one of "
         "them supersedes, is replaced. Every CPU sees "
         "the old kernel, then "
         "every "
         "CPU sees the new one. What fails changes nothing. If all of them are applied already the answer is 3, "
         "nothing to do. The answer says how long the work took for which all CPUs were held (stop window), how long "
         "one of them was (longest hold), and for how long the command took a CPU from everybody else at the longest, "
         "verification, gathering and failed tries included (blackout), and by what.",
         verb_apply},
        {"revert", "unload", "ID...|--all", 0, NL_MAX_LEAVES,
         OPT_DEADLINE | OPT_AGENTLESS | OPT_DRY_RUN | OPT_ALL | OPT_TIMELINE, GROUP_CHANGE,
         "take applied leaves away again, all in one flip",
         "Names the leaves by the id that newleaf status shows. What the guest itself wrote to the pages meanwhile is "
         "kept.",
         verb_revert},
        {"sync", NULL, "DIR", 1, 1, OPT_DEADLINE | OPT_AGENTLESS | OPT_CONFIRM | OPT_DRY_RUN | OPT_TIMELINE,
         GROUP_CHANGE, "make the applied leaves exactly the files DIR/*.leaf, in one flip",
         "What is applied and not in DIR is reverted in the same commit. If one file is refused nothing is changed. An "
         "empty directory "
         "reverts all.",
         verb_sync},
        {"log", NULL, "", 0, 0, OPT_FOLLOW | OPT_SINCE | OPT_KEEP | OPT_VERIFY, GROUP_LOOK,
         "the hypervisor's journal, with its hash chain checked",
         "The journal lies out of the guest's reach. Each entry holds the SHA-256 of the one before; a break of the "
         "chain ends the command "
         "with 1. "
         "With --json one document for each line. The hypervisor has room for 512 entries; a warm reset leaves them, a "
         "power-off does not. --keep FILE adds what FILE does not have yet, down to the disk, and says when it came "
         "too "
         "late: entries were written over before (4). What a power cut left half written at the end of FILE is cut "
         "off, "
         "and said. --verify FILE checks the chain from the first entry to the last, over boots, and names the first "
         "one that does not fit (4): damaged, changed or missing. That nothing was taken away at the end it cannot "
         "say.",
         verb_log},
        {"exits", NULL, "", 0, 0, OPT_INTERVAL, GROUP_LOOK, "how often and why each CPU left the guest", NULL,
         verb_exits},
        {"console", NULL, "", 0, 0, 0, GROUP_LOOK, "what the hypervisor printed since its start", NULL, verb_console},
        {"blockers", NULL, "", 0, 0, 0, GROUP_LOOK, "what stood in the way of the last commit that did not succeed",
         "From the journal: the last refused or abandoned commit, and where the CPU stood that was in the way.",
         verb_blockers},
        {"timeline", NULL, "", 0, 0, OPT_TRANSACTION | OPT_LAST | OPT_CHROME | OPT_SVG, GROUP_LOOK,
         "the course of the last transactions, CPU by CPU, with the causes of tries that failed",
         "A transaction is a commit with all its tries, or what is done for a module that comes or goes. For each try: "
         "the instant of the flip, and when each CPU was asked, held, let go (still in the hypervisor), and entered "
         "the guest with the new generation, since the freeze began. The steps come from the hypervisor's ring, which "
         "keeps the last few thousand; what the command saw of its own gathers "
         "comes from /run/newleaf/gathers, which apply, revert and sync write. All times are of one clock, the TSC. "
         "FILE may be - for the standard output.",
         verb_timeline},
        {"explain", NULL, "[NL_X]", 0, 1, 0, GROUP_LOOK,
         "what an error means and what to do; without a name, all of them",
         "Needs no Newleaf. The name may be given without NL_ or NL_E, in any case, or as the number.", verb_explain},
        {"alive", NULL, "", 0, 0, 0, GROUP_MACHINE, "this system is up: clear the boot counter",
         "Run once at the end of each boot. It clears the EFI variable NewleafBoots, in which the loader counts "
         "unfinished boots, and "
         "tells the hypervisor, "
         "which journals it. Before, it waits for the leaves of the standing order, a minute at most, and for each "
         "leaf "
         "on trial until it is confirmed or taken back; of one that is on and confirmed by nobody it says NL_ETRIAL, "
         "and "
         "clears nothing. Without it the loader steps aside after two boots. Needs efivarfs (mounted if it is not).",
         verb_alive},
        {"challenge", NULL, "FILE", 1, 1, 0, GROUP_CHANGE, "ask for the challenge that an operator's order answers",
         "Writes it to FILE, or to the standard output for -. One is out at a time: the one before is void, and this "
         "one "
         "ends with the order that is accepted, with another challenge, with this kernel, or after ten minutes. "
         "newleaf "
         "order new --challenge FILE makes the order, elsewhere.",
         verb_challenge},
        {"carry", NULL, "ORDER [LEAF...]", 1, -1, OPT_ESP, GROUP_CHANGE,
         "carry an operator's signed order to the hypervisor",
         "Whoever carries it has no say in it: the hypervisor checks what it is bound to and who signed it, a "
         "second for "
         "each signature but the first. freeze, release, stop and confirm are done then. What an order lets on or off "
         "waits "
         "for a "
         "minute: newleaf apply, revert or sync with exactly its leaves makes the commit, whatever the policy says of "
         "guest root, if nothing else has changed meanwhile. One that wants no agent is carried out by the hypervisor "
         "itself as soon as it knows the leaves: those that it does not know yet are brought by naming their files. "
         "A standing order is written to the EFI partition first, with its leaves, all of which are to be named, into "
         "the place that nobody needs; what the policy lets root bring is on at once, the rest at the next boot. "
         "Without root's rights the order is presented by VMCALL or "
         "VMMCALL, "
         "and nothing is told but that it was accepted.",
         verb_carry},
        {"confirm", NULL, "[ID...]", 0, NL_MAX_LEAVES, 0, GROUP_CHANGE,
         "say that leaves on probation are good: they stay",
         "A leaf is on probation when its author, an order or --confirm wanted it so. If nobody confirms it in time, "
         "the hypervisor takes it back by itself, and this boot and the next one that Newleaf runs in refuse it "
         "(NL_ETRIAL); so does the next one if the machine ends before, by whatever way. Without an id all that are "
         "on probation now are confirmed, by their hashes: what comes meanwhile is not. The policy may leave it to "
         "operators: newleaf order new confirm.",
         verb_confirm},
        {"preflight", NULL, "[ARGUMENT...]", 0, -1, 0, GROUP_LATER, "check a machine before the installation",
         "docs/how-to/real-machine.md lists what a machine needs; the loader checks it at each boot and boots the old "
         "way if something is "
         "missing",
         verb_later},
        {"install", NULL, "[ARGUMENT...]", 0, -1, 0, GROUP_LATER, "put newleafx64.efi onto the EFI system partition",
         "docs/how-to/real-machine.md does it by hand", verb_later},
        {"uninstall", NULL, "[ARGUMENT...]", 0, -1, 0, GROUP_LATER, "take it away again",
         "docs/how-to/real-machine.md does it by hand", verb_later},
        {"package", NULL, "[ARGUMENT...]", 0, -1, 0, GROUP_LATER, "wrap a leaf in a distribution package",
         "A leaf is one file: put it into any package, and let newleaf sync DIR apply it", verb_later},
        {"agent", NULL, "[ARGUMENT...]", 0, -1, 0, GROUP_LATER, "run as a service",
         "newleaf sync DIR in a unit of your own applies leaves at each boot", verb_later},
#define AUTHOR_ROW(function, name, brief, form, summary, what) \
	{name, NULL, brief, 0, -1, 0, GROUP_MAKE, summary, AUTHORING, verb_author},
        AUTHOR_COMMANDS(AUTHOR_ROW)
#undef AUTHOR_ROW
};
const size_t cli_n_verbs = NL_ARRAY_SIZE(cli_verbs);

const struct cli_error cli_errors[] = {
#define ERROR_ROW(name, code, exit, what, next) {#name, name, exit, what, next},
        NL_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};
const size_t cli_n_errors = NL_ARRAY_SIZE(cli_errors);

const struct cli_error *cli_error(enum nl_err e)
{
	for (size_t i = 0; i < cli_n_errors; i++)
		if (cli_errors[i].code == e)
			return &cli_errors[i];
	return cli_error(NL_EINTERNAL);
}
