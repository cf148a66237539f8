// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the partition that the loader came from, and newleaf.conf among them.
 */
#include "loader.h"

#define CONF_FILE L"\\EFI\\newleaf\\newleaf.conf"

static EFI_STATUS file_open(struct loader *l, const CHAR16 *path, EFI_FILE_HANDLE *file)
{
	EFI_FILE_HANDLE root;
	EFI_STATUS s;

	root = l->loaded->DeviceHandle ? LibOpenRoot(l->loaded->DeviceHandle) : NULL; /* NULL: loaded from memory */
	if (!root)
		return EFI_NOT_FOUND;
	s = root->Open(root, file, (CHAR16 *)path, EFI_FILE_MODE_READ, 0);
	root->Close(root);
	return s;
}

bool file_exists(struct loader *l, const CHAR16 *path)
{
	EFI_FILE_HANDLE file;

	if (EFI_ERROR(file_open(l, path, &file)))
		return false;
	file->Close(file);
	return true;
}

EFI_STATUS file_read(struct loader *l, const CHAR16 *path, UINTN max, void **data, UINTN *size)
{
	EFI_FILE_HANDLE file;
	EFI_STATUS s = file_open(l, path, &file);

	if (EFI_ERROR(s))
		return s;
	*size = max + 1;
	*data = AllocatePool(*size);
	s = *data ? file->Read(file, size, *data) : EFI_OUT_OF_RESOURCES;
	file->Close(file);
	if (!EFI_ERROR(s) && *size > max)
		s = EFI_BAD_BUFFER_SIZE;
	if (EFI_ERROR(s))
		FreePool(*data);
	else
		((char *)*data)[*size] = '\0';
	return s;
}

enum nl_err conf_load(struct loader *l)
{
	void *text;
	UINTN size;
	EFI_STATUS s = file_read(l, CONF_FILE, NL_CONF_MAX_SIZE, &text, &size);

	l->conf = NL_CONF_DEFAULTS;
	if (s == EFI_NOT_FOUND)
		return refuse(NL_OK, L"no %s: defaults", CONF_FILE);
	if (EFI_ERROR(s))
		return refuse(NL_ECONF, L"cannot read %s: %r", CONF_FILE, s);
	nl_conf_parse(&l->conf, text, size);
	FreePool(text);
	if (l->conf.unknown)
		say_warning(L"newleaf.conf line %d: not understood, ignored", l->conf.unknown);
	return l->conf.wrong ? refuse(NL_ECONF, L"newleaf.conf line %d: not understood", l->conf.wrong) : NL_OK;
}
