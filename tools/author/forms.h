// SPDX-License-Identifier: Apache-2.0
/*
 * The one table of the authoring commands. newleaf-author's --help, newleaf-author(1), the overview of `newleaf --help`
 * and docs/reference/cli.md are made from it.
 */
#ifndef NEWLEAF_AUTHOR_FORMS_H
#define NEWLEAF_AUTHOR_FORMS_H

/* X(function, name, arguments in brief, all arguments, one line, what --help says below) */
#define AUTHOR_COMMANDS(X) \
	X(build, "build", "RECIPE|PATCH -k VMLINUZ|DIR", \
	  "RECIPE|PATCH -k VMLINUZ|DIR [-M MODULES] [-S SOURCE] [-H HEADERS] [--cc GCC] [--offline] [-o OUT] [-n] " \
	  "[--json]", \
	  "build leaves from a recipe or a patch", \
	  "Makes an unsigned leaf for one kernel, or a set for all kernels of a directory and says what came of " \
	  "each.\n" \
	  "  -k, --kernel FILE   the /boot/vmlinuz that the machine boots; a directory stands for every vmlinuz and " \
	  "vmlinuz-*\n" \
	  "                      in it and below. One that is refused does not stop the others\n" \
	  "  -M, --modules PATH  modules of the kernel that the leaf may change or refer to: a .ko[.xz|.zst|.gz], or " \
	  "a " \
	  "directory\n" \
	  "                      with some in it and below: /lib/modules, an unpacked package. May be given again. " \
	  "Default:\n" \
	  "                      those beside the kernel file (../lib/modules) that the recipe, patch or leaf names\n" \
	  "  -H, --headers DIR   the kernel's headers: /usr/src/linux-headers-VERSION, or a directory that the " \
	  "headers packages\n" \
	  "                      were unpacked to, or one with many such; default: where the packages install them, " \
	  "else\n" \
	  "                      get-kernel fetches them from Debian into a cache. Only bodies need them\n" \
	  "      --cc GCC        the compiler, or a directory with its bin/gcc; default: the one that built the " \
	  "kernel,\n" \
	  "                      from the machine or by get-kernel, else another, which is noted\n" \
	  "      --offline       fetch nothing\n" \
	  "  -o, --output OUT    default: ID.leaf in the current directory; of a directory of kernels, the directory " \
	  "for\n" \
	  "                      ID_RELEASE.leaf\n" \
	  "      --json          for a directory of kernels: the answers as newleaf.matrix/1\n" \
	  "From a patch (a unified diff for the kernel's source, -p1):\n" \
	  "  -S, --source DIR    the source of exactly this kernel, which is not written; default: get-kernel " \
	  "fetches " \
	  "it\n" \
	  "  -n, --dry-run       only say what would be in the leaf, and why\n" \
	  "      --json          say it for a program\n" \
	  "      --id ID         default: the CVE, the subject or the file's name\n" \
	  "      --version N     default: 1\n" \
	  "      --cve CVE       the patch mends it, whatever it says itself; may be given again. Default: those in " \
	  "its\n" \
	  "                      subject, its file's name, or on a line that says so; the plan names the others\n" \
	  "      --description TEXT  default: the subject\n" \
	  "      --allow WORD    unproven: replace functions that this source does not make as shipped; layout: " \
	  "change " \
	  "the\n" \
	  "                      layout of structures; state: a variable is not another's new name; modules: modules " \
	  "keep\n" \
	  "                      what they have of a header, and call by old prototypes; objects: those that live\n" \
	  "                      already may lack what the patch adds, or go on with what it replaces. All stay " \
	  "visible\n" \
	  "                      in the leaf\n" \
	  "      --counters      count the calls of each replaced function: newleaf status shows them\n" \
	  "      --consistency C switch, strict or mixable (recipe.md); default: switch for one function, else " \
	  "strict\n" \
	  "      --confirm SECONDS   on trial: taken back unless somebody confirms it in time\n" \
	  "For a directory the exit code is the highest of all kernels: 0 where leaves were built (or the fix is " \
	  "there " \
	  "already),\n" \
	  "3 if all have the fix or nothing to patch, 10 if a leaf was compiled by another compiler than its kernel, " \
	  "else that of a " \
	  "refusal.\n") \
	X(prove, "prove", "UNIT.c... -k VMLINUZ -S SOURCE", \
	  "UNIT.c...|--random N [--seed S] -k VMLINUZ -S SOURCE [-M MODULES] [-H HEADERS] [--cc GCC] [--json]", \
	  "compare units of the source with a kernel", \
	  "Compiles units of the kernel's source (fs/pipe.c) and compares each function with the image, or with " \
	  "the module\n" \
	  "whose part it is: bytes, symbols, strings, constants, and what the kernel's tables say about it.\n" \
	  "  -k, --kernel FILE   the /boot/vmlinuz that the machine boots\n" \
	  "  -S, --source DIR    the source of exactly this kernel, unpacked\n" \
	  "  -H, --headers DIR   as for build\n" \
	  "  -M, --modules PATH  modules of this kernel: a directory with them, or a file; may be given again. " \
	  "Default: those\n" \
	  "                      beside the kernel file (../lib/modules)\n" \
	  "      --random N      N units by lot of all that the configuration links into the image; with -M, into " \
	  "modules\n" \
	  "      --seed S        the lot's: the same number draws the same units; default: any, which is shown\n" \
	  "      --json          newleaf.prove/1\n" \
	  "Exit: 0 if all functions are proven, but those that the kernel drops after boot.\n") \
	X(sign, "sign", "LEAF --key KEY.pem", \
	  "LEAF --key KEY.pem | --digest-out FILE | --attach SIG --pub KEY [-o OUT.leaf]", "sign a leaf", \
	  "Signs a leaf (Ed25519), in place unless -o is given. Signatures by other keys stay: several authors sign " \
	  "one\n" \
	  "after the other. The same key signs anew. Where one of the others does not verify, nothing is written.\n" \
	  "      --key FILE          private key, PEM\n" \
	  "      --digest-out FILE   for a hardware token, step 1: writes the 64 bytes to sign instead of signing, " \
	  "for\n" \
	  "                          openssl pkeyutl -sign -rawin or what the token's vendor gives\n" \
	  "      --attach SIG --pub KEY   step 2: attaches the signature (64 bytes) made with that key\n" \
	  "  -o, --output FILE\n") \
	X(inspect, "inspect", "LEAF", "LEAF [-k VMLINUZ [-M MODULES]] [--html|--json]", "show what a leaf would do", \
	  "Shows what a leaf does, where, by whom, what it needs and what it risks.\n" \
	  "  -k, --kernel FILE   the kernel that it is for: shows old and new code side by side, places by name\n" \
	  "  -M, --modules PATH  with -k: the modules that it is for, as for build\n" \
	  "      --html          as a page that stands alone, for whoever signs\n") \
	X(check, "check", "LEAF|RECIPE|PATCH -k VMLINUZ|DIR", \
	  "LEAF|RECIPE|PATCH -k VMLINUZ|DIR [-M MODULES] [-H HEADERS] [--cc GCC] [--offline] [--json]", \
	  "check a leaf, recipe or patch against kernels", \
	  "Compares a leaf with a kernel image and the modules that -M gives: build-ids, description of the kernel, " \
	  "where the\n" \
	  "parts of modules will lie, every expected byte. A " \
	  "directory of " \
	  "kernels,\n" \
	  "or a recipe or patch, gives a table with one answer for each kernel: fits, builds, already fixed, nothing " \
	  "to patch, refused " \
	  "and why, " \
	  "or " \
	  "unproven\n" \
	  "(another compiler than the kernel's). Options and exit codes are build's; no leaf is written.\n") \
	X(kill, "kill", "FUNCTION[=VALUE]... -k VMLINUZ", \
	  "FUNCTION[=VALUE]... -k VMLINUZ [-M MODULES] [--cve ID] [--counters] [-o OUT.leaf]", \
	  "make a leaf that switches functions off", \
	  "The mitigation before a fix exists: the functions return at once, with VALUE (a number, or an error such " \
	  "as\n" \
	  "-EPERM); a function that returns nothing takes none, and then no register changes. What the callers make " \
	  "of\n" \
	  "it is the author's to judge: a function that takes a lock or fills a result must not be killed.\n" \
	  "  -M, --modules PATH   modules of the kernel, as for build: MODULE:FUNCTION where a name is not one " \
	  "function's\n" \
	  "      --cve ID      what it mitigates, for newleaf status --vex; more than once if need be\n" \
	  "      --counters    count the calls: newleaf status shows them\n" \
	  "      --id ID       default: kill-FUNCTION\n" \
	  "      --allow WORD  clones, aliases, callers: what a refusal names stays visible in the leaf\n" \
	  "  -o, --output FILE default: ID.leaf in the current directory\n") \
	X(transplant, "transplant", "FUNCTION... -k VMLINUZ", \
	  "FUNCTION... | --count N [--seed S] [--module NAME]...  -k VMLINUZ [-M MODULES] [-o DIR]", \
	  "make leaves that change nothing", \
	  "Makes unsigned leaves whose bodies are the functions' own machine code, at another place: a test of " \
	  "Newleaf\n" \
	  "on a kernel that needs no fix. Prints NAME, built or the error, and the reason, separated by tabs. A " \
	  "function\n" \
	  "of a module is MODULE:NAME; a leaf has those of as few modules as can be.\n" \
	  "      --count N     draw N functions by lot instead of naming them: of the image, or with -M of all its " \
	  "modules\n" \
	  "      --module NAME draw of this module alone; may be given again\n" \
	  "  -M, --modules PATH   modules of this kernel: a directory with them, or a file; may be given again\n" \
	  "  -n, --dry-run     only say what could be built\n" \
	  "      --seed S      of the lot; the same number draws the same functions (default 1)\n" \
	  "  -o, --output DIR  where transplant-NN.leaf go; default: the current directory\n") \
	X(symbols, "symbols", "-k VMLINUZ PATTERN", "-k VMLINUZ [-M MODULES] PATTERN [--hash] [--json]", \
	  "show what a kernel has of a name", \
	  "Lists the symbols of a kernel file that match a pattern (* ? [...]), with address, size up to the next " \
	  "symbol " \
	  "and section,\n" \
	  "and for functions whether ftrace has a nop there and whether they can be replaced, or why not.\n" \
	  "  -k, --kernel FILE   the kernel file\n" \
	  "  -M, --modules PATH  modules of it, as for build: their symbols, too, by where they lie in which part of " \
	  "the module.\n" \
	  "                      MODULE:PATTERN looks into one, vmlinux:PATTERN into none\n" \
	  "      --hash          and the hash of each function, for `old` in a recipe\n") \
	X(verify, "verify", "LEAF --keys FILE", "LEAF --keys FILE | --pub KEY [--signatures N]", \
	  "check a leaf's signatures", \
	  "Says whether the signatures are good and whose each is.\n" \
	  "      --keys FILE   records of trusted keys, as made by key image\n" \
	  "      --pub KEY     one public key, PEM or record\n" \
	  "      --signatures N   how many of these authors must have signed; default 1\n") \
	X(key, "key", "new|list|image ...", \
	  "new NAME [--role ROLE[,ROLE]] [-o DIR] | list FILE | image KEY.pub... -o FILE", "make and list keys", \
	  "new    makes NAME.pem (private, mode 0600) and NAME.pub (public record)\n" \
	  "       --role ROLE  what it may sign: author (leaves; the default), revoke (lists of what is revoked),\n" \
	  "                    operator (orders)\n" \
	  "list   shows the records of a file\n" \
	  "image  joins public records into one file, to be put into the EFI image or beside it\n") \
	X(policy, "policy", "new|show ...", \
	  "new [--guest-may apply,revert,confirm,agentless] [--operators N --order-may now,standing,keys,agentless] " \
	  "[--NAME VALUE]... -o FILE | show FILE", \
	  "what an image lets guest, operators and newleaf.conf do", \
	  "Makes the section .nlpol: objcopy --update-section .nlpol=FILE newleaf.efi, and sign the image " \
	  "afterwards.\n" \
	  "What is not given is as the build says it. none: no word of those.\n" \
	  "      --guest-may WORDS    what guest root may do without an order: apply, revert; confirm what is on " \
	  "trial;\n" \
	  "                           agentless commits\n" \
	  "      --deadline-ms N      the longest deadline of a commit, 1..10000\n" \
	  "      --conf-may WORDS     what newleaf.conf may say under Secure Boot: options, console\n" \
	  "      --security-version N one more with each hole that is closed\n" \
	  "      --proofs WORDS       how a caller may show that it is root: port, token\n" \
	  "      --signatures N       of how many authors a leaf needs\n" \
	  "      --without-list WORD  without a good signed list: no-leaf, go-on, no-launch\n" \
	  "      --unpatched WORD     a module that cannot be patched: let-in, refuse\n" \
	  "      --operators N        of how many operators an order needs; 0: no order is taken\n" \
	  "      --order-may WORDS    which orders: now, standing, keys (who operates), agentless\n" \
	  "      --confirm-ms N       the longest trial that may be asked for; 0: none\n" \
	  "      --net-may WORDS      what the hypervisor's own network lets be asked: metrics, read, orders\n") \
	X(conf, "conf", "FILE", "FILE", "check a newleaf.conf before a machine reads it", \
	  "Reads the file as the loader does, which only names a line that it does not understand, and says what is " \
	  "wrong\n" \
	  "with each. An unknown key, and one that is given twice, is a warning.\n") \
	X(revoke, "revoke", "new|sign|show ...", \
	  "new --sequence N [--leaf LEAF|SHA256]... [--key KEY|SHA256]... [--floor ID=VERSION]... " \
	  "[--pardon LEAF|SHA256]... [--sign KEY.pem] -o LIST | " \
	  "sign LIST --sign KEY.pem | --digest-out FILE | --attach SIG --pub KEY | show LIST [--keys FILE]", \
	  "the signed list of what machines shall not apply any more", \
	  "Makes EFI/newleaf/list.nll, which machines read at their next boot. A list is whole in itself and takes " \
	  "the place\n" \
	  "of the one before: carry on what it held.\n" \
	  "      --sequence N    higher than that of any list before\n" \
	  "      --leaf LEAF     revokes a leaf: its file, or its SHA-256 as newleaf status --json shows it\n" \
	  "      --key KEY       revokes a key: PEM, record, or its SHA-256 as newleaf key list shows it\n" \
	  "      --floor ID=V    versions of the leaf ID below V are not applied\n" \
	  "      --pardon LEAF   lets a leaf in that machines have locked out after a panic\n" \
	  "      --sign KEY.pem  signs it; the key has the role revoke. sign adds one more signature, if those that\n" \
	  "                      are there verify\n" \
	  "      --digest-out, --attach, --pub   sign by a token, as newleaf sign does\n" \
	  "      --keys FILE     show: an error unless one of these keys, in that role, has signed\n" \
	  "  -o, --output LIST\n") \
	X(order, "order", "new|sign|show ...", \
	  "new sync|apply|revert|freeze|release|stop|confirm [LEAF|SHA256]... --challenge FILE | --machine ID " \
	  "--epoch N " \
	  "[--trust KEY]... [--distrust KEY|SHA256]... [--frozen] [--agentless] [--deadline-ms " \
	  "N] " \
	  "[--confirm-ms N] [--any-generation] [--sign KEY.pem] -o ORDER | sign ORDER --sign KEY.pem | --digest-out " \
	  "FILE " \
	  "| --attach SIG --pub KEY | show ORDER [--keys FILE [--operators N]] [--challenge FILE]", \
	  "signed orders: when, by whom the owner calls an operator", \
	  "Makes, signs and shows orders, offline; newleaf carry presents one at its machine. There is no option for " \
	  "a\n" \
	  "kernel: each leaf names the one that it is for, and goes on in no other.\n" \
	  "sync: exactly these leaves; apply: these besides; revert: these no more; freeze: nothing changes until " \
	  "release;\n" \
	  "stop: freeze, and what is under way is abandoned; confirm: what is on probation is good.\n" \
	  "      --challenge FILE  now, once: answers a machine's challenge. show: an error unless it does\n" \
	  "      --any-generation  whatever was applied or taken back since the challenge\n" \
	  "      --machine ID      standing: all that is wanted of this machine (sync), at each boot, until an order " \
	  "of " \
	  "a\n" \
	  "      --epoch N         higher epoch takes its place\n" \
	  "      --trust KEY       this key is an operator's from now on; --distrust: is no more. Of standing " \
	  "orders\n" \
	  "      --frozen          nothing changes behind it. Of standing orders\n" \
	  "      --agentless       the hypervisor commits by itself\n" \
	  "      --deadline-ms N   of the commit; default 1000\n" \
	  "      --confirm-ms N    taken back unless confirmed within so long; of a standing order at each boot\n" \
	  "      --sign KEY.pem    signs it; the key has the role operator. sign adds one more signature, if\n" \
	  "                        those that are there verify\n" \
	  "      --digest-out, --attach, --pub   sign by a token, as newleaf sign does\n" \
	  "      --keys FILE       show: an error unless --operators (1) of these keys, in that role, have signed\n" \
	  "  -o, --output ORDER\n") \
	X(verify_status, "verify-status", "FILE --machine KEY --nonce HEX", \
	  "FILE --machine KEY --nonce HEX [--leaf LEAF]... [--journal FILE] [--after N] [--json]", \
	  "check what a machine says of itself, offline", \
	  "Reads what newleaf status --signed wrote, and believes nothing that does not follow from the machine's " \
	  "key. " \
	  "It\n" \
	  "prints boot, code, keys, journal and kernel, what orders have made of the machine (frozen, waiting, the " \
	  "standing\n" \
	  "one: epoch, floor, carried out or why not), and each leaf, with its trial. Nothing\n" \
	  "is shown of a file that is refused: NL_ESTATUS (4) is not whole; NL_EMACHINEID (6) of another machine; " \
	  "NL_ESIGNATURE\n" \
	  "(4) forged or changed; NL_EBOOTID (6) of an earlier boot than --after; NL_ECHALLENGE (6) answers another " \
	  "nonce.\n" \
	  "      --machine KEY   64 digits, or a file with them, as newleaf status --machine-key wrote it when the " \
	  "machine was enrolled\n" \
	  "      --nonce HEX     64 digits: what the machine was asked with; a new one each time\n" \
	  "      --leaf LEAF     its bytes are what runs: it is applied, nothing weakens it, and what it would write " \
	  "where the\n" \
	  "                      status says that the kernel is, is what the guest is shown. Else NL_EUNKNOWN_LEAF " \
	  "(7), NL_EBYTES\n" \
	  "                      (5) or NL_EDEGRADED (10): weakened, or it is in modules, whose places no status " \
	  "has. " \
	  "May be given again\n" \
	  "      --journal FILE  as newleaf log --keep wrote it: says up to which entry it is this machine's, boots " \
	  "before\n" \
	  "                      included; NL_EJOURNAL (4) if it does not have the one that was the newest\n" \
	  "      --after N       the highest number of a boot that this machine has shown: an earlier boot's answer " \
	  "is " \
	  "refused\n" \
	  "      --json          newleaf.verify-status/1\n")

#endif
