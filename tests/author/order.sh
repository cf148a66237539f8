#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `newleaf order`: orders of both kinds made, signed by keys and by a token, shown; and what is refused, by name. Needs
# no kernel.
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

order() { "$author" order "$@"; }
# hex CHARACTER COUNT: so many digits
hex() { printf "%0$2d" 0 | tr 0 "$1"; }
# challenge FILE GENERATION: as a machine would give one (struct nl_challenge)
challenge() {
	{
		printf 'NLCHALL\0\1\0\0\0\140\0\0\0\0\0\0\0\0\0\0\0'
		printf 'machine.machine.boot....boot....challengechallengechallenge.....'
		printf '%b\0\0\0\0\0\0\0' "\\0$(printf %o "$2")"
	} >"$1"
}

for name in first second third; do "$author" key new "$name" --role operator -o "$dir" >"$dir/said"; done
"$author" key new writer -o "$dir" >"$dir/said"
"$author" key image "$dir/first.pub" "$dir/second.pub" "$dir/writer.pub" -o "$dir/keys.bin" >"$dir/said"
challenge "$dir/challenge" 5
challenge "$dir/later" 6
machine=$(printf machine.machine. | od -An -tx1 | tr -d ' \n')
leaf=$(hex a 64) other=$(hex b 64) o=$dir/o.nlo

expect "apply, now" 0 "order apply, now, 2 entries" order new apply "$leaf" "$other" --challenge "$dir/challenge" \
	--agentless --deadline-ms 250 --confirm-ms 60000 --sign "$dir/first.pem" -o "$o"
expect "stop, now" 0 "order stop, now, 0 entries, not signed" order new stop --challenge "$dir/challenge" -o "$dir/stop"
expect "on trial at each boot" 0 "order sync, standing, 1 entries" order new sync "$leaf" \
	--machine "$machine" --epoch 7 --confirm-ms 1000 -o "$dir/trial"
expect "on trial at each boot, shown" 0 "confirm    within 1000 ms" order show "$dir/trial"
expect "leaves name their kernels" 7 "leave --kernel out" order new sync "$leaf" --machine "$machine" \
	--epoch 9 --kernel "$(hex c 40)" -o "$dir/probation"
expect "nor now" 2 "NL_EUSAGE" order new apply "$leaf" --challenge "$dir/challenge" --kernel "$(hex c 40)" \
	-o "$dir/probation"
expect "and nothing is made" 1 "" [ -e "$dir/probation" ]
for text in "order      apply, now, without an agent" "machine    $machine" "generation 5" "deadline   250 ms" \
	"confirm    within 60000 ms" "leaf       $leaf" "leaf       $other"; do
	expect "shown: $text" 0 "$text" order show "$o"
done
expect "one of two operators" 4 "NL_EQUORUM" order show "$o" --keys "$dir/keys.bin" --operators 2
expect "signed by the second" 0 "signature 2" order sign "$o" --sign "$dir/second.pem"
expect "two of two" 0 "operators  2 of 2" order show "$o" --keys "$dir/keys.bin" --operators 2
expect "signed by the second again" 0 "signature 2" order sign "$o" --sign "$dir/second.pem"
expect "answers its challenge" 0 "" order show "$o" --challenge "$dir/challenge"
expect "of another generation" 7 "NL_EGENERATION" order show "$o" --challenge "$dir/later"
tr c d <"$dir/challenge" >"$dir/another"
expect "another machine" 6 "NL_EMACHINEID" order show "$o" --challenge "$dir/another"
sed 's/boot/toob/' <"$dir/challenge" >"$dir/another"
expect "another boot" 6 "NL_EBOOTID" order show "$o" --challenge "$dir/another"
sed 's/challenge\./challenges/' <"$dir/challenge" >"$dir/another"
expect "another challenge" 6 "NL_ECHALLENGE" order show "$o" --challenge "$dir/another"
expect "an author is no operator" 0 "signature 3" order sign "$o" --sign "$dir/writer.pem"
expect "three signatures, two operators" 4 "NL_EQUORUM" order show "$o" --keys "$dir/keys.bin" --operators 3
for at in 24 48 80 112 160 200 300 500; do
	other='\377'
	[ "$(od -An -tu1 -j "$at" -N 1 "$o")" -ne 255 ] || other='\0'
	{ head -c "$at" "$o" && printf "$other" && tail -c +"$((at + 2))" "$o"; } >"$dir/bad"
	expect "byte $at changed" 4 "NL_E" order show "$dir/bad" --keys "$dir/keys.bin"
done
# The signatures (a head of 16 bytes, then 96 each: key, bytes) are the last 304 of the file.
sized=$(($(stat -c %s "$o") - 3 * 96))
for bad in 1 2 3; do
	at=$((sized + (bad - 1) * 96 + 40))
	other='\377'
	[ "$(od -An -tu1 -j "$at" -N 1 "$o")" -ne 255 ] || other='\0'
	{ head -c "$at" "$o" && printf "$other" && tail -c +"$((at + 2))" "$o"; } >"$dir/bad"
	cp "$dir/bad" "$dir/as-it-was"
	expect "signed over signature $bad that is none" 4 "signature $bad of an order" \
		order sign "$dir/bad" --sign "$dir/third.pem"
	expect "the same, elsewhere" 4 "NL_ESIGNATURE" order sign "$dir/bad" --sign "$dir/third.pem" -o "$dir/no"
	expect "signature $bad that is none: as it was" 0 "" cmp "$dir/bad" "$dir/as-it-was"
done
expect "who signs anew replaces his own" 0 "signature 3" order sign "$dir/bad" --sign "$dir/writer.pem"
expect "and all of them verify" 0 "operators  2 of 2" order show "$dir/bad" --keys "$dir/keys.bin" --operators 2
head -c 200 "$o" >"$dir/bad"
expect "cut short" 4 "NL_EORDER" order show "$dir/bad"

expect "for a token" 0 "" order sign "$dir/stop" --digest-out "$dir/message"
openssl pkeyutl -sign -rawin -inkey "$dir/first.pem" -in "$dir/message" -out "$dir/sig"
expect "by a token" 0 "signature 1" order sign "$dir/stop" --attach "$dir/sig" --pub "$dir/first.pub"
expect "by a token, shown" 0 "operators  1 of 1" order show "$dir/stop" --keys "$dir/keys.bin"
expect "by another token" 4 "NL_ESIGNATURE" order sign "$dir/stop" --attach "$dir/sig" --pub "$dir/second.pub"

expect "standing" 0 "order sync, standing, 3 entries, not signed" order new sync "$leaf" --machine "$machine" \
	--epoch 9 --frozen --trust "$dir/second.pub" --distrust "$dir/first.pub" -o "$o"
# As a later version may make it: a build-id, and its length.
printf '\024' | dd of="$o" bs=1 seek=44 conv=notrunc status=none
printf '\314%.0s' {1..20} | dd of="$o" bs=1 seek=128 conv=notrunc status=none
for text in "order      sync, standing, then frozen" "epoch      9" "kernel     $(hex c 40)" "trust" "distrust" \
	"signed by  nobody"; do
	expect "standing, shown: $text" 0 "$text" order show "$o"
done
expect "not signed, asked for" 4 "NL_EUNSIGNED" order show "$o" --keys "$dir/keys.bin"
expect "nothing shall be on" 0 "0 entries" order new sync --machine "$machine" --epoch 1 -o "$dir/none"

now=(--challenge "$dir/challenge" -o "$dir/no")
always=(--machine "$machine" --epoch 1 -o "$dir/no")
expect "a standing apply" 4 "says sync, the whole set" order new apply "$leaf" "${always[@]}"
expect "frozen, now" 4 "for standing orders" order new sync "$leaf" --frozen "${now[@]}"
expect "keys, now" 4 "NL_EORDER" order new sync --trust "$dir/first.pub" "${now[@]}"
expect "a leaf twice" 4 "NL_EORDER" order new sync "$leaf" "$leaf" "${now[@]}"
expect "apply nothing" 4 "NL_EORDER" order new apply "${now[@]}"
expect "freeze with a leaf" 4 "NL_EORDER" order new freeze "$leaf" "${now[@]}"
expect "freeze with a deadline" 2 "has no deadline" order new freeze --deadline-ms 5 "${now[@]}"
expect "no verb of it" 2 "is wanted behind new" order new destroy "${now[@]}"
head -c 96 "$dir/keys.bin" >"$dir/bad"
expect "no challenge" 9 "NL_ERECORD" order new stop --challenge "$dir/bad" -o "$dir/no"
expect "no challenge, longer" 11 "NL_EENVIRONMENT" order new stop --challenge "$dir/keys.bin" -o "$dir/no"
expect "a machine's id that is none" 2 "32 digits" order new sync --machine 12 --epoch 1 -o "$dir/no"
for bad in "--epoch 0" "--epoch 4611686018427387905" "--epoch x"; do
	# shellcheck disable=SC2086 # words
	expect "standing, $bad" 2 "NL_EUSAGE" order new sync --machine "$machine" $bad -o "$dir/no"
done
for bad in "new sync --challenge $dir/challenge" "new sync -o $dir/no" "new sync --machine $machine -o $dir/no" \
	"new sync --challenge $dir/challenge --epoch 1 --machine $machine -o $dir/no" "sign $o" "show" \
	"sign $o --sign $dir/first.pem --frozen" "show $o --sign $dir/first.pem" "" \
	"new sync --any-generation --machine $machine --epoch 1 -o $dir/no"; do
	# shellcheck disable=SC2086 # words
	expect "usage: ${bad//$dir\//}" 2 "newleaf order --help" order $bad
done
[ ! -e "$dir/no" ] || { failed=$((failed + 1)); echo "FAILED: an order was written that was refused"; }

echo "order: $passed passed, $failed failed"
[ "$failed" = 0 ]
