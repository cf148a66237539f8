// SPDX-License-Identifier: Apache-2.0
/*
 * What the page may do in a browser. Made by net/http/policy: run it after each change of net/http/page.html.
 */
#ifndef NET_HTTP_PAGE_H
#define NET_HTTP_PAGE_H

#define PAGE_POLICY \
	"default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; " \
	"frame-ancestors 'none'; script-src 'sha256-hGwS7m+A/rVW+c6m23pDapdMXU8Va7yE5jBDBLqcX4E='; " \
	"style-src 'sha256-nkzS7yUxo59YZPzGJww/6fEJAYPT3lVWyowh6TvA0lw='"

#endif
