#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/mkesp OUT: a new, an empty or its own directory is filled; any other is refused by name and stays as it is.
set -uo pipefail
cd "$(dirname "$0")/../.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
echo kernel >"$dir/kernel"

# expect NAME CODE TEXT OUT: mkesp ends with CODE and says TEXT
expect() {
	local said got=0
	said=$(scripts/mkesp --no-loader --kernel "$dir/kernel" "${@:4}" 2>&1) || got=$?
	check "$1: exit $got, wanted $2 and \"$3\"; it said: $said" test "$got" = "$2" -a -z "${said##*"$3"*}"
}
check() { # NAME COMMAND...
	if "${@:2}"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED $1"; fi
}

expect "a new directory" 0 "" "$dir/new"
check "its kernel" cmp -s "$dir/kernel" "$dir/new/vmlinuz"
touch "$dir/new/old"
expect "its own directory" 0 "" "$dir/new"
check "what was in it is gone" test ! -e "$dir/new/old" -a -s "$dir/new/vmlinuz"
mkdir "$dir/empty"
expect "an empty directory" 0 "" "$dir/empty"

mkdir -p "$dir/home/.ssh"
echo dear >"$dir/home/.ssh/id"
expect "somebody's directory" 1 "was not made by mkesp" "$dir/home"
check "it stays" grep -qx dear "$dir/home/.ssh/id"
check "nothing is added" test "$(ls -A "$dir/home")" = .ssh
ln -s home "$dir/link"
expect "a link to it" 1 "was not made by mkesp" "$dir/link"
check "it stays behind the link" grep -qx dear "$dir/home/.ssh/id"
expect "a file" 1 "is no directory" "$dir/kernel"
check "the file stays" grep -qx kernel "$dir/kernel"
mkfifo "$dir/pipe"
expect "an image that is no file" 1 "is no regular file" --image "$dir/pipe"
check "it stays a pipe" test -p "$dir/pipe"

printf '[  PASSED  ] %d test(s).\n' "$passed"
[ "$failed" = 0 ] || printf '[  FAILED  ] %d test(s)\n' "$failed"
[ "$failed" = 0 ]
