#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The authoring companion against a stock Debian kernel: both demo leaves built twice, signed, verified and checked; a
# flipped bit, a strange key, another kernel; and every refusal of `build` by its name. Needs the kernel and its headers
# (scripts/get-kernel).
set -uo pipefail
cd "$(dirname "$0")/../.."

author=$(realpath "${B:-build}")/newleaf-author
kernel=$(scripts/get-kernel --vmlinuz linux-image-6.1.0-50-cloud-amd64) || exit 1
headers=$(scripts/get-kernel --headers linux-image-6.1.0-50-cloud-amd64) || exit 1
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

build() { "$author" build "$@" -k "$kernel" -H "$headers"; }

# recipe STATEMENTS: writes $dir/r.recipe
recipe() { printf 'id r\nversion 1\n%s\n' "$1" >"$dir/r.recipe"; }
# body TEXT: writes $dir/b.c
body() {
	printf '#include <linux/%s.h>\n' kernel sched uaccess >"$dir/b.c"
	printf '%s\n' "$1" >>"$dir/b.c"
}

refused() { # NAME CODE TEXT STATEMENTS [BODY]
	recipe "$4"
	[ $# -lt 5 ] || body "$5"
	rm -f "$dir/r.leaf"
	expect "$1" "$2" "$3" build "$dir/r.recipe" -o "$dir/r.leaf"
	[ ! -e "$dir/r.leaf" ] || { failed=$((failed + 1)); echo "FAILED $1: a leaf was written"; }
}

# Keys
expect "key new" 0 "$dir/one.pem" "$author" key new one -o "$dir"
expect "key new again" 2 "a key is never overwritten" "$author" key new one -o "$dir"
expect "key of a role that is not known" 2 "NL_EROLE" "$author" key new two --role author,owner -o "$dir"
expect "second key" 0 "two" "$author" key new two --role author -o "$dir"
expect "key mode" 0 600 stat -c %a "$dir/one.pem"
expect "key image" 0 "" "$author" key image "$dir/one.pub" "$dir/two.pub" -o "$dir/keys.bin"
expect "key list" 0 "author" "$author" key list "$dir/keys.bin"
expect "key of two roles" 0 "three" "$author" key new three --role revoke,operator -o "$dir"
"$author" key image "$dir/one.pub" "$dir/three.pub" -o "$dir/keys3.bin"
expect "key list, roles" 0 "operator,revoke" "$author" key list "$dir/three.pub"
changed() { # OFFSET BYTE: two.pub with a byte of its head (record.h) changed
	{ head -c "$1" "$dir/two.pub" && printf '%b' "$2" && tail -c +"$(($1 + 2))" "$dir/two.pub"; } >"$dir/bad.pub"
}
changed 24 '\011'
expect "key image, a role that is not known" 2 "NL_EROLE" "$author" key image "$dir/bad.pub" -o "$dir/bad.bin"
changed 8 '\003'
expect "key list, newer" 9 "NL_ENEWER" "$author" key list "$dir/bad.pub"
changed 61 '\033'
expect "key image, a name that no loader takes" 9 "NL_ERECORD" "$author" key image "$dir/bad.pub" -o "$dir/bad.bin"
changed 20 '\002'
expect "key list, cut short" 9 "NL_ERECORD" "$author" key list "$dir/bad.pub"
expect "key list, malformed" 9 "NL_ERECORD" "$author" key list "$dir/one.pem"
"$author" key image "$dir/two.pub" -o "$dir/two.bin"

: >"$dir/core" # an image that was built without a key
gcc -c -DNL_CORE_FILE="\"$dir/core\"" -o "$dir/sections.o" efi/sections.S
objcopy -O binary -j .nlkeys "$dir/sections.o" "$dir/none.bin"
expect "key list, none" 0 "" "$author" key list "$dir/none.bin"

# Lists of what is revoked
list=$dir/list.nll
id=$("$author" key list "$dir/one.pub" | cut -d' ' -f1)
expect "list" 0 "list 7, 3 entries" "$author" revoke new --sequence 7 --key "$dir/one.pub" --floor alpha=3 \
	--pardon "$id" --sign "$dir/three.pem" -o "$list"
expect "list shown" 0 "floor   alpha=3" "$author" revoke show "$list"
expect "list names a key by its SHA-256" 0 "key     $id" "$author" revoke show "$list"
expect "list by a revoker" 0 ", trusted" "$author" revoke show "$list" --keys "$dir/three.pub"
expect "list by nobody known" 4 "NL_EKEY" "$author" revoke show "$list" --keys "$dir/two.pub"
expect "list, signed again" 0 "" "$author" revoke sign "$list" --sign "$dir/one.pem"
expect "an author signs no list" 0 "not trusted with lists" "$author" revoke show "$list" --keys "$dir/keys3.bin"
for at in 8 24 40 100 250; do
	other='\377' # or what is not there already
	[ "$(od -An -tu1 -j "$at" -N 1 "$list")" -ne 255 ] || other='\0'
	{ head -c "$at" "$list" && printf "$other" && tail -c +"$((at + 2))" "$list"; } >"$list.bad"
	code=4
	[ "$at" != 8 ] || code=9
	expect "list, byte $at changed" $code "NL_E" "$author" revoke show "$list.bad" --keys "$dir/three.pub"
done
# signature-broken FILE COPY: of the two signatures at the end (96 bytes each), the first is none
signature_broken() {
	local at=$(($(stat -c %s "$1") - 2 * 96 + 40)) other='\377'
	[ "$(od -An -tu1 -j "$at" -N 1 "$1")" -ne 255 ] || other='\0'
	{ head -c "$at" "$1" && printf "$other" && tail -c +"$((at + 2))" "$1"; } >"$2"
}
signature_broken "$list" "$list.bad"
expect "list, signed over a signature that is none" 4 "signature 1 of a list" \
	"$author" revoke sign "$list.bad" --sign "$dir/two.pem"
expect "list for a token" 0 "" "$author" revoke sign "$list" --digest-out "$dir/list.message"
openssl pkeyutl -sign -rawin -inkey "$dir/three.pem" -in "$dir/list.message" -out "$dir/list.sig"
"$author" revoke new --sequence 7 --key "$dir/one.pub" --floor alpha=3 --pardon "$id" -o "$list.token" 2>/dev/null
expect "list by a token" 0 "" "$author" revoke sign "$list.token" --attach "$dir/list.sig" --pub "$dir/three.pub"
expect "list by a token, shown" 0 ", trusted" "$author" revoke show "$list.token" --keys "$dir/three.pub"
expect "list by another token" 4 "NL_ESIGNATURE" "$author" revoke sign "$list.token" --attach "$dir/list.sig" \
	--pub "$dir/two.pub"
expect "list, not signed" 0 "not signed" "$author" revoke new --sequence 1 -o "$list.plain"
expect "list, not signed, asked for" 4 "NL_EUNSIGNED" "$author" revoke show "$list.plain" --keys "$dir/three.pub"
for bad in "--sequence 0" "--sequence -1" "--sequence x" "--sequence 1 --floor alpha" "--sequence 1 --floor A=1" \
	"--sequence 1 --floor a=0" "--sequence 1 --floor .a=1" "--floor a=1"; do
	# shellcheck disable=SC2086 # words
	expect "list, $bad" 2 "newleaf revoke --help" "$author" revoke new $bad -o "$list.no"
done
expect "list of what is no leaf" 4 "NL_ELEAF" "$author" revoke new --sequence 1 --leaf "$dir/one.pem" -o "$list.no"

# The two demo leaves
for id in proc-net-chmod prctl-auxv; do
	leaf=$dir/$id.leaf
	expect "$id: build" 0 "built $id" build "leaves/$id/$id.recipe" -o "$leaf"
	expect "$id: build again" 0 "built $id" build "leaves/$id/$id.recipe" -o "$leaf.2"
	expect "$id: reproducible" 0 "" cmp "$leaf" "$leaf.2"
	cp -r "leaves/$id" "$dir/elsewhere-$id"
	expect "$id: build elsewhere" 0 "built $id" env TMPDIR="$dir" \
		"$author" build "$dir/elsewhere-$id/$id.recipe" -k "$kernel" -H "$headers" -o "$leaf.2"
	expect "$id: reproducible elsewhere" 0 "" cmp "$leaf" "$leaf.2"
	expect "$id: unsigned" 4 "NL_EUNSIGNED" "$author" verify "$leaf" --keys "$dir/keys.bin"
	expect "$id: inspect unsigned" 0 "unsigned" "$author" inspect "$leaf"
	expect "$id: sign" 0 "signed $id" "$author" sign "$leaf" --key "$dir/one.pem"
	expect "$id: verify" 0 'good signature' "$author" verify "$leaf" --keys "$dir/keys.bin"
	expect "$id: verify by PEM" 0 'good signature' "$author" verify "$leaf" --pub "$dir/one.pem"
	expect "$id: other key" 4 "NL_EKEY" "$author" verify "$leaf" --keys "$dir/two.bin"
	expect "$id: check" 0 "match ok" "$author" check "$leaf" -k "$kernel"
	expect "$id: inspect" 0 '"schema":"newleaf.inspect/1"' "$author" inspect --json "$leaf"
	size=$(stat -c %s "$leaf")
	for at in 9 100 $((size - 150)) $((size - 5)); do
		cp "$leaf" "$leaf.bad"
		printf '\xa5' | dd of="$leaf.bad" bs=1 seek="$at" conv=notrunc status=none
		expect "$id: byte $at changed" 4 "not verified" "$author" verify "$leaf.bad" --keys "$dir/keys.bin"
	done
	head -c $((size - 1)) "$leaf" >"$leaf.bad"
	expect "$id: truncated" 4 "NL_ELEAF" "$author" inspect "$leaf.bad"
done
expect "inspect says where" 0 "prctl_set_auxv+0x5, 7 bytes" "$author" inspect "$dir/prctl-auxv.leaf"
expect "inspect says what" 0 "0 functions, 1 data" "$author" inspect "$dir/proc-net-chmod.leaf"

# Answers for programs hold their published schemas
for what in "symbols -k $kernel --hash jhash" "symbols -k $kernel *_tree_lock" \
	"inspect $dir/prctl-auxv.leaf" \
	"check $dir/proc-net-chmod.leaf -k $kernel" "inspect $dir/keys.bin"; do
	read -r verb rest <<<"$what"
	# shellcheck disable=SC2086
	"$author" "$verb" --json $rest >"$dir/out.json" 2>/dev/null
	schema=$(jq -r .schema "$dir/out.json")
	jq -r --slurpfile schema "docs/reference/schemas/${schema/\//-}.json" -f tests/unit/schema.jq "$dir/out.json" \
		>"$dir/problems" 2>&1
	expect "schema of $verb: $schema" 0 "" test -n "$schema" -a ! -s "$dir/problems"
done

openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/old.pem" 2>/dev/null
# What the author says of a leaf
recipe $'cve CVE-2024-1086 CVE-2026-12345\nauthor A. N. Other\nsource https://example.org/#fix\nrequires base 2
supersedes old 4
conflicts enemy
data (struct inode_operations) proc_net_inode_operations.setattr = &proc_setattr'
expect "facts: build" 0 "built r" build "$dir/r.recipe" -o "$dir/facts.leaf"
expect "facts: inspect" 0 "requires base version 2 or later" "$author" inspect "$dir/facts.leaf"
expect "facts: inspect, succession" 0 "supersedes old version 4 or earlier" "$author" inspect "$dir/facts.leaf"
expect "facts: inspect --json" 0 '{"kind":"cve","text":"CVE-2026-12345","version":0}' \
	"$author" inspect --json "$dir/facts.leaf"

# Hardware token: what is to be signed out, signature of OpenSSL's own command back in
expect "digest out" 0 "" "$author" sign "$dir/prctl-auxv.leaf" --digest-out "$dir/digest"
openssl pkeyutl -sign -rawin -inkey "$dir/two.pem" -in "$dir/digest" -out "$dir/sig"
expect "attach" 0 "signed" \
	"$author" sign "$dir/prctl-auxv.leaf" --attach "$dir/sig" --pub "$dir/two.pub" -o "$dir/token.leaf"
expect "attached verifies" 0 'good signature' "$author" verify "$dir/token.leaf" --keys "$dir/two.bin"
expect "both have signed" 0 'signature by key' \
	"$author" verify "$dir/token.leaf" --keys "$dir/keys.bin" --signatures 2
expect "too few have signed" 4 "NL_EQUORUM" "$author" verify "$dir/token.leaf" --keys "$dir/keys.bin" --signatures 3
expect "who is not trusted does not count" 4 "NL_EQUORUM" \
	"$author" verify "$dir/token.leaf" --keys "$dir/two.bin" --signatures 2
cp "$dir/token.leaf" "$dir/again.leaf"
expect "the same key again" 0 ", signature 2" "$author" sign "$dir/again.leaf" --key "$dir/two.pem"
expect "replaces its signature" 0 "" cmp "$dir/token.leaf" "$dir/again.leaf"
signature_broken "$dir/token.leaf" "$dir/again.leaf"
expect "signed over a signature that is none" 4 "signature 1 of a leaf" \
	"$author" sign "$dir/again.leaf" --key "$dir/two.pem"
expect "P-256 is no key" 11 "holds no Ed25519 key" "$author" sign "$dir/again.leaf" --key "$dir/old.pem"
expect "attach for the wrong key" 4 "NL_ESIGNATURE" \
	"$author" sign "$dir/prctl-auxv.leaf" --attach "$dir/sig" --pub "$dir/one.pub" -o "$dir/x.leaf"

# Another kernel, damaged kernels
if other=$(scripts/get-kernel --vmlinuz linux-image-6.1.0-56-cloud-amd64 2>/dev/null); then
	expect "check other kernel" 5 "NL_EBUILDID" "$author" check "$dir/prctl-auxv.leaf" -k "$other"
	recipe 'replace ioprio_check_cap with b.c allow old'
	body ''
	expect "headers of another kernel" 11 "no headers of" \
		"$author" build "$dir/r.recipe" -k "$other" -H "$headers" -o "$dir/x.leaf"
	expect "fixed in another way" 5 "NL_ETARGET" \
		"$author" build leaves/proc-net-chmod/proc-net-chmod.recipe -k "$other" -o "$dir/x.leaf"
fi
head -c 1000000 "$kernel" >"$dir/vmlinuz"
expect "truncated kernel" 5 "is truncated" "$author" check "$dir/prctl-auxv.leaf" -k "$dir/vmlinuz"
cp "$kernel" "$dir/vmlinuz"
printf 'damage damage damage damage' | dd of="$dir/vmlinuz" bs=1 seek=4000000 conv=notrunc status=none
expect "damaged kernel" 5 "NL_E" "$author" check "$dir/prctl-auxv.leaf" -k "$dir/vmlinuz"
expect "what to do" 5 "give the /boot/vmlinuz of the kernel's own package" \
	"$author" check "$dir/prctl-auxv.leaf" -k "$dir/vmlinuz"
expect "no kernel" 5 "is no x86 bzImage" "$author" check "$dir/prctl-auxv.leaf" -k "$dir/prctl-auxv.leaf"

# Refusals of names and places
refused "unknown function" 2 "has no symbol no_such_function" 'replace no_such_function with b.c' \
	'int no_such_function(void); int no_such_function(void) { return 0; }'
refused "ambiguous function" 5 "say which with add_grec,1" 'replace add_grec with b.c'
refused "clone" 4 "is a clone" 'replace syscall_trace_enter.constprop.0 with b.c'
refused "a slip in the name" 2 "there is: ioprio_check_cap" 'replace ioprio_chek_cap with b.c'
refused "a function of other kernels" 5 "has no symbol no_such_function" \
	'replace no_such_function with b.c old 0123456789abcdef'
refused "a clone and its callers" 4 "called by: check_cand_cache.constprop.0" 'replace jhash,1 with b.c'
recipe 'replace jhash,1 with b.c allow clones allow old allow types'
body 'int jhash(void); int jhash(void) { return 0; }'
expect "a clone, allowed" 0 "allowed: clones of jhash: callers of jhash.constprop.0 stay" \
	build "$dir/r.recipe" -o "$dir/r.leaf"
refused "only a clone" 5 "only the clone syscall_trace_enter.constprop.0" 'replace syscall_trace_enter with b.c'
refused "entry code" 4 "entry code" 'replace entry_SYSCALL_64 with b.c'
refused "noinstr" 4 "noinstr code" 'replace do_syscall_64 with b.c'
refused "init text" 4 "an init section" 'replace start_kernel with b.c'
refused "no function" 4 "outside the kernel's text" 'replace init_task with b.c'
refused "per-CPU" 4 "is no function" 'replace current_task with b.c'
refused "static call in the site" 4 "a static call" 'replace mmput with b.c'
refused "branch into the site" 4 "into the bytes that the jump takes" 'replace hrtimer_active with b.c'
refused "too short" 4 "NL_ESITE" 'replace abort with b.c'
refused "writable data" 4 "is not in read-only data" 'data (struct ctl_table) ipv4_net_table.maxlen = 8'
refused "ro_after_init" 4 "__ro_after_init" 'data (u64) x86_return_thunk = 0'
refused "unknown member" 5 "has no member 'setatr'" \
	'data (struct inode_operations) proc_net_inode_operations.setatr = 0'
refused "unknown type" 5 "has no type 'struct nothing'" 'data (struct nothing) proc_net_inode_operations.a = 0'
refused "other value" 5 "holds 0, not 0x7" \
	'data (struct inode_operations) proc_net_inode_operations.setattr = &proc_setattr expect 7'
refused "same value" 3 "nothing to patch" 'data (struct inode_operations) proc_net_inode_operations.setattr = NULL'
refused "value too large" 2 "does not fit" 'data (u8) linux_banner = 256'
refused "overlap" 7 "NL_EOVERLAP" $'data (u16) linux_banner = 1\ndata (u8) linux_banner+1 = 2'
refused "recipe" 2 "r.recipe:3: unknown statement" 'sing'

# What a recipe names reaches make, the shell and the terminal: none of them obeys it
ran=$dir/ran
export ran # a file name cannot hold its slashes
odd='$(shell touch $$ran)'
body 'int ioprio_check_cap(int p); int ioprio_check_cap(int p) { return 0; }'
mkdir "$dir/$odd"
cp "$dir/b.c" "$dir/$odd.c"
cp "$dir/b.c" "$dir/$odd/b.c"
refused "name of a source" 2 "the name of a source has only" "replace ioprio_check_cap with \"$odd.c\""
printf 'id r\nversion 1\nreplace ioprio_check_cap with b.c allow old\n' >"$dir/$odd/r.recipe"
expect "name of a directory" 2 "use another directory" build "$dir/$odd/r.recipe" -o "$dir/r.leaf"
mkdir -p "$dir/headers $odd/include/generated"
printf '#define UTS_RELEASE "6.1.0-50-cloud-amd64"\n' >"$dir/headers $odd/include/generated/utsrelease.h"
printf 'all b.o:\n\ttouch b.o\n' >"$dir/headers $odd/Makefile"
recipe 'replace ioprio_check_cap with b.c allow old'
expect "name of the headers" 2 "use another directory" \
	"$author" build "$dir/r.recipe" -k "$kernel" -H "$dir/headers $odd" -o "$dir/r.leaf"
mkdir -p "$dir/stub/include/generated"
cp "$dir/headers $odd/include/generated/utsrelease.h" "$dir/stub/include/generated/"
printf 'include /no-such-makefile\n' >"$dir/stub/Makefile"
printf 'KBUILD_OUTPUT=/nowhere\ninclude /no-such-makefile\n' >"$dir/stub/Makefile"
expect "a stub of 7.x that includes nothing" 11 "is missing" \
	"$author" build "$dir/r.recipe" -k "$kernel" -H "$dir/stub" -o "$dir/r.leaf"
printf 'include /no-such-makefile\n' >"$dir/stub/Makefile"
expect "a stub that includes nothing" 11 "is missing" \
	"$author" build "$dir/r.recipe" -k "$kernel" -H "$dir/stub" -o "$dir/r.leaf"
expect "nothing of it ran" 1 "" test -e "$ran"

# A kernel file that calls itself a path: make would run in there
at=$(grep -abo -m1 '6\.1\.0-50-cloud-amd64 (' "$kernel" | head -1 | cut -d: -f1)
cp "$kernel" "$dir/vmlinuz"
printf '../../%s/x ' "${dir#/}" | head -c 20 | dd of="$dir/vmlinuz" bs=1 seek="$at" conv=notrunc status=none
expect "release that is a path" 5 "do not trust this file" "$author" build "$dir/r.recipe" -k "$dir/vmlinuz"
printf 'r\033[2J\302\233' | dd of="$dir/vmlinuz" bs=1 seek="$at" conv=notrunc status=none
expect "release that a terminal obeys" 5 "'r\\x1b[2J\\xc2\\x9b" "$author" build "$dir/r.recipe" -k "$dir/vmlinuz"

# Names of files and what key files say is shown, not obeyed; a leaf holds plain text only
refused "words of a leaf" 2 "r.recipe:3: a description is plain text" \
	$'description "gr\303\274n"\ndata (u8) linux_banner = 1'
expect "name of a file in JSON" 11 $'cannot read \\u001b[2Jgr\303\274n\\u009b\\u202e\\ufffd:' \
	"$author" inspect --json $'\e[2Jgr\303\274n\302\233\342\200\256\377'
cp "$dir/one.pub" "$dir/bad.pub"
at=$(grep -abo one "$dir/bad.pub" | head -1 | cut -d: -f1)
printf '\033[2J' | dd of="$dir/bad.pub" bs=1 seek="$at" conv=notrunc status=none
expect "name of a key" 9 "a name without an end, or not in ASCII" "$author" key list "$dir/bad.pub"
expect "name of a file" 11 '\x1b[31m.recipe' build "$dir/"$'\e[31m.recipe'
refused "escape on the terminal" 2 "switch, strict or mixable expected before '\\x1b[31m'" $'consistency \e[31m'

# Refusals of bodies
old() { "$author" symbols -k "$kernel" --hash "$1" | sed 's/.*  old \([0-9a-f]*\) .*/\1/'; }
target="replace ioprio_check_cap with b.c old $(old ioprio_check_cap)"
of() { printf 'int ioprio_check_cap(int p); %s int ioprio_check_cap(int p) { %s return 0; }' "${2:-}" "$1"; }
refused "does not compile" 4 "NL_ECOMPILE" "$target" "$(of 'syntax error;')"
refused "escape in what does not compile" 4 '/* \x1b[31m */' "$target" "$(of $'syntax error; /* \e[31m */')"
refused "defines another function" 2 "defines no function" "$target" 'int other(void); int other(void) { return 1; }'
refused "BUG in assembler" 4 "__bug_table" "$target" \
	"$(of 'asm(".pushsection __bug_table,\"aw\"; .long 0; .popsection");')"
refused "inline user access" 4 "made by" "$target" \
	"$(of 'if (user_access_begin((void __user *)8UL, 8)) user_access_end();')"
refused "alternative" 4 ".altinstructions" "$target" "$(of 'alternative("nop", "mfence", X86_FEATURE_XMM2);')"
refused "per-CPU variable" 4 ".data..percpu" "$target" "$(of 'this_cpu_inc(mine);' 'static DEFINE_PER_CPU(int, mine);')"
refused "export" 4 "__ksymtab" "$target" "$(of '' 'EXPORT_SYMBOL_GPL(ioprio_check_cap);')"
refused "init" 4 ".init" "$target" "$(of 'f();' 'static noinline void __init f(void) { jiffies++; }')"
refused "all unknown symbols at once" 5 "prctl_set_auxw (b.o); there is: prctl_set_auxv" "$target" \
	"$(of 'return no_such_symbol + prctl_set_auxw;' 'extern int no_such_symbol, prctl_set_auxw;')"
refused "unknown symbol" 5 "no_such_symbol" "$target" "$(of 'return no_such_symbol;' 'extern int no_such_symbol;')"
refused "ambiguous symbol" 5 "say which with jhash,1" "$target" "$(of 'return jhash();' 'extern int jhash(void);')"
refused "page-aligned data" 4 "to be aligned" "$target" \
	"$(of 'return page[p];' 'static char page[4096] __aligned(4096) = { 1 };')"

# The old function: only what the recipe was written against, unless it says otherwise, which the leaf keeps
body "$(of '')"
refused "no hash" 5 "hashes to $(old ioprio_check_cap), and the recipe does not say" 'replace ioprio_check_cap with b.c'
refused "another hash" 5 "written against others; read it, then add a line below: old $(old ioprio_check_cap)" \
	'replace ioprio_check_cap with b.c old 0123456789abcdef fedcba9876543210'
recipe $'replace ioprio_check_cap with b.c\nold 0123456789abcdef # another\nold '"$(old ioprio_check_cap)"
expect "one of several hashes" 0 "built r" build "$dir/r.recipe" -o "$dir/r.leaf"
recipe 'replace ioprio_check_cap with b.c allow old'
expect "no hash, allowed" 0 "allowed: old code of ioprio_check_cap" build "$dir/r.recipe" -o "$dir/r.leaf"
if new=$(scripts/get-kernel --headers linux-image-6.1.0-56-cloud-amd64 2>/dev/null) && [ -n "${other:-}" ]; then
	expect "already fixed, a function" 3 "has already what the sources compile to" \
		"$author" build leaves/ioprio-hint/ioprio-hint.recipe -k "$other" -H "$new" -o "$dir/r.leaf"
fi

# Types that are not the kernel's: prototype, extern, private structure; each named with both sides
refused "another prototype" 4 "ioprio_check_cap: argument 1: long int here, int in 6.1.0-50" "$target" \
	'int ioprio_check_cap(long p); int ioprio_check_cap(long p) { return p > 0; }'
refused "nothing returned" 4 "ioprio_check_cap: what it returns: void here, int in 6.1.0-50" "$target" \
	'void ioprio_check_cap(int p); void ioprio_check_cap(int p) { }'
refused "a wrong extern" 4 "keyctl_describe_key: 2 arguments here, 3 in 6.1.0-50" "$target" \
	"$(of 'return keyctl_describe_key(p, NULL);' 'extern long keyctl_describe_key(int id, char __user *b);')"
refused "a wrong extern, per-CPU" 4 "runqueues: int here, struct rq in 6.1.0-50" "$target" \
	"$(of 'return runqueues;' 'extern int runqueues;')"
refused "a private structure" 4 "struct io_context.refcount: long int here, struct {...} in" "$target" \
	"$(of 'return ((struct io_context *)(long)p)->active_ref;' \
		'struct io_context { long refcount; int active_ref; };')"
refused "a function of another kind in a member" 4 "generic_permission is no function for" \
	'data (struct inode_operations) proc_net_inode_operations.setattr = &generic_permission'
refused "a body of another kind in a member" 4 "allow is no function for" \
	$'data (struct inode_operations) proc_net_inode_operations.setattr = &allow\nbody b.c' \
	'int allow(int i); int allow(int i) { return i; }'
recipe "$target allow types"
body "$(of 'return ((struct io_context *)(long)p)->active_ref;' \
	'struct io_context { long refcount; int active_ref; };')"
expect "allowed types are named" 0 "allowed: types of b.c: struct io_context" build "$dir/r.recipe" -o "$dir/r.leaf"

# What a body may use
good() { # NAME STATEMENTS BODY
	recipe "$2"
	body "$3"
	expect "$1" 0 "built r" build "$dir/r.recipe" -o "$dir/r.leaf"
	expect "$1: check" 0 "match ok" "$author" check "$dir/r.leaf" -k "$kernel"
}
b='static int count = 3, zero[64]; static const char *const names[] = { "a", "b" };'
f='count++; pr_info("%s %d\n", names[p & 1], count); if (put_user(count, (int __user *)(long)p)) return -EFAULT;'
good "statics, strings, per-CPU, printk, user access" "$target" \
	"$(of "$f return zero[p & 63] + current->pid + smp_processor_id();" "$b")"

b='extern struct static_key_false sched_numa_balancing;'
f='if (static_branch_unlikely(&sched_numa_balancing) || static_cpu_has(X86_FEATURE_PCID)) pr_warn_once("once\n");'
good "static key, CPU feature, access_ok, once" "$target" "$(of "$f return access_ok((void __user *)(long)p, 8);" "$b")"

f='unsigned long f; local_irq_save(f); p += irqs_disabled(); local_irq_restore(f); preempt_disable(); preempt_enable();'
good "WARN, BUG, interrupt flags" "$target" "$(of "$f WARN_ON(p == 77); WARN_ONCE(p, \"%d\", p); BUG_ON(p == 78);")"

b='data (struct inode_operations) proc_fdinfo_inode_operations.permission = &allow expect NULL
data (struct inode_operations) proc_net_inode_operations.setattr = &proc_setattr
body b.c'
f='int allow(struct user_namespace *ns, struct inode *i, int mask)'
good "data and code together" "$b" "#include <linux/fs.h>
$f; $f { return generic_permission(ns, i, mask); }"

f='long keyctl_describe_key(int id, char __user *b, size_t n)'
good "several functions" "$target"$'\nreplace keyctl_describe_key with b.c allow old' \
	"$(of '') $f; $f { return ioprio_check_cap(id); }"
f='int mptcp_nl_cmd_sf_create(struct sk_buff *skb, struct genl_info *info)'
good "e9 inside another instruction is no branch" 'replace mptcp_nl_cmd_sf_create with b.c allow old' \
	"#include <net/genetlink.h>
$f; $f { return 0; }"
good "the second place of a name" 'replace add_grec,2 with b.c allow types allow old' \
	'int add_grec(void); int add_grec(void) { return 0; }'
refused "no third place of a name" 5 "only 2 places named add_grec" 'replace add_grec,3 with b.c'

# What a kernel has
expect "symbols" 0 "prctl_set_auxv  traced  can be replaced" "$author" symbols -k "$kernel" 'prctl_set_*'
expect "symbols, the place of several" 0 "add_grec,2  " "$author" symbols -k "$kernel" add_grec
expect "symbols, why not" 0 "holds a static call" "$author" symbols -k "$kernel" mmput
expect "symbols, data" 0 ".data..percpu" "$author" symbols -k "$kernel" current_task
expect "symbols, none" 3 "has no symbol like no_such*" "$author" symbols -k "$kernel" 'no_such*'

# Bodies that need no compiler
kill() { "$author" kill "$@" -k "$kernel" -o "$dir/r.leaf"; }
expect "kill" 0 "built kill-prctl-set-auxv" kill prctl_set_auxv=-EPERM
expect "kill: check" 0 "match ok" "$author" check "$dir/r.leaf" -k "$kernel"
expect "kill: what it does" 0 'mov $-0x01, %rax' "$author" inspect "$dir/r.leaf" -k "$kernel"
expect "kill a void function" 0 "built kill-kfree" kill kfree
expect "kill a void function with a value" 2 "it returns nothing" kill kfree=0
expect "kill without a value" 2 "it returns a value" kill prctl_set_auxv
expect "kill: a pointer is no number" 2 "only 0 and -1 to -4095" kill d_lookup=5
expect "kill: too large" 2 "do not hold 4294967296" kill prctl_set_auxv=4294967296
expect "kill: no such error" 2 "there is no error ENOTHING" kill prctl_set_auxv=-ENOTHING
expect "kill: who never returns" 4 "never returns" kill do_group_exit
expect "kill: one code with several names" 4 "say: allow aliases" kill thermal_genl_event_tz_trip_up=-EPERM
printf 'id a\nversion 1\nkill thermal_genl_event_tz_trip_up = -1 allow aliases\n' >"$dir/a.recipe"
expect "aliases allowed by kill" 0 "built kill" kill thermal_genl_event_tz_trip_up=-EPERM --allow aliases
expect "a permission is a word" 2 "takes a word" kill kfree --allow 'x y'
expect "aliases allowed" 0 "built a" "$author" build "$dir/a.recipe" -k "$kernel" -o "$dir/r.leaf"
expect "aliases named" 0 "the same code is thermal_genl_event_tz_trip_down" "$author" inspect "$dir/r.leaf"
expect "kill: assembler" 2 "it is assembler code" kill memset_orig
refused "transplant: side tables" 4 "holds a BUG or WARN" 'transplant create_event_filter'
recipe $'counters cpus 4\ntransplant bin2hex'
expect "transplant" 0 "built r" build "$dir/r.recipe" -o "$dir/r.leaf"
expect "transplant: the same code" 0 "bin2hex: old 24 instructions, new 24, 0 lines differ" \
	"$author" inspect "$dir/r.leaf" -k "$kernel"
recipe 'transplant vfs_llseek'
expect "transplant: an indirect jump" 0 "built r" build "$dir/r.recipe" -o "$dir/r2.leaf"
expect "transplant: through the same thunk" 0 "  jmp __x86_indirect_thunk_rax  " \
	"$author" inspect "$dir/r2.leaf" -k "$kernel"
expect "inspect: a page" 0 "<h2>bin2hex</h2>" "$author" inspect "$dir/r.leaf" -k "$kernel" --html
expect "inspect with another kernel's file" 5 "no x86 bzImage" "$author" inspect "$dir/r.leaf" -k "$dir/r.leaf"
refused "counters for no power of two" 2 "a power of two" $'counters cpus 3\ntransplant bin2hex'

# The command line
expect "no command" 2 "newleaf build" "$author"
expect "help" 0 "-k, --kernel" "$author" build --help
expect "unknown command" 2 "NL_EUSAGE" "$author" bild
expect "missing kernel" 2 "NL_EUSAGE" "$author" build leaves/prctl-auxv/prctl-auxv.recipe
expect "missing recipe" 11 "NL_EENVIRONMENT" build "$dir/none.recipe"
expect "json error" 4 '"code":"NL_ELEAF"' "$author" inspect --json "$dir/keys.bin"
expect "no temporary files left" 2 "No such file" ls -d "$dir"/newleaf-body.*

# shellcheck source=tests/author/wrong.sh
source tests/author/wrong.sh
# shellcheck source=tests/author/matrix.sh
source tests/author/matrix.sh

printf '[  PASSED  ] %d test(s).\n' "$passed"
[ "$failed" = 0 ] || printf '[  FAILED  ] %d test(s)\n' "$failed"
[ "$failed" = 0 ]
