#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The source that `build` is given is the image's: units of stock kernels, drawn by lot from all that are linked into
# the image, or into its modules. No unit may be missing from the answer, and of their functions 99.5 % must be proven;
# what is not is shown. prove.sh [PACKAGE=UNITS | PACKAGE:modules=UNITS]...; SEED=S draws others. Needs each kernel, its
# headers, source and compiler (scripts/get-kernel); a unit takes two or three seconds.
set -uo pipefail
cd "$(dirname "$0")/../.."

[ $# -gt 0 ] || set -- linux-image-6.1.0-50-cloud-amd64=200 linux-image-6.12.95+deb12-cloud-amd64=50 \
	linux-image-6.12.107+deb13-cloud-amd64=50 linux-image-6.1.0-50-amd64:modules=60 \
	linux-image-6.12.107+deb13-cloud-amd64:modules=20
author=$(realpath "${B:-build}")/newleaf-author
seed=${SEED:-20261126}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED $name"
	fi
}
answer() { jq -e "$1" "$dir/out.json" >/dev/null; }

for line in "$@"; do
	package=${line%=*} units=${line##*=} modules=() from=image
	if [[ $package == *:modules ]]; then
		package=${package%:modules} from=modules
		modules=(-M "$(scripts/get-kernel "$package")") || exit 1
	fi
	kernel=$(scripts/get-kernel --vmlinuz "$package") && headers=$(scripts/get-kernel --headers "$package") &&
		source=$(scripts/get-kernel --source "$package") || exit 1
	"$author" prove --random "$units" --seed "$seed" -k "$kernel" -S "$source" -H "$headers" "${modules[@]}" \
		--json >"$dir/out.json"
	jq -r '.refused[] | "  not compared \(.unit): \(.why)"' "$dir/out.json"
	jq -r '.units[] | .unit as $u | .others[] | select(.verdict == "differs") |
		"  differs \($u): \(.function): \(.why)"' "$dir/out.json"
	jq -r '"\(.kernel), seed \(.lot.seed): \(.proven) of \(.functions - .dropped) functions of \(.units | length
		) units proven, of \(.lot.of) units in the '$from'"' "$dir/out.json"
	jq -r --slurpfile schema docs/reference/schemas/newleaf.prove-1.json -f tests/unit/schema.jq "$dir/out.json" \
		>"$dir/problems" 2>&1
	check "$package, $from: the answer's schema" test -s "$dir/out.json" -a ! -s "$dir/problems"
	check "$package, $from: every unit is in the answer" answer "(.units | length) + (.refused | length) == $units"
	check "$package, $from: units that do not compile" answer ".refused | length <= $units / 50"
	check "$package, $from: the kernel's own compiler" answer 'has("note") | not'
	check "$package, $from: 99.5 % of the functions" answer '.functions > 0 and
		.proven * 1000 >= (.functions - .dropped) * 995'
done

printf '[  PASSED  ] %s test(s).\n' "$passed"
[ "$failed" = 0 ] || { printf '[  FAILED  ] %s test(s).\n' "$failed"; exit 1; }
