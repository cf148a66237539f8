// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of trusted keys, from a section of the image or from a file. Pure C, tested on the host.
 */
#ifndef EFI_KEYLIST_H
#define EFI_KEYLIST_H

#include <newleaf/bootblock.h>
#include <newleaf/errors.h>

/*
 * Adds the keys of one list to those of the boot block. NL_EKEYLIST: a key is damaged, the list stops inside one, or
 * there are too many; NL_EROLE: a key has another role than author. A list that is only half understood is no list of
 * whom to trust. A role of 0 or the end of the bytes ends a list.
 */
enum nl_err nl_keys_add(struct nl_boot_block *b, const void *list, size_t size);

#endif
