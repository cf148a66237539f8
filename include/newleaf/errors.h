// SPDX-License-Identifier: Apache-2.0
/*
 * The one table of errors: the C enum, the messages, `newleaf explain`, the exit codes and the man page are made from
 * it. Codes are ABI: they travel in hypercall answers (rax = code) and in the journal. Append only; never renumber.
 */
#ifndef NEWLEAF_ERRORS_H
#define NEWLEAF_ERRORS_H

/* Exit codes of the `newleaf` command: a script decides on these. */
enum nl_exit_code {
	NL_EXIT_OK = 0,          /* state as asked */
	NL_EXIT_INTERNAL = 1,    /* a defect of Newleaf itself */
	NL_EXIT_USAGE = 2,       /* the command line is wrong */
	NL_EXIT_NOTHING = 3,     /* nothing to do */
	NL_EXIT_LEAF = 4,        /* leaf bad or untrusted */
	NL_EXIT_TARGET = 5,      /* target does not match */
	NL_EXIT_PERMISSION = 6,  /* not permitted */
	NL_EXIT_CONFLICT = 7,    /* conflict or missing requirement */
	NL_EXIT_DEADLINE = 8,    /* deadline, unchanged, a retry may help */
	NL_EXIT_ABSENT = 9,      /* no Newleaf, or ABI mismatch */
	NL_EXIT_DEGRADED = 10,   /* applied but degraded */
	NL_EXIT_ENVIRONMENT = 11 /* tool or environment missing */
};

/* X(name, code, exit code, what it means, what to do next) */
#define NL_ERRORS(X) \
	X(NL_OK, 0, NL_EXIT_OK, "state as asked", "nothing") \
	X(NL_NOTHING, 1, NL_EXIT_NOTHING, "the machine is already in the state asked for", "nothing") \
	X(NL_AGAIN, 2, NL_EXIT_DEADLINE, "one try did not succeed; the hypervisor wants to be called again", \
	  "the agent calls again by itself until the deadline") \
	X(NL_EINTERNAL, 3, NL_EXIT_INTERNAL, "a defect of Newleaf itself", \
	  "report it with the output of newleaf log and the console") \
	X(NL_EUSAGE, 4, NL_EXIT_USAGE, "the command line or the call is not understood", "see newleaf --help") \
	X(NL_ELEAF, 5, NL_EXIT_LEAF, "the leaf file is malformed", \
	  "build it again; a flipped bit or a truncated copy looks like this") \
	X(NL_EUNSIGNED, 6, NL_EXIT_LEAF, "the leaf carries no signature", "sign it with newleaf sign") \
	X(NL_EKEY, 7, NL_EXIT_LEAF, "the leaf is signed by a key that this machine does not trust", \
	  "sign with a key that is in the image, or add the key to the image") \
	X(NL_ESIGNATURE, 8, NL_EXIT_LEAF, "the signature does not match what it stands behind", \
	  "copy it again from whoever signed it") \
	X(NL_EBUILDID, 9, NL_EXIT_TARGET, "the running kernel is not the one this leaf was built for", \
	  "build or fetch the leaf for this build-id") \
	X(NL_EKERNEL, 10, NL_EXIT_TARGET, "no supported kernel was found where this leaf expects it", \
	  "check that the guest has booted and is of the kind the leaf was built for") \
	X(NL_EBYTES, 11, NL_EXIT_TARGET, "a site does not hold the bytes the leaf expects", \
	  "something else changed the kernel there: another patch, a probe, or a different build") \
	X(NL_EPROBED, 12, NL_EXIT_CONFLICT, "a probe of the guest stands inside a site", \
	  "remove the kprobe or tracer that the message names, then retry") \
	X(NL_EOVERLAP, 13, NL_EXIT_CONFLICT, "two sites overlap", \
	  "revert the other leaf first, or merge them into one leaf") \
	X(NL_ERANGE, 14, NL_EXIT_LEAF, "a site or a target lies outside the kernel image", \
	  "build the leaf again with newleaf build") \
	X(NL_ERELOC, 15, NL_EXIT_LEAF, "a relocation cannot be resolved or does not fit", \
	  "build the leaf again with newleaf build") \
	X(NL_EARENA, 16, NL_EXIT_CONFLICT, \
	  "the body does not fit the arena, or the guest uses the arena's place itself", \
	  "use a smaller body; see newleaf status for what is free") \
	X(NL_ENOMEM, 17, NL_EXIT_CONFLICT, "the hypervisor's reserved memory is used up", \
	  "revert leaves that are no longer needed") \
	X(NL_EBUSY, 18, NL_EXIT_CONFLICT, "another commit is under way", "retry when it has ended") \
	X(NL_EGENERATION, 19, NL_EXIT_CONFLICT, "the generation is no longer the one the caller saw", \
	  "read newleaf status and decide again") \
	X(NL_EUNKNOWN_LEAF, 20, NL_EXIT_CONFLICT, "no leaf of that name is known or applied", "see newleaf status") \
	X(NL_EDEADLINE, 21, NL_EXIT_DEADLINE, "the CPUs could not be brought together before the deadline", \
	  "retry with a longer --deadline, or remove what the message names") \
	X(NL_EPOLICY, 22, NL_EXIT_PERMISSION, "the policy of this machine does not allow this", \
	  "see guest-may in newleaf.conf and in the image; of an order: what the image's policy says of orders") \
	X(NL_EROOT, 23, NL_EXIT_PERMISSION, "only guest root may ask", \
	  "run as root, with CAP_SYS_RAWIO in containers; under kernel lockdown also load the msr module") \
	X(NL_EABSENT, 24, NL_EXIT_ABSENT, "no Newleaf below this system", \
	  "boot through newleafx64.efi; its message at boot says why it stepped aside") \
	X(NL_EABI, 25, NL_EXIT_ABSENT, "the command and the hypervisor speak different versions", \
	  "use the newleaf command of the same release") \
	X(NL_EFAULT, 26, NL_EXIT_INTERNAL, "a buffer of the caller is not mapped", \
	  "the agent locks its memory; report it if you see this") \
	X(NL_EDEGRADED, 27, NL_EXIT_DEGRADED, "applied, but a promise is weakened", "read the note in newleaf status") \
	X(NL_EENVIRONMENT, 28, NL_EXIT_ENVIRONMENT, "a tool or file that is needed is missing", \
	  "install or provide what the message names") \
	X(NL_ENOVIRT, 29, NL_EXIT_ABSENT, "the CPU has neither VMX with EPT and unrestricted guest nor SVM with NPT", \
	  "use a machine that has one of them; on an emulator choose a model with it") \
	X(NL_ELOCKED, 30, NL_EXIT_ABSENT, "the firmware has locked virtualisation off", \
	  "enable it in the firmware's setup") \
	X(NL_EVIRTUALISED, 31, NL_EXIT_ABSENT, "virtualisation is already in use below or beside us", \
	  "disable the other hypervisor") \
	X(NL_EBOOTBLOCK, 32, NL_EXIT_ABSENT, "loader and core are of different versions", \
	  "install both from the same release") \
	X(NL_ESTATE, 33, NL_EXIT_CONFLICT, "a step was asked for before the one it needs", \
	  "do what the message names first; the agent orders its own steps: report it if it names none") \
	X(NL_EPREEMPTED, 34, NL_EXIT_DEADLINE, \
	  "a task stands in bytes that would be written, or a strict leaf would replace", \
	  "retry; the message names the task") \
	X(NL_EVERSION, 35, NL_EXIT_CONFLICT, \
	  "a newer version of this leaf was applied, or is asked for by the signed list", \
	  "versions never go down: use the newer leaf") \
	X(NL_EUNSUPPORTED, 36, NL_EXIT_CONFLICT, "this guest or this Newleaf cannot do what is asked", \
	  "do without it: docs/explanation/limits.md and docs/reference/cli.md say what is there") \
	X(NL_ERECIPE, 37, NL_EXIT_USAGE, "the recipe of the leaf is not understood", \
	  "see docs/reference/recipe.md; the message names the line") \
	X(NL_ETARGET, 38, NL_EXIT_TARGET, "the recipe names what this kernel has not, or has in another form", \
	  "check the name against this kernel; the message says what was found") \
	X(NL_ECOMPILE, 39, NL_EXIT_LEAF, "the body does not compile against this kernel's headers", \
	  "the compiler's messages stand above") \
	X(NL_ESITE, 40, NL_EXIT_LEAF, "this place of the kernel cannot be patched", \
	  "patch a caller or a callee of it instead; the message says what is in the way") \
	X(NL_EBODY, 41, NL_EXIT_LEAF, "the body uses what the guest cannot be told about", \
	  "write the body without it; the message names it") \
	X(NL_EINTERRUPTED, 42, NL_EXIT_DEADLINE, \
	  "the command was interrupted before the commit, or the order by another one", \
	  "run it again; of an order: newleaf log has what came, and a new order wants a new challenge") \
	X(NL_EBOOTS, 43, NL_EXIT_ABSENT, "the last boots on Newleaf did not finish, so it steps aside", \
	  "find out why, then clear the boot counter (docs/how-to/real-machine.md)") \
	X(NL_ECONF, 44, NL_EXIT_ABSENT, "newleaf.conf is malformed", \
	  "mend the line that the message names; newleaf conf FILE says what is wrong with it") \
	X(NL_EFIRMWARE, 45, NL_EXIT_ABSENT, "the firmware refused what Newleaf needs", \
	  "the message names it; look for a firmware update") \
	X(NL_EMEMORY, 46, NL_EXIT_ABSENT, "the machine has too little memory for Newleaf", \
	  "16 MiB in one piece are needed, and 32 KiB more for each CPU beyond 64") \
	X(NL_ERECORD, 47, NL_EXIT_ABSENT, "a record of keys, policy, state or a list is damaged", \
	  "the message names it; make it again (keys: newleaf-author key image)") \
	X(NL_EMACHINE, 48, NL_EXIT_ABSENT, "the machine is beyond what this Newleaf supports", \
	  "the message names it; see docs/explanation/limits.md") \
	X(NL_EROLE, 49, NL_EXIT_USAGE, \
	  "a key has a role that this version does not know, or not the one that is needed", \
	  "roles are author, operator and revoke: newleaf-author key list") \
	X(NL_EOLDIMAGE, 50, NL_EXIT_ABSENT, "an image of a higher security version has run on this machine", \
	  "install a current image; docs/how-to/real-machine.md says how to go back on purpose") \
	X(NL_EENCRYPTED, 51, NL_EXIT_ABSENT, "the firmware has switched memory encryption on", \
	  "switch what the message names off in the firmware's setup") \
	X(NL_EFLOORS, 52, NL_EXIT_CONFLICT, "no room is left to remember how new this leaf is", \
	  "switch the machine off and on; until then only leaves that were applied before, or newer ones of them, " \
	  "are taken") \
	X(NL_EWINDOW, 53, NL_EXIT_ABSENT, "a window of the chipset lies over the hypervisor's memory", \
	  "the core's console names it; look for a firmware update") \
	X(NL_ECPUS, 54, NL_EXIT_ABSENT, "not every CPU could be taken, and none may run beside the hypervisor", \
	  "the message names the CPU or what the firmware lacks; look for a firmware update") \
	X(NL_ENEWER, 55, NL_EXIT_ABSENT, "a record was made for a newer version of Newleaf", \
	  "the message names it; use the newer version, or make the record again with this one") \
	X(NL_ETYPES, 56, NL_EXIT_LEAF, "the body's types are not those of the kernel", \
	  "include the kernel's headers instead of own declarations; the message shows both sides") \
	X(NL_EOLDCODE, 57, NL_EXIT_TARGET, "the function is not one that the recipe was written against", \
	  "read it; if the body fits, add the hash that the message shows to the recipe") \
	X(NL_ENAME, 58, NL_EXIT_USAGE, "the recipe names what this kernel has not", \
	  "check the spelling; newleaf symbols -k VMLINUZ PATTERN shows what there is") \
	X(NL_EOBJECT, 59, NL_EXIT_LEAF, "the leaf describes a module as none can be", \
	  "build the leaf again with newleaf build") \
	X(NL_EREQUIRES, 60, NL_EXIT_CONFLICT, "a leaf needs another that would not be applied with it", \
	  "apply both in one command; to revert, take back the one that needs it first or with it") \
	X(NL_ECONFLICT, 61, NL_EXIT_CONFLICT, "two leaves exclude each other, or one takes the other's place", \
	  "revert one of them in the same command; newleaf inspect says what they say of each other") \
	X(NL_EQUORUM, 62, NL_EXIT_LEAF, \
	  "fewer of those whom this machine trusts have signed the leaf or order than its policy wants", \
	  "have another one sign it: newleaf sign, of an order newleaf order sign, adds a signature by his key") \
	X(NL_EREVOKED, 63, NL_EXIT_LEAF, "the leaf was revoked by the signed list", \
	  "apply what takes its place; newleaf revoke show says what the list holds") \
	X(NL_EKEYREVOKED, 64, NL_EXIT_LEAF, "the leaf or list is signed by a key that was revoked", \
	  "have it signed with another key") \
	X(NL_ELOCKEDOUT, 65, NL_EXIT_CONFLICT, \
	  "the leaf is locked out: it was on when this machine failed, or there are too many to name them", \
	  "send us the panic's text; a signed list can pardon the leaf (docs/how-to/revoke.md)") \
	X(NL_ELIST, 66, NL_EXIT_PERMISSION, "without a good signed list this machine applies no leaf", \
	  "newleaf status names what is wrong with it; put the newest onto the EFI partition and reboot") \
	X(NL_ELISTGONE, 67, NL_EXIT_PERMISSION, "the signed list that this machine has accepted is missing", \
	  "put the newest onto the EFI partition as EFI/newleaf/list.nll and reboot") \
	X(NL_ELISTOLD, 68, NL_EXIT_PERMISSION, "the signed list is older than one that this machine has accepted", \
	  "put the newest onto the EFI partition as EFI/newleaf/list.nll and reboot") \
	X(NL_FIXED, 69, NL_EXIT_NOTHING, "the kernel has the fix already", "nothing") \
	X(NL_EMODULE, 70, NL_EXIT_TARGET, "a module is not the one that the leaf was built for", \
	  "build or fetch the leaf for that build of the module, or load the module that the leaf names") \
	X(NL_ESTALE, 71, NL_EXIT_DEADLINE, "a module came or went while the commit was prepared", \
	  "the agent prepares it again by itself until the deadline") \
	X(NL_EORDER, 72, NL_EXIT_LEAF, "the order is malformed", \
	  "make it again with newleaf order new; a flipped bit or a truncated copy looks like this") \
	X(NL_EMACHINEID, 73, NL_EXIT_PERMISSION, "it is of another machine", \
	  "an order: make one for this machine, newleaf order show names the one that it is for; a status: give the " \
	  "key " \
	  "of the machine that was asked") \
	X(NL_EBOOTID, 74, NL_EXIT_PERMISSION, "it is of another boot of this machine", \
	  "an order: ask for a new challenge, and sign again; a status: ask the machine again") \
	X(NL_ECHALLENGE, 75, NL_EXIT_PERMISSION, \
	  "it answers another challenge or nonce than the one that is out: spent, too old, or never given", \
	  "an order: ask for a new challenge, and sign again; a status: ask the machine with the nonce that you gave") \
	X(NL_EEPOCH, 76, NL_EXIT_CONFLICT, \
	  "a standing order of a higher epoch, or another one of this epoch, was accepted here", \
	  "give it a higher epoch, and sign it again") \
	X(NL_EFROZEN, 77, NL_EXIT_PERMISSION, "an order has frozen this machine", \
	  "an operator's order to release it ends that") \
	X(NL_ELIVEPATCH, 78, NL_EXIT_CONFLICT, \
	  "a livepatch of the guest's own patches a function of the leaf, and its code would run instead", \
	  "switch off the livepatch that the message names (echo 0 into its file enabled), then retry") \
	X(NL_ESTATUS, 79, NL_EXIT_LEAF, "the signed status is malformed", \
	  "ask the machine again, and read it with the newleaf of the same release; a truncated copy looks like this") \
	X(NL_EJOURNAL, 80, NL_EXIT_LEAF, \
	  "the kept journal does not fit together: an entry is damaged, changed or missing", \
	  "the message names the first one; what stands before it fits (docs/how-to/keep-the-journal.md)") \
	X(NL_ESTANDS, 81, NL_EXIT_DEADLINE, \
	  "a CPU stands in the kernel where nobody can tell what it is in the midst of", \
	  "retry; the message names CPU and address") \
	X(NL_ENORANDOM, 82, NL_EXIT_ABSENT, \
	  "this machine has no source of randomness, or cannot keep what it must remember", \
	  "newleaf status and the loader's messages at boot name it; look for a firmware update") \
	X(NL_ERATE, 83, NL_EXIT_DEADLINE, "a signature was made or checked less than a second ago", \
	  "try again in a second; a command that carries an order does by itself") \
	X(NL_ETRIAL, 84, NL_EXIT_CONFLICT, \
	  "nobody confirmed the leaf while it was on trial, or a boot with this standing order did not finish", \
	  "find out why (newleaf log, the guest's own logs); a leaf can be applied again in the boot after the next " \
	  "one, a standing order wants a higher epoch") \
	X(NL_EUNREACHABLE, 85, NL_EXIT_DEADLINE, "the machine does not answer", \
	  "look whether it is on and its hypervisor has a network (net-nic in newleaf.conf); what it runs goes on") \
	X(NL_ECARD, 86, NL_EXIT_ABSENT, "the network card that newleaf.conf names is not there, or cannot be had", \
	  "the loader's or the core's console says why; see net-nic in docs/reference/conf.md") \
	X(NL_EBRIDGE, 87, NL_EXIT_ABSENT, "the network card lies behind a bridge, and the guest can reset that", \
	  "use a card on the root bus, PCI address 00:DD.F")

enum nl_err {
#define NL_ERR_ENUM(name, code, exit, what, next) name = (code),
	NL_ERRORS(NL_ERR_ENUM)
#undef NL_ERR_ENUM
};
#define NL_ERR_ANOTHER(name, code, exit, what, next) +1
enum { NL_ERRORS_KNOWN = 0 NL_ERRORS(NL_ERR_ANOTHER) }; /* codes are dense from 0 */

#endif
