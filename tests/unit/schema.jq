# SPDX-License-Identifier: Apache-2.0
# Does the input hold the schema $schema[0]? The part of JSON Schema 2020-12 that docs/reference/schemas uses, but for
# one thing: readers of an answer must bear new fields, its makers may not invent any, so an object without
# additionalProperties is closed here. Prints what does not fit, one line each:
#     jq -r --slurpfile schema SCHEMA.json -f schema.jq DOCUMENT
def kind: if type == "number" and floor == . then "integer" else type end;

# A keyword that is not looked at below would be a promise that nobody checks.
def unread($at):
	(keys - ["$schema", "title", "description", "const", "enum", "type", "pattern", "minimum", "maximum",
		"required", "properties", "additionalProperties", "items"])[] | "schema of \($at): \(.) is not checked";

def problems($s; $at):
	. as $v
	| ($s | unread($at)),
	  (if $s | has("const") then select($v != $s.const) | "\($at): is not \($s.const)" else empty end),
	  (if $s | has("enum") then select([$s.enum[] == $v] | any | not) | "\($at): \($v) is none of \($s.enum)"
	   else empty end),
	  (if $s | has("type") then
		([$s.type] | flatten) as $types
		| select([$types[] | . == ($v | kind) or . == ($v | type)] | any | not)
		| "\($at): \($v | kind) instead of \($types)"
	   else empty end),
	  (if ($s | has("pattern")) and ($v | type) == "string" then
		select($v | test($s.pattern) | not) | "\($at): \($v) does not match \($s.pattern)"
	   else empty end),
	  (if ($s | has("minimum")) and ($v | type) == "number" then
		select($v < $s.minimum) | "\($at): \($v) is too small"
	   else empty end),
	  (if ($s | has("maximum")) and ($v | type) == "number" then
		select($v > $s.maximum) | "\($at): \($v) is too large"
	   else empty end),
	  (if ($v | type) == "object" then
		(($s.required // [])[] | select(. as $k | $v | has($k) | not) | "\($at): \(.) is missing"),
		($v | to_entries[] | . as $e
		 | (($s.properties // {})[$e.key] // $s.additionalProperties // null) as $sub
		 | if $sub == null then "\($at): \($e.key) is unknown"
		   else $e.value | problems($sub; "\($at).\($e.key)") end)
	   else empty end),
	  (if ($v | type) == "array" and ($s | has("items")) then
		range($v | length) as $i | $v[$i] | problems($s.items; "\($at)[\($i)]")
	   else empty end);
problems($schema[0]; "$")
