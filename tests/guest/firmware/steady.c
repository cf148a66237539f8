// SPDX-License-Identifier: Apache-2.0
/*
 * Starts Linux at a moment that does not depend on the host: an EFI program that newleaf.conf names as next, where the
 * emulator counts instructions instead of time (bench.py icount). Firmware waits for a disk in a loop, and how often it
 * goes round depends on the host's disk and load. So the kernel and its initrd are read first, from \vmlinuz and
 * \initrd.img of the same partition, and then firmware's timer is waited for, whose ticks stand where they stand, until
 * the TSC says that START is reached. Behind that nothing is read any more. Says on the console when it began to wait:
 * that a run had reached START before is a fault, and it says so.
 */
#include <efi.h>
#include <efilib.h>

#define START 64000000000ull /* of the TSC; of an emulator that counts instructions, ns since it began */

struct file {
	void *data;
	UINTN size;
};

struct load_file {
	EFI_STATUS(EFIAPI *load)(struct load_file *, EFI_DEVICE_PATH *, BOOLEAN, UINTN *, void *);
};

static struct file initrd;

static UINT64 tsc(void)
{
	UINT32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (UINT64)hi << 32 | lo;
}

static EFI_STATUS read_file(EFI_FILE_HANDLE root, CHAR16 *path, struct file *to)
{
	EFI_FILE_HANDLE file;
	EFI_FILE_INFO *info;
	EFI_STATUS s = root->Open(root, &file, path, EFI_FILE_MODE_READ, 0);

	if (EFI_ERROR(s))
		return s;
	info = LibFileInfo(file);
	if (!info)
		return EFI_OUT_OF_RESOURCES;
	to->size = info->FileSize;
	to->data = AllocatePool(to->size);
	return to->data ? file->Read(file, &to->size, to->data) : EFI_OUT_OF_RESOURCES;
}

/* Linux asks for its initrd by this before it looks at its command line. */
static EFI_STATUS EFIAPI give_initrd(struct load_file *self, EFI_DEVICE_PATH *path, BOOLEAN boot, UINTN *size, void *to)
{
	UINTN room = *size;

	(void)self;
	(void)path;
	if (boot)
		return EFI_UNSUPPORTED;
	*size = initrd.size;
	if (!to || room < initrd.size)
		return EFI_BUFFER_TOO_SMALL;
	CopyMem(to, initrd.data, initrd.size);
	return EFI_SUCCESS;
}

static EFI_STATUS offer_initrd(void)
{
	static EFI_GUID media = {0x5568e427, 0x68fc, 0x4f3d, {0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68}};
	static EFI_GUID load_file2 = {0x4006c0c1, 0xfcb3, 0x403e, {0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d}};
	static EFI_GUID device_path = DEVICE_PATH_PROTOCOL;
	static struct load_file protocol = {give_initrd};
	static struct {
		VENDOR_DEVICE_PATH vendor;
		EFI_DEVICE_PATH end;
	} path = {{{MEDIA_DEVICE_PATH, MEDIA_VENDOR_DP, {sizeof(VENDOR_DEVICE_PATH), 0}}, {0}},
	          {END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, {sizeof(EFI_DEVICE_PATH), 0}}};
	EFI_HANDLE handle = NULL;

	path.vendor.Guid = media;
	return LibInstallProtocolInterfaces(&handle, &device_path, &path, &load_file2, &protocol, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table);
EFI_STATUS efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	EFI_LOADED_IMAGE *own, *next;
	EFI_FILE_HANDLE root;
	EFI_HANDLE image = NULL;
	struct file kernel;
	EFI_STATUS s;

	InitializeLib(self, table);
	s = BS->HandleProtocol(self, &LoadedImageProtocol, (void **)&own);
	root = EFI_ERROR(s) ? NULL : LibOpenRoot(own->DeviceHandle);
	if (!root)
		return EFI_NOT_FOUND;
	s = read_file(root, L"\\vmlinuz", &kernel);
	if (!EFI_ERROR(s))
		s = read_file(root, L"\\initrd.img", &initrd);
	if (!EFI_ERROR(s))
		s = offer_initrd();
	if (!EFI_ERROR(s))
		s = BS->LoadImage(FALSE, self, FileDevicePath(own->DeviceHandle, L"\\vmlinuz"), kernel.data,
		                  kernel.size, &image);
	if (!EFI_ERROR(s))
		s = BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&next);
	if (EFI_ERROR(s))
		return s;
	next->LoadOptions = own->LoadOptions;
	next->LoadOptionsSize = own->LoadOptionsSize;
	next->DeviceHandle = NULL; /* nothing is read from there */
	Print(L"steady: %s at %ld\n", tsc() < START ? L"ready" : L"TOO LATE", tsc());
	/* Not a busy loop: where a tick ends is firmware's, where a turn of a loop ends is not. */
	do
		__asm__ volatile("hlt");
	while (tsc() < START);
	return BS->StartImage(image, NULL, NULL);
}
