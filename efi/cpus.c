// SPDX-License-Identifier: Apache-2.0
/*
 * The machine's CPUs: who they are, and the way of those that are not the boot CPU into the core. The firmware runs a
 * procedure on all of them at once; it comes back on each either as before, or as a guest. Between that and the boot
 * CPU's own launch nothing may wake them: on SVM a stray INIT would take them out of the core's hands.
 */
#include "loader.h"
#include "mp.h"

#define FIRMWARE_LIMIT_US 120000000 /* longer than they wait for each other in the core */

enum nl_err cpus_find(struct loader *l)
{
	static EFI_GUID guid = MP_SERVICES_GUID;
	UINTN all, enabled;

	l->n_cpus = 1;
	if (EFI_ERROR(LibLocateProtocol(&guid, (void **)&l->mp)) || EFI_ERROR(l->mp->count(l->mp, &all, &enabled))) {
		l->mp = NULL; /* as good on a machine with one CPU */
		return NL_OK;
	}
	if (enabled > NL_MAX_CPUS) /* one CPU beside the hypervisor would undo all it promises */
		return refuse(NL_EMACHINE, L"more than %d CPUs", NL_MAX_CPUS);
	l->n_cpus = enabled;
	return NL_OK;
}

static void list_all(struct loader *l, struct nl_boot_block *b)
{
	struct mp_processor p;
	UINTN all, enabled;

	if (!l->mp || EFI_ERROR(l->mp->count(l->mp, &all, &enabled)))
		return;
	for (UINTN i = 0; i < all && b->n_cpus < NL_MAX_CPUS; i++)
		if (!EFI_ERROR(l->mp->info(l->mp, i, &p)) && (p.status & MP_IS_ENABLED) &&
		    !nl_is_listed(b, (uint32_t)p.id))
			b->apic_ids[b->n_cpus++] = (uint32_t)p.id;
}

enum nl_err cpus_list(struct loader *l, struct nl_boot_block *b)
{
	b->n_cpus = 1;
	b->apic_ids[0] = x86_apic_id();
	list_all(l, b);
	if (b->n_cpus != l->n_cpus)
		return refuse(NL_ECPUS, L"the firmware counts %d CPUs and lists %d", l->n_cpus, b->n_cpus);
	return NL_OK;
}

static VOID EFIAPI join(VOID *argument)
{
	struct loader *l = argument;
	enum nl_err e = NL_EMACHINE; /* launch_cr3 would mean something else to it (SDM vol. 3, 4.5.1) */

	if (!((l->boot_cr4 ^ x86_read_cr4()) & CR4_LA57))
		e = (enum nl_err)launch(l->launch_cr3, l->entry_va, l->boot_va, NL_ENTER_JOIN);

	if (e && e != NL_ECPUS) { /* that one: because of another CPU */
		l->failed_apic_id = x86_apic_id();
		l->cpu_error = e;
	}
}

/* What has become of it the core knows: it says so at the boot CPU's own launch. */
void cpus_take(struct loader *l)
{
	EFI_STATUS s;

	if (l->n_cpus == 1)
		return;
	l->boot_cr4 = x86_read_cr4();
	s = l->mp->run_all(l->mp, join, FALSE, NULL, FIRMWARE_LIMIT_US, l, NULL);
	if (EFI_ERROR(s))
		say_why(L"the firmware did not run a procedure on all CPUs: %r", s);
	else if (l->cpu_error)
		say_why(L"the CPU with APIC ID %d: %a", l->failed_apic_id, error_name(l->cpu_error));
}
