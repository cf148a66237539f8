// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf.efi: reserves memory, starts the core below the running firmware, and goes on to the operating system.
 * Whatever goes wrong before the launch is undone and said; then the operating system boots without Newleaf, or the
 * machine halts if newleaf.conf says so.
 */
#include "core/core.h"
#include "encryption.h"
#include "loader.h"

/* Installed on our handle while we run: a loader that finds it was started by the loader, that is, `next` names Newleaf
 * itself. */
static EFI_GUID running_guid = {0x5f0b4c1e, 0x6e65, 0x776c, {0x65, 0x61, 0x66, 0x6c, 0x6f, 0x61, 0x64, 0x31}};

static enum nl_err check_ground(void)
{
	const char *encrypted = nl_encryption();

	if (encrypted)
		return refuse(NL_EENCRYPTED, L"memory has more than one physical address: %a is on", encrypted);
	if (!(x86_cpuid_word(0x80000001, 0, EDX) >> 20 & 1)) /* the core's page tables need it */
		return refuse(NL_EMACHINE, L"no-execute (NX, XD) is missing or switched off in the firmware's setup");
	/* One of another build may have been put into this image. */
	if (image_core.magic != NL_CORE_MAGIC || image_core.version != NL_BOOT_VERSION)
		return refuse(NL_EBOOTBLOCK, L"the core in this image is none, or another version's");
	return NL_OK;
}

static enum nl_err enter_core(struct loader *l, enum nl_enter what)
{
	EFI_TPL tpl = BS->RaiseTPL(TPL_HIGH_LEVEL);
	uint64_t answer = launch(l->launch_cr3, l->entry_va, l->boot_va, what);

	BS->RestoreTPL(tpl);
	return (enum nl_err)answer;
}

static enum nl_err start_core(struct loader *l)
{
	static const uint16_t ports[] = {0, 0x3f8, 0x2f8, 0x3e8, 0x2e8}; /* none, com1 ... */
	struct nl_boot_block *b = l->boot;
	enum nl_err e;

	l->tsc_hz = b->facts.tsc_hz;
	l->n_keys = b->facts.n_keys;
	b->console_port = ports[l->conf.console];
	b->facts.list_known = l->state.list_sequence;
	b->standing = l->state.standing;
	b->leave_out = l->counted && l->counter.unfinished > 1;
	BS->CopyMem(((struct nl_left *)b->left)->kept.lockouts, l->state.lockouts, sizeof(l->state.lockouts));
	state_name(l);
	if ((e = enter_core(l, NL_ENTER_PREPARE)) || (e = state_settle(l)))
		return e;
	cpus_take(l);
	e = enter_core(l, NL_ENTER_LAUNCH);
	return e == NL_ECPUS && l->cpu_error ? l->cpu_error : e;
}

/* Everything up to the launch. The first failure ends it. */
static enum nl_err bring_up(struct loader *l)
{
	enum nl_err e;

	if ((e = check_ground()) || (e = counter_check(l)) || (e = state_check(l)) || (e = cpus_find(l)) ||
	    (e = memory_reserve(l)))
		return e;
	trust_files(l);
	if ((e = memory_fill(l)))
		return e;
	l->boot->facts.policy = l->policy;
	l->boot->facts.secure_boot = l->secure_boot;
	if ((e = machine_describe(l, l->boot)) || (e = trust_keys(l, l->boot)) || (e = counter_start(l)))
		return e;
	net_take(l);
	return start_core(l);
}

static _Noreturn void halt(void)
{
	say_why(L"halted, by on-error halt of newleaf.conf or by a defect. The operating system was not started.");
	BS->SetWatchdogTimer(0, 0, 0, NULL); /* else the firmware resets the machine after five minutes */
	for (;;)
		BS->Stall(1000000);
}

/* A defect, in what is the core's as well (hv/view/). */
void nl_panic(const char *format, ...)
{
	say_why(L"a defect of Newleaf: %a", format);
	halt();
}

static void without(struct loader *l, enum nl_err e)
{
	say_error(e);
	counter_failed(l, e);
	state_forget(l);
	memory_release(l);
	if (l->conf.halt_on_error)
		halt();
	Print(L"  The operating system is booted without Newleaf.\n");
}

static void run(struct loader *l, uint64_t start)
{
	enum nl_err e = conf_load(l);

	trust_policy(l); /* also for a boot without Newleaf: it decides what the conf file may say */
	counter_read(l);
	if (!e && l->conf.no_launch) {
		say_why(L"not launched, as newleaf.conf says (launch no)");
		state_forget(l);
		return;
	}
	if (!e)
		e = bring_up(l);
	if (e) {
		without(l, e);
		return;
	}
	/* From here on we are the guest, and the region is not ours to look at: only values kept outside it. */
	Print(L"newleaf: launched: CPUs %d, keys %d, region %lx, %ld ms in the loader\n", l->n_cpus, l->n_keys,
	      l->region, (x86_rdtsc() - start) / (l->tsc_hz / 1000 + 1));
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	static struct loader l;
	uint64_t start = x86_rdtsc();
	EFI_STATUS s;
	void *other;

	InitializeLib(image, table);
	l.image = image;
	s = BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&l.loaded);
	if (EFI_ERROR(s))
		return s;
	if (!EFI_ERROR(BS->LocateProtocol(&running_guid, NULL, &other))) {
		say_why(L"started by itself: next in newleaf.conf must name the boot loader of the operating system");
		return EFI_ABORTED;
	}
	state_read(&l); /* not by a second instance: it holds the machine's key, and the first one is below already */
	BS->InstallProtocolInterface(&image, &running_guid, EFI_NATIVE_INTERFACE, NULL);
	run(&l, start);
	s = chain(&l);
	BS->UninstallProtocolInterface(image, &running_guid, NULL);
	return s;
}
