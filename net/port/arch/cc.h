// SPDX-License-Identifier: Apache-2.0
/* lwIP's compiler and platform: freestanding, no printing, random numbers of net/port/hash.c; a failed assertion ends
 * this run of the stack, which the core starts anew. */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <limits.h>
#include <stdint.h>

#ifndef SSIZE_MAX /* a freestanding clang's limits have none, and lwIP would then have an ssize_t of its own */
#define SSIZE_MAX LONG_MAX
#endif

#define BYTE_ORDER LITTLE_ENDIAN
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_INTTYPES_H 1
#define X8_F "x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(text) net_assert(__LINE__)
#define LWIP_RAND() net_random()
#define LWIP_ERR_T int8_t

_Noreturn void net_assert(unsigned line);
uint32_t net_random(void);

#endif
