#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `newleaf verify-status`: a signed status, put together here as newleaf/witness.h has it, is believed; and what is not,
# by name and exit code. Needs neither a machine nor a kernel; with those: the state-status test.
set -uo pipefail
cd "$(dirname "$0")/../.."

author=$(realpath "${B:-build}")/newleaf-author
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# expect NAME CODE TEXT COMMAND...: the command ends with CODE and says TEXT
expect() {
	local name=$1 code=$2 text=$3 got=0 said
	shift 3
	said=$("$@" 2>&1) || got=$?
	if [ "$got" = "$code" ] && grep -qF -- "$text" <<<"$said"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s: exit %s, wanted %s and "%s"; it said:\n%s\n' "$name" "$got" "$code" "$text" "$said"
	fi
}

# n BYTES VALUE: a number, little endian; fill BYTES CHARACTER
n() {
	local i v=$2
	for ((i = 0; i < $1; i++, v >>= 8)); do printf '%b' "\\0$(printf %o $((v & 255)))"; done
}
fill() { printf "%0$1d" 0 | tr 0 "$2"; }
zero() { head -c "$1" /dev/zero; }
hex() { od -An -tx1 -v | tr -d ' \n'; }
public() { openssl pkey -in "$dir/$1.pem" -pubout -outform DER | tail -c 32; }
# signature KEY DOMAIN FILE: 64 bytes
signature() {
	{
		printf %s "$2"
		zero $((32 - ${#2}))
		openssl dgst -sha256 -binary "$3"
	} >"$dir/message"
	openssl pkeyutl -sign -rawin -inkey "$dir/$1.pem" -in "$dir/message"
}

# facts SECURE-BOOT: struct nl_boot_facts, boot 7
facts() {
	n 8 1000000000 && n 8 0 && zero 16 && n 8 0
	fill 16 b && fill 16 m # boot and machine
	n 4 3 && n 4 10000 && n 4 0 && n 4 1 && n 4 3 && n 4 1 && n 8 0 && n 4 $operators && zero 12
	n 4 "$1" && n 4 0 && n 4 1 && n 4 0 && n 4 7 && n 4 1
}

# kept FILE BYTE: a kept journal (tools/newleaf/logfile.h) of one entry, number 12; its bytes are in $dir/newest
kept() {
	local sum=$((0xcbf29ce484222325 ^ 176)) byte
	{
		n 8 12 && n 8 0 && fill 16 b && zero 32
		n 4 7 && n 4 0 && n 8 5 && zero 80 && n 8 "$2" && n 8 0
	} >"$dir/newest"
	for byte in $(od -An -tu1 -v "$dir/newest"); do sum=$(((sum ^ byte) * 0x100000001b3)); done
	{ printf 'NLJRNL' && zero 2 && n 4 1 && n 4 24 && n 4 184 && n 4 0 && cat "$dir/newest" && n 8 "$sum"; } >"$1"
}

# status FILE MACHINE BOOT-KEY-OF-WITNESS SIGNER SECURE-BOOT: one leaf, applied, weakened. What it says of orders and of
# the leaf's trial, which ends at that TSC, is in these:
operators=0 orders=0 epoch=0 floor=0 error=1 carried=1 condition=2 note=12 trial=0
status() {
	{
		printf 'NLWITNES' && n 4 4 && n 4 328 && n 8 0
		public "$2" && public "$3" && fill 32 c && facts 0
	} >"$dir/witness"
	{
		printf 'NLSTATUS' && n 4 4 && n 4 800 && n 4 264 && n 4 1
		fill 32 N && openssl dgst -sha256 -binary "$dir/newest"
		cat "$dir/witness" && signature "$2" "newleaf boot" "$dir/witness"
		n 4 4 && n 4 384 && printf '0.1.0' && zero 11 && printf 'SVM' && zero 5 && printf 'NPT' && zero 5
		n 4 2 && n 4 2 && n 8 5 && n 8 61000000000 && facts "$5" && zero 32
		n 4 1 && n 4 0 && n 8 12 && zero 32
		fill 20 k && zero 12 && n 4 20 && n 4 1 && n 8 0x3400000
		zero 20 && n 4 $orders && n 8 $epoch && n 8 $floor && n 4 $error && n 4 $carried
		fill 32 d && zero 16
		printf 'a-leaf' && zero 42 && fill 32 L && zero 59
		n 1 $condition && n 4 9 && zero 36 && n 4 $note && zero 16 && n 8 $trial && zero 8
	} >"$1"
	signature "$4" "newleaf status" "$1" >"$dir/signature"
	cat "$dir/signature" >>"$1"
}

for name in machine boot other; do openssl genpkey -algorithm ed25519 -out "$dir/$name.pem"; done
s=$dir/status key=$(public machine | hex) nonce=$(fill 32 N | hex)
public machine | hex >"$dir/key" && echo >>"$dir/key"
kept "$dir/other" 1
kept "$dir/kept" 2
newest=$(openssl dgst -sha256 -binary "$dir/newest" | hex)
status "$s" machine boot boot 0
[ "$(stat -c %s "$s")" = 1128 ] || { echo "FAILED: this test does not know the layout"; exit 1; }
verify() { "$author" verify-status "$@"; }
as() { verify "$s" --machine "$key" --nonce "$nonce" "$@"; }

for text in "machine    $(fill 16 m | hex)" "boot       $(fill 16 b | hex), number 7, 61 s old" \
	"Newleaf    0.1.0, code $(fill 32 c | hex), security version 1, emulated" "from the image; Secure Boot off" \
	"journal    12, $newest" "generation 5" "build-id $(fill 20 k | hex), moved by 0x3400000" \
	"leaf       a-leaf version 9, applied, NL_EPROBED, $(fill 32 L | hex)"; do
	expect "believed: $text" 0 "$text" as
done
expect "a key in a file" 0 "generation 5" verify "$s" --machine "$dir/key" --nonce "$nonce"
expect "a kept journal" 0 "entries 12 to 12, of 1 boots, are this machine's; 0 came later" as --journal "$dir/kept"
expect "another journal" 4 "NL_EJOURNAL" as --journal "$dir/other"
expect "no journal" 4 "NL_EJOURNAL" as --journal "$s"
expect "of this boot" 0 "generation 5" as --after 7
expect "of an earlier boot" 6 "NL_EBOOTID" as --after 8
expect "another nonce" 6 "NL_ECHALLENGE" verify "$s" --machine "$key" --nonce "${nonce//e/f}"
expect "another machine" 6 "NL_EMACHINEID" verify "$s" --machine "$(public other | hex)" --nonce "$nonce"
as --json --journal "$dir/kept" >"$dir/json"
expect "a kept journal, as JSON" 0 "" jq -e '.kept == {first: 12, last: 12, boots: 1, behind: 0}' "$dir/json"
expect "JSON of that as its schema has it" 0 "" sh -c "[ -z \"\$(jq -r --slurpfile schema \
	docs/reference/schemas/newleaf.verify-status-1.json -f tests/unit/schema.jq $dir/json 2>&1)\" ]"
as --json >"$dir/json"
expect "as JSON" 0 "" jq -e '.boot == 7 and .generation == 5 and .uptime_ns == 61000000000 and
	.kept == null and .leaves[0].note == "NL_EPROBED"' "$dir/json"
expect "JSON as its schema has it" 0 "" sh -c "[ -z \"\$(jq -r --slurpfile schema \
	docs/reference/schemas/newleaf.verify-status-1.json -f tests/unit/schema.jq $dir/json 2>&1)\" ]"
verify "$s" --machine "$key" --nonce "${nonce//e/f}" --json >"$dir/json"
expect "refused, as JSON" 0 "" jq -e '.schema == "newleaf.error/1" and .code == "NL_ECHALLENGE"' "$dir/json"

# What it says of orders and of probation, in words and as JSON.
says() { # says JSON TEXT...: of the status that the variables make
	local json=$1 text
	shift
	status "$s.orders" machine boot boot 0
	for text; do expect "says: $text" 0 "$text" verify "$s.orders" --machine "$key" --nonce "$nonce"; done
	verify "$s.orders" --machine "$key" --nonce "$nonce" --json >"$dir/json"
	expect "says: $json" 0 "" jq -e "$json" "$dir/json"
	expect "JSON of that as its schema has it" 0 "" sh -c "[ -z \"\$(jq -r --slurpfile schema \
		docs/reference/schemas/newleaf.verify-status-1.json -f tests/unit/schema.jq $dir/json 2>&1)\" ]"
}
says '.orders == {operators: 0, frozen: false, waiting: false,
	standing: {epoch: 0, floor: 0, error: null, carried: null}} and .leaves[0].trial == null'
operators=2 orders=3 epoch=6 floor=5 error=77 carried=2 note=0 trial=151000000000
says '.orders == {operators: 2, frozen: true, waiting: true,
	standing: {epoch: 6, floor: 5, error: "NL_EFROZEN", carried: "NL_AGAIN"}} and
	.leaves[0].trial == "running" and .leaves[0].trial_left_ns == 90000000000 and .leaves[0].note == null' \
	"orders     need 2 operators; frozen; one was accepted, and its commit waits" \
	"standing   order of epoch 6 in force, floor 5; not carried out yet" \
	"standing   a newer order is not taken: NL_EFROZEN, floor 5" \
	"on trial, taken back in 90 s unless somebody confirms it"
orders=0 error=0 carried=9 trial=61000000000
says '.orders.standing.carried == "NL_EBUILDID" and .orders.standing.error == null and
	.leaves[0].trial == "over" and .leaves[0].note == "NL_ETRIAL" and .leaves[0].trial_left_ns == 0' \
	"orders     need 2 operators" "floor 5; not carried out: NL_EBUILDID" \
	"leaf       a-leaf version 9, applied, NL_ETRIAL, " "its trial is over, nobody confirmed it, and it is still on"
epoch=0 error=76 carried=1 condition=3
says '.orders.standing.error == "NL_EEPOCH" and .leaves[0].trial == "taken-back" and .leaves[0].note == null' \
	"standing   none in force: NL_EEPOCH, floor 5" "taken back, because nobody confirmed it"
epoch=6 error=0 carried=0
says '.orders.standing.carried == "NL_OK"' "order of epoch 6 in force, floor 5; carried out"
error=99
status "$dir/bad" machine boot boot 0
expect "an error that nobody knows" 4 "NL_ESTATUS" verify "$dir/bad" --machine "$key" --nonce "$nonce"
operators=0 orders=0 epoch=0 floor=0 error=1 carried=1 condition=2 note=12 trial=0

status "$dir/bad" machine boot other 0
expect "signed by another key than the boot's" 4 "NL_ESIGNATURE" verify "$dir/bad" --machine "$key" --nonce "$nonce"
status "$dir/bad" other boot boot 0
expect "a whole chain of another machine" 6 "NL_EMACHINEID" verify "$dir/bad" --machine "$key" --nonce "$nonce"
status "$dir/bad" machine boot boot 1
expect "what the witness does not say" 4 "NL_ESIGNATURE" verify "$dir/bad" --machine "$key" --nonce "$nonce"
for at in 24 56 112 144 176 208 250 340 440 500 740 800 1000; do
	other='\377'
	[ "$(od -An -tu1 -j "$at" -N 1 "$s")" -ne 255 ] || other='\0'
	{ head -c "$at" "$s" && printf "$other" && tail -c +"$((at + 2))" "$s"; } >"$dir/bad"
	expect "byte $at changed" "$([ "$at" = 112 ] && echo 6 || echo 4)" "NL_E" \
		verify "$dir/bad" --machine "$key" --nonce "$nonce"
done
head -c 1047 "$s" >"$dir/bad"
expect "cut short" 4 "NL_ESTATUS" verify "$dir/bad" --machine "$key" --nonce "$nonce"
{ cat "$s" && zero 1; } >"$dir/bad"
expect "with a tail" 4 "NL_ESTATUS" verify "$dir/bad" --machine "$key" --nonce "$nonce"
{ head -c 8 "$s" && n 4 5 && tail -c +13 "$s"; } >"$dir/bad"
expect "of a newer Newleaf" 9 "NL_ENEWER" verify "$dir/bad" --machine "$key" --nonce "$nonce"
expect "larger than any" 11 "NL_EENVIRONMENT" verify "$author" --machine "$key" --nonce "$nonce"
echo text >"$dir/bad"
expect "no key" 2 "NL_EUSAGE" verify "$s" --machine "$dir/bad" --nonce "$nonce"
for bad in "$s" "$s --machine $key" "$s --nonce $nonce" "--machine $key --nonce $nonce" \
	"$s $s --machine $key --nonce $nonce" "$s --machine $key --nonce 12" \
	"$s --machine $key --nonce $nonce --after 0" "$s --machine $key --nonce $nonce --after x" \
	"$s --machine $key --nonce $nonce --frob"; do
	# shellcheck disable=SC2086 # words
	expect "usage: ${bad//$dir\//}" 2 "newleaf verify-status --help" verify $bad
done

echo "verify-status: $passed passed, $failed failed"
[ "$failed" = 0 ]
