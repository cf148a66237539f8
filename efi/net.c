// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's own network card: found among the firmware's devices, and taken from the firmware's driver, which
 * would go on writing to it, or wait for it, when the core has it.
 */
#include "loader.h"

#define CLASS_ETHERNET 0x0200 /* PCI Code and ID Assignment, 1.3 */

typedef bool is_it(EFI_HANDLE handle, void *interface, const struct nl_net_name *name);

static EFI_HANDLE search(EFI_GUID *protocol, is_it *is, const struct nl_net_name *name)
{
	EFI_HANDLE *all = NULL, found = NULL;
	UINTN n = 0;
	void *p;

	if (EFI_ERROR(LibLocateHandle(ByProtocol, protocol, NULL, &n, &all)))
		return NULL;
	for (UINTN i = 0; i < n && !found; i++)
		if (!EFI_ERROR(BS->HandleProtocol(all[i], protocol, &p)) && is(all[i], p, name))
			found = all[i];
	FreePool(all);
	return found;
}

/* Of segment 0; else 0. */
static uint16_t function_of(EFI_HANDLE card)
{
	UINTN segment, bus, device, function;
	EFI_PCI_IO_PROTOCOL *io;

	if (!card || EFI_ERROR(BS->HandleProtocol(card, &PciIoProtocol, (void **)&io)) ||
	    EFI_ERROR(io->GetLocation(io, &segment, &bus, &device, &function)) || segment)
		return 0;
	return (uint16_t)(bus << 8 | device << 3 | function);
}

/* Firmware that boots from a disk need not have started its drivers of cards, and only these know a MAC. */
static bool is_card(EFI_HANDLE handle, void *interface, const struct nl_net_name *name)
{
	EFI_PCI_IO_PROTOCOL *io = interface;
	UINT16 class;

	if (EFI_ERROR(io->Pci.Read(io, EfiPciIoWidthUint16, 10, 1, &class)) || class != CLASS_ETHERNET)
		return false;
	if (!name->function)
		BS->ConnectController(handle, NULL, NULL, TRUE);
	return name->function && function_of(handle) == name->function;
}

static bool has_mac(EFI_HANDLE handle, void *interface, const struct nl_net_name *name)
{
	EFI_SIMPLE_NETWORK_PROTOCOL *snp = interface;

	(void)handle;
	return snp->Mode && !CompareMem(&snp->Mode->PermanentAddress, name->mac, sizeof(name->mac));
}

static enum nl_err take(struct loader *l, struct nl_boot_net *net)
{
	const struct nl_net_name *name = &l->conf.net.nic;
	EFI_HANDLE card, child;
	EFI_DEVICE_PATH *path;
	uint16_t function;

	if (!l->policy.net_may)
		return refuse(NL_EPOLICY, L"net-nic: the image's policy or net-may leaves a network nothing");
	card = search(&PciIoProtocol, is_card, name);
	child = name->function ? NULL : search(&SimpleNetworkProtocol, has_mac, name);
	path = child ? DevicePathFromHandle(child) : NULL;
	if (path && EFI_ERROR(BS->LocateDevicePath(&PciIoProtocol, &path, &card)))
		card = NULL;
	function = function_of(card);
	if (!function)
		return refuse(NL_ECARD, L"net-nic: the firmware knows no such network card");
	if (function >> 8)
		return refuse(NL_EBRIDGE, L"net-nic: the card lies on bus %x, behind a bridge", function >> 8);
	/* Twice: where a whole stack stands on it, the first call may fail over what went with its driver (edk2). */
	BS->DisconnectController(card, NULL, NULL);
	if (EFI_ERROR(BS->DisconnectController(card, NULL, NULL)))
		return refuse(NL_EFIRMWARE, L"net-nic: the firmware's driver does not let go of the card");
	net->function = function;
	return NL_OK;
}

void net_take(struct loader *l)
{
	struct nl_boot_net *net = &l->boot->net;

	if (!l->conf.net.nic.said)
		return;
	net->port = l->conf.net.port;
	CopyMem(net->ip, l->conf.net.ip, sizeof(net->ip));
	CopyMem(net->ip6, l->conf.net.ip6, sizeof(net->ip6));
	net->error = take(l, net);
	if (net->error)
		say_warning(L"no network of the hypervisor's own [%a]", error_name(net->error));
}
