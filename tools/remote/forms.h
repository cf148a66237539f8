// SPDX-License-Identifier: Apache-2.0
/* The one table of newleaf --host: its --help, newleaf-remote(1) and docs/reference/cli.md are made from it. */
#ifndef NEWLEAF_REMOTE_FORMS_H
#define NEWLEAF_REMOTE_FORMS_H

/* X(name, synonym, arguments, kind, what, least and most arguments, function, one line) */
#define REMOTE_VERBS(X) \
	X("status", "list", "[LEAF...]", VERB_STATUS, 0, 0, -1, run_status, \
	  "what runs there; of each LEAF what became of it") \
	X("leaves", NULL, "", VERB_STATUS, 0, 0, 0, run_status, "the same, of all leaves that are known there") \
	X("log", NULL, "", VERB_LOG, 0, 0, 0, run_log, "the journal, as far as the machine proves it") \
	X("apply", "load", "LEAF...", VERB_ORDER, NL_ORDER_APPLY, 1, -1, run_order, "these besides what is on") \
	X("revert", "unload", "LEAF...", VERB_ORDER, NL_ORDER_REVERT, 1, -1, run_order, "these no more") \
	X("sync", NULL, "[LEAF...|DIR]", VERB_ORDER, NL_ORDER_SYNC, 0, -1, run_order, \
	  "exactly these; without any: none") \
	X("freeze", NULL, "", VERB_ORDER, NL_ORDER_FREEZE, 0, 0, run_order, "from now on nothing changes") \
	X("stop", NULL, "", VERB_ORDER, NL_ORDER_STOP, 0, 0, run_order, "the same, and what waits is dropped") \
	X("release", NULL, "", VERB_ORDER, NL_ORDER_RELEASE, 0, 0, run_order, "ends both") \
	X("confirm", NULL, "[LEAF...]", VERB_ORDER, NL_ORDER_CONFIRM, 0, -1, run_order, \
	  "these (default: all) are on probation, and good: they stay") \
	X("challenge", NULL, "FILE|DIR", VERB_CHALLENGE, 0, 1, 1, run_challenge, \
	  "what an order signed elsewhere has to answer, for newleaf order new --challenge") \
	X("carry", NULL, "ORDER|DIR [LEAF...]", VERB_CARRY, 0, 1, -1, run_carry, \
	  "an order that was signed elsewhere, with its leaves' files")

#define REMOTE_SUMMARY "ask and order machines from outside, over the network of their hypervisors"

#define REMOTE_WHAT \
	"Asks machines whose newleaf.conf has net-nic, whatever their guests do, many at once. What is told of a " \
	"machine " \
	"it has\nsigned, with a nonce of this very question, by the key that it was enrolled by (newleaf status " \
	"--machine-key, said\nthere); an answer without that is \"not-believed\", and of it nothing is told. Who " \
	"changes " \
	"something signs an order for\neach machine: --sign, once for each operator whose key is here. Whose key is " \
	"a " \
	"token, or elsewhere: challenge, then\nnewleaf order new and sign (--digest-out, --attach), then carry. The " \
	"hypervisor carries an order out by itself; the\ncommand waits until the machine has signed what came of it. " \
	"LEAF " \
	"is a file (those that the machine has not are brought),\na SHA-256, or an id.\n" \
	"  --host HOST,...     names, IPv4 addresses or [IPv6 addresses], with :PORT if it is not 9947; @FILE: those " \
	"in " \
	"FILE,\n" \
	"                      one a line. May be given again\n" \
	"  --machines FILE     lines HOST KEY [BOOT]: the key of each machine, and the number of a boot behind which " \
	"its " \
	"answers\n" \
	"                      are refused; default: ~/.config/newleaf/machines, else /etc/newleaf/machines; that of " \
	"--host @FILE\n" \
	"  --machine KEY       of one host: 64 digits, or a file with them\n" \
	"  --sign KEY.pem      an operator's key; may be given again\n" \
	"  --deadline TIME     for each host, until its outcome is known: 500ms, 2s (default 10s to look, 60s to " \
	"change)\n" \
	"  --deadline-ms N     of the commit, as in newleaf order new; default 1000\n" \
	"  --confirm TIME      taken back unless confirmed within so long\n" \
	"  --any-generation    whatever was applied or taken back meanwhile\n" \
	"  --fixed ID|FILE     the build-id of a kernel that has the fix itself, or a file with one a line: it " \
	"needs\n                      no leaf. May be given again\n" \
	"  --since SEQ         log: from this entry on\n" \
	"  --check             status: exit 10 if a leaf is on and weakened\n" \
	"  --jobs N            so many hosts at once; default 64\n" \
	"  -n, --dry-run       say what would be ordered; nothing is signed\n" \
	"  --json              newleaf.remote/1\n" \
	"  -q, --quiet         only what failed\n" \
	"States, apart: unreachable, not-believed, frozen; of a leaf no-leaf, applied, on-probation, weakened, " \
	"probed,\n" \
	"other-kernel, fixed-in-kernel, locked-out, taken-back, refused. Exit: 0 if every host is as asked, 3 if " \
	"every one " \
	"was so\nalready, else the highest code of a host; 8 if it does not answer.\n" \
	"To switch a function off everywhere: newleaf kill makes the leaf, newleaf sign signs it, apply brings it. " \
	"alive, " \
	"exits,\nconsole and timeline are the guest's to ask.\n"

#endif
