#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/get-kernel without a network: a false apt offers a few small packages, and notes what it is asked for. Old and
# new layout of kernels, headers, source; the second time nothing is asked; an interrupted run or a wrong package leaves
# nothing; no name runs anything.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
mkdir -p "$dir"/{bin,debs,root,scripts}
cp scripts/get-kernel "$dir/scripts"
cat >"$dir/scripts/kernels.table" <<'TABLE'
# a comment
old	bookworm	linux-image-6\.1\.0-[0-9]+	gcc-12
new	sid	linux-image-7\.2\.[0-9]+\+deb14	gcc-16
tool	bookworm	hypervisor-[0-9]	-	boot/hypervisor-*.efi
TABLE
cat >"$dir/scripts/fixes.table" <<'TABLE'
# a comment
id	old	new
one	6.1.0-6	-
two	6.1.0-5	7.2.3
three	never	?
TABLE

# package NAME VERSION DEPENDS FILE...: offers it
package() {
	local root=$dir/root/$1
	mkdir -p "$root/DEBIAN"
	printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: x\nDepends: %s\nDescription: x\n' \
		"$1" "$2" "${3:-x}" >"$root/DEBIAN/control"
	for file in "${@:4}"; do
		mkdir -p "$root/$(dirname "$file")"
		echo "$1 $2" >"$root/$file"
	done
	dpkg-deb --root-owner-group -Znone -b "$root" "$dir/debs/$1_$2.deb" >/dev/null
	rm -rf "$root"
}
for abi in 4 5 6; do
	package linux-image-6.1.0-$abi-cloud-amd64 6.1.$abi-1 "kmod, linux-base" boot/vmlinuz-6.1.0-$abi-cloud-amd64 \
		lib/modules/6.1.0-$abi-cloud-amd64/kernel/x.ko
done
package linux-image-6.1.0-6-amd64 6.1.6-1 kmod boot/vmlinuz-6.1.0-6-amd64
for abi in 4 5; do
	package linux-headers-6.1.0-$abi-cloud-amd64 6.1.$abi-1 \
		"linux-headers-6.1.0-$abi-common (= 6.1.$abi-1), linux-kbuild-6.1 (>= 6.1.$abi-1), gcc" \
		usr/src/linux-headers-6.1.0-$abi-cloud-amd64/include/x.h
	package linux-headers-6.1.0-$abi-common 6.1.$abi-1 x usr/src/linux-headers-6.1.0-$abi-common/include/x.h
done
package linux-kbuild-6.1 6.1.5-1 x usr/lib/linux-kbuild-6.1/x
new=7.2.3+deb14-cloud-amd64
package linux-image-$new 7.2.3-1 "a | b, linux-base-$new (= 7.2.3-1), linux-binary-$new (= 7.2.3-1), \
linux-modules-$new" usr/share/doc/x
package linux-binary-$new 7.2.3-1 x usr/lib/modules/$new/vmlinuz
package linux-modules-$new 7.2.3-1 x usr/lib/modules/$new/kernel/x.ko.xz
package linux-image-7.2.4+deb14-cloud-amd64 7.2.4-1 x usr/share/doc/empty # holds no kernel
package hypervisor-4 1 x boot/hypervisor-4.efi
mkdir -p "$dir/root/linux-source-6.1/usr/src" "$dir/linux-source-6.1/init"
echo main >"$dir/linux-source-6.1/init/main.c"
tar -C "$dir" -cJf "$dir/root/linux-source-6.1/usr/src/linux-source-6.1.tar.xz" linux-source-6.1
package linux-source-6.1 6.1.4-1 x

cat >"$dir/bin/apt-get" <<'FALSE'
#!/bin/bash
[ "$1" != indextargets ] || { echo http://mirror/debian && echo http://mirror/debian-security && exit; }
echo "apt-get $*" >>"$FALSE_APT/asked"
state=$(sed -n 's/^Dir::State "\(.*\)";/\1/p' "${APT_CONFIG:?the machine\'s own}")
case "$*" in
*update*) [ -z "${FALSE_DOWN:-}" ] && touch "$state/lists/x_InRelease" ;;
*--print-uris*) echo "'http://x' x_1_amd64.deb 1000000 SHA256:x" ;;
*download*)
	for name in "$@"; do
		case $name in -* | download) continue ;; esac
		deb=$(ls "$FALSE_APT/debs/${name%%=*}"_*.deb) || exit 100
		cp "$deb" . || exit 100
		[ -z "${FALSE_CUT:-}" ] || { kill -9 "$(ps -o ppid= -p $PPID)" $PPID && exit 100; }
	done
	;;
esac
FALSE
cat >"$dir/bin/apt-cache" <<'FALSE'
#!/bin/bash
echo "apt-cache $*" >>"$FALSE_APT/asked"
for last; do :; done
state=$(sed -n 's/^Dir::State "\(.*\)";/\1/p' "${APT_CONFIG:?the machine\'s own}")
[ -e "$state/lists/x_InRelease" ] || exit 100
case $1 in
pkgnames) ls "$FALSE_APT/debs" | sed 's/_.*//' ;;
show) for deb in "$FALSE_APT/debs/${last%%=*}"_*.deb; do dpkg-deb -f "$deb" 2>/dev/null; done ;;
madison) shift; for p; do ls "$FALSE_APT/debs" | sed -nE "s/^($p)_(.*)\.deb/ \1 | \2 | x/p"; done ;;
esac
FALSE
cat >"$dir/bin/apt-config" <<'FALSE'
#!/bin/sh
echo 'Acquire::http::Proxy "http://proxy:1";'
FALSE
chmod 755 "$dir"/bin/*
export FALSE_APT=$dir PATH=$dir/bin:$PATH NEWLEAF_CACHE="$dir/cache with blank"
unset APT_CONFIG NEWLEAF_MIRROR OFFLINE FLAVOUR LINE

ask() { # ARGUMENTS of get-kernel: sets out, err, code
	: >"$dir/asked"
	code=0
	out=$("$dir/scripts/get-kernel" "$@" 2>"$dir/err") || code=$?
	err=$(<"$dir/err")
}
check() { # NAME COMMAND...
	if "${@:2}"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s: exit %s, said "%s" "%s"\n' "$1" "$code" "$out" "$err"
	fi
}
says() { check "$1" test "$code" = "$2" -a -z "${err##*"$3"*}"; } # NAME CODE TEXT
quiet() { check "$1 asks nothing" test ! -s "$dir/asked"; }

OFFLINE=1 ask old
says "nothing cached, offline" 11 "offers no linux-image"
FALSE_DOWN=1 ask old
says "no network" 11 "could not be read"
ask old
says "a line is its newest kernel" 0 "reading the package lists of bookworm"
check "its directory" test "$out" = "$NEWLEAF_CACHE/kernels/linux-image-6.1.0-6-cloud-amd64_6.1.6-1"
check "its kernel" test -s "$out/boot/vmlinuz-6.1.0-6-cloud-amd64" -a -d "$out/lib/modules"
check "the proxy is used" grep -q 'proxy:1' "$NEWLEAF_CACHE/apt/bookworm/apt.conf"
check "signatures are asked for" grep -q '^deb \[signed-by=.*debian-archive-keyring.gpg\] http://mirror/debian ' \
	"$NEWLEAF_CACHE/apt/bookworm/etc/sources.list"
check "nothing unsigned" test -z "$(grep -riE 'trusted|insecure|unauth' "$NEWLEAF_CACHE/apt")"
for again in old linux-image-6.1.0-6-cloud-amd64 linux-image-6.1.0-6-cloud-amd64=6.1.6-1 "--vmlinuz old"; do
	# shellcheck disable=SC2086 # an option and a name
	FALSE_DOWN=1 ask $again
	says "again: $again" 0 ""
	quiet "again: $again"
done
FLAVOUR=amd64 ask old
says "another flavour" 0 ""
check "its file" test -s "$out/boot/vmlinuz-6.1.0-6-amd64"

ask --headers linux-image-6.1.0-4-cloud-amd64
says "headers" 0 ""
check "all three packages" test "$(find "$out/usr" -name 'linux-*' | wc -l)" = 3
check "kbuild of another version" grep -q "download linux-headers-6.1.0-4-cloud-amd64=6.1.4-1.* linux-kbuild-6.1$" \
	"$dir/asked"
ask --headers linux-image-6.1.0-6-cloud-amd64
says "headers that the archive has dropped" 11 "headers of linux-image-6.1.0-6-cloud-amd64 6.1.6-1 could not"

ask new
says "a package without a kernel" 11 "do not hold what was expected"
check "nothing is kept" test -z "$(find "$NEWLEAF_CACHE/kernels" -name '*7.2.4*')"
ask linux-image-$new
says "a kernel in several packages" 0 ""
check "the old places" test -s "$out/boot/vmlinuz-$new" -a -s "$out/lib/modules/$new/kernel/x.ko.xz"
cut=linux-modules-7.2.3+deb14-cloud-amd64_7.2.3-1.deb # as on a full disk
rm -rf "$NEWLEAF_CACHE/kernels/linux-image-${new}_7.2.3-1"
cp "$dir/debs/$cut" "$dir/whole"
head -c 1000 "$dir/whole" >"$dir/debs/$cut"
ask linux-image-$new
says "a package that cannot be unpacked" 11 "cannot be unpacked"
check "nothing of it is kept" test ! -e "$NEWLEAF_CACHE/kernels/linux-image-${new}_7.2.3-1"
cp "$dir/whole" "$dir/debs/$cut"
ask linux-image-$new
says "the same, whole" 0 ""
ask --vmlinuz tool
says "what is no kernel" 0 ""
check "its file" test "$out" = "$NEWLEAF_CACHE/kernels/hypervisor-4_1/boot/hypervisor-4.efi"

FALSE_CUT=1 ask linux-image-6.1.0-5-cloud-amd64
check "interrupted" test "$code" -gt 11
check "nothing half" test ! -e "$NEWLEAF_CACHE/kernels/linux-image-6.1.0-5-cloud-amd64_6.1.5-1"
ask linux-image-6.1.0-5-cloud-amd64
says "and then" 0 ""
check "nothing left behind" test ! -e "$NEWLEAF_CACHE/tmp"

ask --source linux-image-6.1.0-4-cloud-amd64
says "source" 0 "unpacking"
check "its file" test "$(cat "$out/init/main.c")" = main
rm -rf "$NEWLEAF_CACHE"/sources/*
: >"$dir/asked"
for two in 1 2; do "$dir/scripts/get-kernel" --source linux-image-6.1.0-4-cloud-amd64 >"$dir/$two" 2>&1 & done
wait
check "two at a time fetch once" test "$(grep -c 'qq download linux-source' "$dir/asked")" = 1
check "both have it" cmp -s <(tail -n 1 "$dir/1") <(tail -n 1 "$dir/2")
check "one is in the other's place" test "$(ls "$NEWLEAF_CACHE"/sources/*)" = init
OFFLINE=1 ask --source linux-image-6.1.0-4-cloud-amd64
says "source again" 0 ""
quiet "source again"
ask --source linux-image-6.1.0-5-cloud-amd64
check "a source of another version is none" test "$code" = 0 -o "$code" = 11

ask --lacking linux-image-6.1.0-5-cloud-amd64
check "lacks" test "$out" = $'one\nthree'
ask --lacking linux-image-$new
check "what is not measured is not promised" test -z "$out" -a "$code" = 0
LINE=old ask --newest-lacking two
check "newest lacking" test "$out" = linux-image-6.1.0-4-cloud-amd64
LINE=old ask --newest-lacking one three
check "newest lacking both" test "$out" = linux-image-6.1.0-5-cloud-amd64
LINE=old ask --newest-lacking four
says "an unknown fix" 11 "it lists: one two three"
ask --list
check "list" grep -qE '^new +linux-image-7.2.3\+deb14-cloud-amd64 .*lacks: nothing listed' <<<"$out"

ask linux-image-9.9
says "an unknown kernel" 11 "there are: old new tool"
ask linux-image-6.1.0-9-cloud-amd64
says "a kernel that is not there" 11 "offers now: linux-image-6.1.0-4-cloud-amd64"
# shellcheck disable=SC2016 # shall not run
for evil in 'linux-image-$(touch ran)' 'linux-image-6.1.0-4;touch ran' '../x' 'old=$(touch ran)' '-x' 'old=../../x'; do
	ask "$evil"
	says "$evil" 2 "usage"
done
check "nothing ran" test ! -e ran

printf '[  PASSED  ] %d test(s).\n' "$passed"
[ "$failed" = 0 ] || printf '[  FAILED  ] %d test(s)\n' "$failed"
[ "$failed" = 0 ]
