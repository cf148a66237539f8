// SPDX-License-Identifier: Apache-2.0
/* The journal in a file: see logfile.h. */
#include "logfile.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct nl_record head = {LOGFILE_MAGIC, 1, sizeof(struct nl_record), sizeof(struct logfile_record), 0};

uint64_t logfile_size(uint64_t records) { return sizeof(head) + records * sizeof(struct logfile_record); }

bool logfile_entry(const void *bytes, uint64_t i, struct nl_journal_entry *e)
{
	struct logfile_record r;

	memcpy(&r, (const uint8_t *)bytes + logfile_size(i), sizeof(r));
	*e = r.entry;
	return r.checksum == nl_checksum(&r.entry, sizeof(r.entry));
}

/* The power went with the first one: a beginning of the head, or nothing but a length. */
static bool is_first_write(const uint8_t *bytes, uint64_t size)
{
	uint64_t zeroes = 0;

	while (zeroes < size && size <= logfile_size(1) && !bytes[zeroes])
		zeroes++;
	return zeroes == size || (size < sizeof(head) && !memcmp(bytes, &head, size));
}

enum nl_err logfile_read(const void *bytes, uint64_t size, struct logfile *f)
{
	const struct nl_record *r = bytes;
	struct nl_journal_entry e;
	enum nl_err err;

	*f = (struct logfile){0, 0};
	if (is_first_write(bytes, size)) {
		f->torn = size;
		return NL_OK;
	}
	err = nl_record_check(LOGFILE_KIND, bytes, size);
	if (err)
		return err;
	if (r->head_size != head.head_size || r->record_size != head.record_size)
		return NL_ENEWER;
	f->records = (size - sizeof(head)) / sizeof(struct logfile_record);
	/* Its length may come to the disk before its bytes do. */
	if (size == logfile_size(f->records) && f->records && !logfile_entry(bytes, f->records - 1, &e))
		f->records--;
	f->torn = size - logfile_size(f->records);
	return NL_OK;
}

static bool write_all(int fd, uint64_t at, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, (const uint8_t *)bytes + done, size - done, (off_t)(at + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return errno = n ? errno : ENOSPC, false;
	}
	return fdatasync(fd) == 0;
}

bool logfile_append(int fd, uint64_t records, const struct nl_journal_entry *e)
{
	struct {
		struct nl_record head;
		struct logfile_record r;
	} first = {head, {*e, nl_checksum(e, sizeof(*e))}};
	uint64_t end = records ? logfile_size(records) : 0;
	int kept;

	if (write_all(fd, end, end ? (void *)&first.r : (void *)&first, end ? sizeof(first.r) : sizeof(first)))
		return true;
	kept = errno;
	if (ftruncate(fd, (off_t)end) == 0) /* else whoever reads next cuts it */
		fdatasync(fd);
	errno = kept;
	return false;
}
