// SPDX-License-Identifier: Apache-2.0
/* Included before hv/core/core.h's first reader: the version of a build that is not to be installed. */
#pragma once

#include "core/core.h"
#undef NL_VERSION
#define NL_VERSION "0.1.0-instrument"
