#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `newleaf-author policy`: what it writes without a word is what the build has; words and numbers come back; what is not
# known is refused.
set -uo pipefail
cd "$(dirname "$0")/../.."

build=$(realpath "${B:-build}")
author=$build/newleaf-author
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

fail() {
	failed=$((failed + 1))
	printf 'FAILED %s\n' "$1"
}
policy() { "$author" policy "$@" 2>"$dir/said"; }

objcopy -O binary -j .nlpol "$build/efi/sections.S.o" "$dir/built"
policy new -o "$dir/plain" || fail "a policy as built"
cmp -s -n "$(stat -c %s "$dir/plain")" "$dir/plain" "$dir/built" || fail "it differs from efi/sections.S"
policy new --guest-may none --operators 2 --order-may now,keys --conf-may options --signatures 3 --without-list go-on \
	--deadline-ms 250 --net-may metrics,read -o "$dir/other" || fail "words and numbers"
shown=$(policy show "$dir/other" | tr -s ' ')
for line in "guest-may none" "operators 2" "order-may now,keys" "conf-may options" "signatures 3" "without-list go-on" \
	"deadline-ms 250" "proofs port,token" "confirm-ms 600000" "net-may metrics,read"; do
	grep -qxF -- "$line" <<<"$shown" || fail "shown: $line"
done
{ head -c 16 "$dir/other" && printf '\40\0\0\0\1\0\0\0' && tail -c 48 "$dir/other" | head -c 32; } >"$dir/old"
policy show "$dir/old" | tr -s ' ' | grep -qxF "operators 0" || fail "of an older image"
for wrong in "--guest-may all" "--operators 9" "--operators x" "--signatures 0" "--deadline-ms 10001" \
	"--without-list maybe" "--order-may now" "--unknown 1"; do
	# shellcheck disable=SC2086 # an option and its value
	policy new $wrong -o "$dir/wrong" && fail "taken: $wrong"
done
policy show "$dir/said" && fail "no policy is shown"
[ "$failed" = 0 ] && echo "check-author-policy: passed"
exit $((failed > 0))
