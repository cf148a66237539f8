// SPDX-License-Identifier: Apache-2.0
/* Read-only data of the image that a patch changes where it lies. */
#ifndef NEWLEAF_AUTHOR_PATCH_DATA_H
#define NEWLEAF_AUTHOR_PATCH_DATA_H

#include "patch_select.h"

/* A site for each word that differs; `object` = which of the body's objects the unit is. Returns how many. */
size_t patch_data_add(struct draft *d, const struct patch_unit *p, const struct patch_datum *datum,
                      const struct body *b, size_t object);

#endif
