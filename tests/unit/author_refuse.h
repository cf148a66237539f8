// SPDX-License-Identifier: Apache-2.0
/*
 * The refusal of the authoring companion, made catchable: AUTHOR_REFUSES(code, expression) runs the expression and says
 * whether it refused so.
 */
#ifndef AUTHOR_REFUSE_H
#define AUTHOR_REFUSE_H

#include "../../tools/author/author.h"

#include <setjmp.h>

extern jmp_buf author_refused;
extern enum nl_err author_code;
extern char author_why[2048];

#define AUTHOR_REFUSES(code, expression) \
	(author_code = NL_OK, setjmp(author_refused) ? author_code == (code) : ((void)(expression), false))

#endif
