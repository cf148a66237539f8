// SPDX-License-Identifier: GPL-2.0-only
/*
 * Body for io_pin_pages() of io_uring/rsrc.c: pins a user buffer for the ring's lifetime. Follows the fixed behaviour
 * of Linux, of which it is a derived work.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>

struct page **io_pin_pages(unsigned long buffer, unsigned long length, int *count);

/* All of one kind: anonymous, or one file that lives in memory. */
static int check_areas(struct vm_area_struct **areas, unsigned long n)
{
	struct file *file = areas[0]->vm_file;
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (areas[i]->vm_file != file)
			return -EINVAL;
		if (file && !vma_is_shmem(areas[i]) && !is_file_hugepages(file))
			return -EOPNOTSUPP;
	}
	return 0;
}

static long pin(unsigned long buffer, unsigned long n, struct page **pages, struct vm_area_struct **areas, int *count)
{
	long pinned, err;

	mmap_read_lock(current->mm);
	pinned = pin_user_pages(buffer, n, FOLL_WRITE | FOLL_LONGTERM, pages, areas);
	if (pinned == n) {
		err = check_areas(areas, n);
		*count = n;
	} else {
		err = pinned < 0 ? pinned : -EFAULT;
	}
	mmap_read_unlock(current->mm);
	if (err && pinned > 0)
		unpin_user_pages(pages, pinned);
	return err;
}

struct page **io_pin_pages(unsigned long buffer, unsigned long length, int *count)
{
	struct vm_area_struct **areas;
	unsigned long end, n;
	struct page **pages;
	long err = -ENOMEM;

	if (check_add_overflow(buffer, length, &end) || check_add_overflow(end, PAGE_SIZE - 1, &end))
		return ERR_PTR(-EOVERFLOW);
	n = (end >> PAGE_SHIFT) - (buffer >> PAGE_SHIFT);
	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	areas = pages ? kvmalloc_array(n, sizeof(*areas), GFP_KERNEL) : NULL;
	if (areas)
		err = pin(buffer, n, pages, areas, count);
	kvfree(areas);
	if (!err)
		return pages;
	kvfree(pages);
	return ERR_PTR(err);
}
