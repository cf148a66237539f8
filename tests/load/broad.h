// SPDX-License-Identifier: Apache-2.0
/* The parts of `broad`: each is a table of steps. A step runs in a child of its own with a time limit, and so does what
 * a step hands to broad_child(). */
#ifndef BROAD_H
#define BROAD_H

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define BROAD_HOME "/tmp/broad"

struct broad_step {
	const char *name; /* NULL: the end of the table */
	void (*what)(long);
	long with;
	unsigned seconds;
};

extern const struct broad_step broad_files[], broad_memory[], broad_net[], broad_netlink[], broad_objects[],
        broad_system[];

/* Runs what(with) in a child, for so many seconds at most, and ends what it left behind. */
void broad_child(void (*what)(long), long with, unsigned seconds);

/* Some of everything (files, disk, sockets, processes, waiting), for a step that watches. */
void broad_some(void);

/* A stream of a family, and all that sockets of a family may be asked. */
void broad_stream(long family);
void broad_sockets(long family);

/* Mounts the second disk as ext4 at HOME/disk, in a mount namespace of the caller's own; 0 or -1. */
int broad_disk(const char *options);

/* Writes the text to a file that exists; what the file says of it does not matter. */
static inline void broad_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

/* Reads all of it, but no more than a megabyte. */
static inline void broad_read(const char *path)
{
	static char bytes[16384];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	for (int i = 0; fd >= 0 && i < 64 && read(fd, bytes, sizeof(bytes)) > 0; i++)
		;
	if (fd >= 0)
		close(fd);
}

#endif
