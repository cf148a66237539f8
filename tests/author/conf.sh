#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `newleaf-author conf`: a good file is understood; of a bad one each line is named, with what its key takes, for every
# key; and what an editor does to a text.
set -uo pipefail
cd "$(dirname "$0")/../.."

author=$(realpath "${B:-build}")/newleaf-author
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

fail() {
	failed=$((failed + 1))
	printf 'FAILED %s\n' "$1"
}
# conf TEXT: what is said of it, the file's name left out; its exit code is that of the command.
conf() {
	local code
	printf %b "$1" >"$dir/conf"
	"$author" conf "$dir/conf" >"$dir/out" 2>"$dir/said"
	code=$?
	sed "s#^$dir/conf:##" "$dir/out"
	return $code
}

good='# umlaut \0303\0244\r\nnext /EFI/a.efi\r\n\n  options  a \tb \t\non-error halt\nguest-may apply\nconsole com3\n'
good+='deadline-ms 250\nboot-tries 0\nnet-nic 00:05.0\nnet-ip dhcp\nnet-ip6 fe80::2/64\nlaunch no'
[ "$(conf "$good")" = " understood" ] || fail "a good file"
[ "$(conf '')" = " understood" ] || fail "an empty file"

bad='next a.efi\noptions\non-error no\nlaunch maybe\nguest-may all\nconsole com5\ndeadline-ms 0\nboot-tries 101\n'
bad+='net-nic eth1\nnet-ip\nnet-ip6\nnet-port 0\nnet-may all\n'
said=$(conf "$bad") && fail "malformed values are taken"
number=0
for key in next options on-error launch guest-may console deadline-ms boot-tries net-nic net-ip net-ip6 \
	net-port net-may; do
	number=$((number + 1))
	grep -q "^$number: $key takes " <<<"$said" || fail "$key: not explained"
done
grep -qF "13 lines of $dir/conf" "$dir/said" && grep -qF "[NL_ECONF," "$dir/said" || fail "no refusal by name"

said=$(conf 'launch yes\nmgmt-ip 10.0.0.1\nlaunch no\n') || fail "a warning is an error"
grep -qx "2: warning: mgmt-ip is no key: ignored" <<<"$said" || fail "an unknown key"
grep -qx "3: warning: launch stands in line 1 already: the last one counts" <<<"$said" || fail "a key given twice"

for address in net-ip:10.0.0.2/33 net-ip:10.0.0.2 net-ip:10.0.0.2/24,gate net-ip:fe80::1/64 net-ip6:10.0.0.2/24 \
	net-ip6:fe80::1/129 net-ip6:dhcp net-ip:10.0.0.2/24x; do
	conf "${address%%:*} ${address#*:}" | grep -q "^1: warning: ${address%%:*} takes " || fail "taken: $address"
done

try() { conf "$1" || true; }
try '\0357\0273\0277# text\n' | grep -q "^1: a byte order mark" || fail "a byte order mark"
try 'l\0a\0u\0n\0c\0h\0' | grep -q "^1: holds a zero byte" || fail "UTF-16"
try 'options gr\0303\0274n' | grep -qx "1: column 11 is not printable ASCII" || fail "no ASCII"
"$author" conf 2>/dev/null && fail "no file is taken"
[ "$failed" = 0 ] && echo "check-author-conf: passed"
exit $((failed > 0))
