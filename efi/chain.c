// SPDX-License-Identifier: Apache-2.0
/*
 * Starts what the machine would have started without us: the EFI program of newleaf.conf, or the usual places of a boot
 * loader.
 */
#include "loader.h"

static const CHAR16 *const usual[] = {
        /* shim second: with Secure Boot off it only adds a step; with it on, GRUB alone is refused */
        L"\\EFI\\debian\\grubx64.efi",
        L"\\EFI\\debian\\shimx64.efi",
        L"\\EFI\\BOOT\\grubx64.efi",
};

static void widen(CHAR16 *to, const char *from)
{
	do
		*to++ = (CHAR16)*from;
	while (*from++);
}

static EFI_STATUS start(struct loader *l, const CHAR16 *path)
{
	static CHAR16 options[sizeof(l->conf.options)];
	EFI_DEVICE_PATH *dp = FileDevicePath(l->loaded->DeviceHandle, (CHAR16 *)path);
	EFI_LOADED_IMAGE *next;
	EFI_HANDLE image = NULL;
	CHAR16 *exit_data = NULL;
	UINTN exit_size;
	EFI_STATUS s;

	if (!dp)
		return EFI_OUT_OF_RESOURCES;
	s = BS->LoadImage(FALSE, l->image, dp, NULL, 0, &image);
	FreePool(dp);
	if (EFI_ERROR(s)) {
		say_why(L"cannot load %s: %r", path, s);
		if (image) /* UEFI 2.10, 7.4: loaded, but may not be started (EFI_SECURITY_VIOLATION) */
			BS->UnloadImage(image);
		return s;
	}
	if (l->conf.options[0] && !EFI_ERROR(BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&next))) {
		widen(options, l->conf.options);
		next->LoadOptions = options;
		next->LoadOptionsSize = (UINT32)StrSize(options);
	}
	say_why(L"starting %s", path);
	s = BS->StartImage(image, &exit_size, &exit_data);
	say_why(L"%s came back: %r", path, s);
	return s;
}

EFI_STATUS chain(struct loader *l)
{
	CHAR16 path[sizeof(l->conf.next)];

	if (l->conf.next[0]) {
		widen(path, l->conf.next);
		if (file_exists(l, path))
			return start(l, path);
		say_why(L"%s (next in newleaf.conf) does not exist: trying the usual places", path);
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(usual); i++)
		if (file_exists(l, usual[i])) {
			EFI_STATUS s = start(l, usual[i]);

			if (s != EFI_SECURITY_VIOLATION && s != EFI_ACCESS_DENIED)
				return s;
		}
	say_why(L"nothing to boot: name a program of this partition as next in newleaf.conf");
	return EFI_NOT_FOUND;
}
