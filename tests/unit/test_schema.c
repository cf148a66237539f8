// SPDX-License-Identifier: Apache-2.0
/*
 * The checker of JSON answers, schema.jq: what fits says nothing, and each way not to fit is said. A checker that lets
 * something through would make every test that asks it worthless.
 */
#include "host.h"

static const char schema[] = "{\"type\": \"object\", \"required\": [\"n\"], \"properties\": {"
                             "\"n\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 9},"
                             "\"s\": {\"type\": [\"string\", \"null\"], \"pattern\": \"^[a-z]+$\"},"
                             "\"e\": {\"enum\": [\"on\", \"off\"]}, \"c\": {\"const\": 7},"
                             "\"o\": {\"type\": \"object\", \"properties\": {\"p\": {\"type\": \"boolean\"}}},"
                             "\"m\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"integer\"}},"
                             "\"a\": {\"type\": \"array\", \"items\": {\"properties\": {\"q\": {}}}}}}";

static void says(const char *by, const char *document, const char *expected)
{
	char command[2048], said[512] = "";
	FILE *p;

	snprintf(command, sizeof(command), "echo '%s' | jq -r --argjson schema '[%s]' -f tests/unit/schema.jq 2>&1",
	         document, by);
	p = popen(command, "r");
	assert_non_null(p);
	said[fread(said, 1, sizeof(said) - 1, p)] = 0;
	assert_int_equal(pclose(p), 0);
	assert_string_equal(said, expected);
}

static void what_fits(void **state)
{
	(void)state;
	says(schema, "{\"n\": 1}", "");
	says(schema,
	     "{\"n\": 9, \"s\": null, \"e\": \"off\", \"c\": 7, \"o\": {\"p\": false}, \"m\": {\"any\": 1}, \"a\": "
	     "[{\"q\": "
	     "0}]}",
	     "");
}

static void what_does_not(void **state)
{
	(void)state;
	says(schema, "[]", "$: array instead of [\"object\"]\n");
	says(schema, "{}", "$: n is missing\n");
	says(schema, "{\"n\": 1.5}", "$.n: number instead of [\"integer\"]\n");
	says(schema, "{\"n\": 0}", "$.n: 0 is too small\n");
	says(schema, "{\"n\": 10}", "$.n: 10 is too large\n");
	says(schema, "{\"n\": 1, \"s\": \"A\"}", "$.s: A does not match ^[a-z]+$\n");
	says(schema, "{\"n\": 1, \"e\": \"ON\"}", "$.e: ON is none of [\"on\",\"off\"]\n");
	says(schema, "{\"n\": 1, \"c\": 8}", "$.c: is not 7\n");
	says(schema, "{\"n\": 1, \"m\": {\"any\": \"x\"}}", "$.m.any: string instead of [\"integer\"]\n");
}

static void unknown_properties(void **state)
{
	(void)state;
	says(schema, "{\"n\": 1, \"N\": 1}", "$: N is unknown\n");
	says(schema, "{\"n\": 1, \"o\": {\"p\": true, \"x\": 1}}", "$.o: x is unknown\n");
	says(schema, "{\"n\": 1, \"a\": [{}, {\"q\": 1, \"r\": 2}]}", "$.a[1]: r is unknown\n");
	says("{\"additionalProperties\": false}", "{\"x\": 1}", "$: x is unknown\n");
}

static void a_schema_that_promises_more(void **state)
{
	(void)state;
	says("{\"maxLength\": 3}", "\"long\"", "schema of $: maxLength is not checked\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_fits),
	        cmocka_unit_test(what_does_not),
	        cmocka_unit_test(unknown_properties),
	        cmocka_unit_test(a_schema_that_promises_more),
	};

	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
