// SPDX-License-Identifier: Apache-2.0
/*
 * `kexecute [--panic] KERNEL INITRD COMMAND-LINE` loads a kernel to be started instead of the running one, or when it
 * panics; `kexecute --go` starts it. The command kexec-tools is not in the test guest.
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned long flags = 0;
	int kernel, initrd;

	if (argc == 2 && !strcmp(argv[1], "--go")) {
		sync();
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
		return failed("reboot");
	}
	if (argc == 5 && !strcmp(argv[1], "--panic")) {
		flags = KEXEC_FILE_ON_CRASH;
		argv++;
		argc--;
	}
	if (argc != 4)
		return 2;
	if ((kernel = open(argv[1], O_RDONLY)) < 0)
		return failed(argv[1]);
	if ((initrd = open(argv[2], O_RDONLY)) < 0)
		return failed(argv[2]);
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[3]) + 1, argv[3], flags))
		return failed("kexec_file_load");
	return 0;
}
