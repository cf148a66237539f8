// SPDX-License-Identifier: Apache-2.0
/*
 * What the signed image lets others say: the policy that the core gets, what newleaf.conf may ask for under Secure
 * Boot, and which image is too old to run. Pure C, tested on the host. Reading sections: trust.c.
 */
#pragma once

#include <newleaf/bootblock.h>

#include "conf.h"

typedef void nl_policy_warn(const char *what);

/*
 * image: the section .nlpol with its room; without a valid record in it nobody has allowed anything. newleaf.conf can
 * only restrict it. Under Secure Boot what the conf file may not say is taken out of conf: that file is not signed, and
 * a command line decides as much about a kernel as its signature does.
 */
void nl_policy_make(const void *image, size_t size, bool secure_boot, struct nl_conf *conf, struct nl_policy *out,
                    nl_policy_warn *warn);
