// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the partition that the loader came from, and newleaf.conf among them.
 */
#include "loader.h"

#define CONF_NAME L"newleaf.conf"
#define CONF_HOME L"\\EFI\\newleaf\\" CONF_NAME

static EFI_STATUS file_open(struct loader *l, const CHAR16 *path, EFI_FILE_HANDLE *file)
{
	EFI_FILE_HANDLE root;
	EFI_STATUS s;

	if (!l->loaded->DeviceHandle)
		return EFI_NOT_FOUND; /* loaded from memory: there is no partition */
	root = LibOpenRoot(l->loaded->DeviceHandle);
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
	EFI_FILE_INFO *info;
	EFI_STATUS s = file_open(l, path, &file);
	UINT64 length;

	if (EFI_ERROR(s))
		return s;
	info = LibFileInfo(file);
	length = info && !(info->Attribute & EFI_FILE_DIRECTORY) ? info->FileSize : UINT64_MAX;
	if (info)
		FreePool(info);
	*data = length <= max ? AllocatePool(length + 1) : NULL;
	if (!*data) {
		file->Close(file);
		return EFI_BAD_BUFFER_SIZE;
	}
	*size = length;
	s = file->Read(file, size, *data);
	file->Close(file);
	if (!EFI_ERROR(s) && *size != length)
		s = EFI_END_OF_FILE;
	if (EFI_ERROR(s)) {
		FreePool(*data);
		return s;
	}
	((char *)*data)[length] = '\0';
	return EFI_SUCCESS;
}

void file_beside(struct loader *l, const CHAR16 *name, CHAR16 *out, size_t max)
{
	CHAR16 *own = l->loaded->FilePath ? DevicePathToStr(l->loaded->FilePath) : NULL;
	size_t n = 0, dir = 0;

	for (; own && own[n] && n < max - 1; n++) {
		out[n] = own[n];
		if (out[n] == L'\\')
			dir = n + 1;
	}
	if (own)
		FreePool(own);
	if (dir == 0 || out[0] != L'\\') { /* a path that is not a plain file path tells us nothing: use the root */
		out[0] = L'\\';
		dir = 1;
	}
	for (n = 0; name[n] && dir + n < max - 1; n++)
		out[dir + n] = name[n];
	out[dir + n] = 0;
}

/* Beside the loader; else in \EFI\newleaf, so that a copy of the loader under the name that firmware boots by default
 * finds it too. */
enum nl_err conf_load(struct loader *l)
{
	CHAR16 path[256];
	void *text;
	UINTN size;
	EFI_STATUS s;

	l->conf = NL_CONF_DEFAULTS;
	file_beside(l, CONF_NAME, path, NL_ARRAY_SIZE(path));
	s = file_read(l, path, NL_CONF_MAX_SIZE, &text, &size);
	if (s == EFI_NOT_FOUND) {
		StrCpy(path, CONF_HOME);
		s = file_read(l, path, NL_CONF_MAX_SIZE, &text, &size);
	}
	if (s == EFI_NOT_FOUND)
		return refuse(NL_OK, L"no newleaf.conf: defaults");
	if (EFI_ERROR(s))
		return refuse(NL_ECONF, L"cannot read %s: %r", path, s);
	nl_conf_parse(&l->conf, text, size);
	FreePool(text);
	if (l->conf.unknown)
		say_warning(L"%s line %d: not understood, ignored", path, l->conf.unknown);
	return l->conf.wrong ? refuse(NL_ECONF, L"%s line %d: not understood", path, l->conf.wrong) : NL_OK;
}
