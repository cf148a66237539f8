// SPDX-License-Identifier: Apache-2.0
/*
 * What the page may do in a browser. Made by net/http/policy: run it after each change of net/http/page.html.
 */
#ifndef NET_HTTP_PAGE_H
#define NET_HTTP_PAGE_H

#define PAGE_POLICY \
	"default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; " \
	"frame-ancestors 'none'; script-src 'sha256-7TwiMhnlq5JQHEu4MJT73LO5cUzHqN0HfjpQ6qKPX7c='; " \
	"style-src 'sha256-xCEn6aNXpbNqKjHibypek3gimkglxWZWjlM+G+/KBsI='"

#endif
