// SPDX-License-Identifier: Apache-2.0
/*
 * The page of GET /, as net/http/page.html has it. What is loaded by it is in it, and known to a browser by its hash in
 * page.h: net/http/policy makes that, and a check says when it is out of date.
 */
#include "http.h"

__asm__(".pushsection .rodata.http_page, \"a\"\n"
        ".globl http_page, http_page_end\n"
        "http_page: .incbin \"net/http/page.html\"\n"
        "http_page_end:\n"
        ".popsection\n");
