# SPDX-License-Identifier: Apache-2.0
# Is the input what readers of Chrome's traces take: metadata, slices and instants, each with what its kind needs, and
# the slices of a track nested? Says what is not, one line each. Perfetto itself is asked by nobody here.
def problem($e): "\(.): \($e | tojson)";
def of_event:
	. as $e
	| (if (.ph | IN("M", "X", "i")) then empty else "no such phase" | problem($e) end),
	  (if [.pid, .tid] | all(type == "number" and . >= 1 and floor == .) then empty
	   else "no place" | problem($e) end),
	  (if (.name | type) == "string" and .name != "" then empty else "no name" | problem($e) end),
	  (if .ph == "M" then
		(if (.name | IN("process_name", "thread_name")) and (.args.name | type) == "string" then empty
		 else "no name" | problem($e) end)
	   else
		(if (.ts | type) == "number" and .ts >= 0 and (.args | type) == "object" then empty
		 else "no time" | problem($e) end),
		(if .ph != "X" or ((.dur | type) == "number" and .dur >= 0) then empty
		 else "no length" | problem($e) end),
		(if .ph != "i" or .s == "t" then empty else "no scope" | problem($e) end)
	   end);
# In nanoseconds: whole numbers.
def span: {name, a: (.ts * 1000 | round), b: ((.ts + .dur) * 1000 | round)};
def nested:
	sort_by(.a, -.b)
	| reduce .[] as $s ({stack: [], bad: []};
		until((.stack | length) == 0 or .stack[-1].b > $s.a; .stack |= .[:-1])
		| if (.stack | length) > 0 and .stack[-1].b < $s.b then .bad += [[.stack[-1], $s]] else . end
		| .stack += [$s])
	| .bad[] | "slices cross: \(tojson)";
(if (.traceEvents | type) == "array" then empty else "no events" end),
(.traceEvents[] | of_event),
(.traceEvents | map(select(.ph == "X")) | group_by(.tid)[] | map(span) | nested),
((.traceEvents | map(select(.name == "thread_name").tid)) as $named
 | .traceEvents[] | select(.tid as $t | $named | index($t) | not) | problem("a track without a name"))
