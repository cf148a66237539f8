// SPDX-License-Identifier: Apache-2.0
/*
 * What the signed image lets others say: the policy that the core gets, what newleaf.conf may ask for under Secure
 * Boot, and which image is too old to run. Pure C, tested on the host. Reading sections and variables: trust.c,
 * security.c.
 */
#ifndef EFI_POLICY_H
#define EFI_POLICY_H

#include <newleaf/bootblock.h>
#include <newleaf/errors.h>

#include "conf.h"

typedef void nl_policy_warn(const char *what);

/*
 * image: the section .nlpol, NULL when there is none; without a valid one nobody has allowed anything. newleaf.conf can
 * only restrict it. Under Secure Boot what the conf file may not say is taken out of conf: that file is not signed, and
 * a command line decides as much about a kernel as its signature does.
 */
void nl_policy_make(const void *image, size_t size, bool secure_boot, struct nl_conf *conf, struct nl_policy *out,
                    nl_policy_warn *warn);

/* The floor of security versions as it was found in its variable. */
struct nl_security_floor {
	bool there;
	uint32_t attributes;
	size_t size;
	uint32_t version;
};
#define NL_SECURITY_ATTRIBUTES 3u /* non-volatile, boot services only: no operating system can write it */

/* A variable of that name that somebody else wrote: it counts as absent. */
bool nl_security_forged(const struct nl_security_floor *f);
/* NL_EOLDIMAGE: below the floor. *raise: the floor is to become `version`, which needs Secure Boot: without it whoever
 * writes the partition could set any floor. */
enum nl_err nl_security_check(const struct nl_security_floor *f, uint32_t version, bool secure_boot, bool *raise);

#endif
