// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of trusted keys, from a section of the image or from a file. Pure C, tested on the host.
 */
#pragma once

#include <newleaf/bootblock.h>
#include <newleaf/errors.h>

#define NL_KEYS_MAX_SIZE 4096u /* bytes of a file */

/*
 * Adds the keys of one list to those of the boot block. NL_ERECORD: the list or a key is damaged, or there are too
 * many; NL_ENEWER; NL_EROLE: a key has no role, or one that is not known. A list that is only half understood is no
 * list of whom to trust.
 */
enum nl_err nl_keys_add(struct nl_boot_block *b, const void *list, size_t size);
