#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `check` and `build` over a directory of kernels: one answer for each, whatever happens to another; the exit code of
# the worst; each kernel once, whatever links lead to it; what is called vmlinuz and is no kernel is named. Sourced by
# run.sh, with its functions, $author, $kernel, $headers and $dir.

matrix() { # VERB SUBJECT [OPTION...]: writes $dir/matrix.json
	"$author" "$1" "$2" -k "$dir/boot" -H "$headers" --json "${@:3}" 2>"$dir/matrix.err" >"$dir/matrix.json"
	matrix_code=$?
}
# answers NAME CODE "RELEASE=ANSWER ..."
answers() {
	local got
	got=$(jq -r '[.kernels[] | "\(.kernel | sub(".*/"; ""))=\(.answer)"] | join(" ")' "$dir/matrix.json")
	expect "$1" 0 "" test "$matrix_code:$got" = "$2:$3"
	[ "$matrix_code:$got" = "$2:$3" ] || { echo "  it was $matrix_code:$got" && cat "$dir/matrix.err"; }
	jq -r --slurpfile schema docs/reference/schemas/newleaf.matrix-1.json -f tests/unit/schema.jq \
		"$dir/matrix.json" >"$dir/problems" 2>&1
	expect "$1: schema" 0 "" test ! -s "$dir/problems"
}

old=6.1.0-50-cloud-amd64
mkdir -p "$dir/boot/deep" "$dir/boot/kernel"
cp "$kernel" "$dir/boot/vmlinuz-$old"
ln -s "vmlinuz-$old" "$dir/boot/vmlinuz"       # as Debian's /vmlinuz
ln "$dir/boot/vmlinuz-$old" "$dir/boot/System" # not called so
cp "$kernel" "$dir/boot/kernel/vmlinuz"        # a folder of modules is not searched
echo 'no kernel' >"$dir/boot/vmlinuz-readme"
mkfifo "$dir/boot/vmlinuz-pipe"
matrix check leaves/prctl-auxv/prctl-auxv.recipe
answers "one kernel, three names" 0 "$old=builds"
expect "what is no kernel is named" 0 "" \
	jq -e '[.ignored[] | sub(".*/"; "")] | sort == ["vmlinuz-pipe", "vmlinuz-readme"]' "$dir/matrix.json"
expect "nothing was written" 0 "" test ! -e "$old.leaf" -a ! -e prctl-auxv.leaf

# A kernel that is cut short and one that damage makes unreadable do not stop the others, nor does one without headers.
head -c 1000000 "$kernel" >"$dir/boot/deep/vmlinuz"
if fixed=$(scripts/get-kernel --vmlinuz linux-image-6.1.0-56-cloud-amd64 2>/dev/null); then
	cp "$fixed" "$dir/boot/vmlinuz-6.1.0-56-cloud-amd64"
	printf 'id null\nversion 1\ndata (struct inode_operations) proc_net_inode_operations.setattr = NULL\n' \
		>"$dir/null.recipe"
	matrix build "$dir/null.recipe" -o "$dir/set"
	answers "a set" 5 "vmlinuz=refused $old=already fixed 6.1.0-56-cloud-amd64=builds"
	expect "its leaf" 0 "match ok" "$author" check "$dir/set/null_6.1.0-56-cloud-amd64.leaf" -k "$fixed"
	expect "one leaf" 0 "" test "$(ls "$dir/set")" = null_6.1.0-56-cloud-amd64.leaf
	matrix check "$dir/set/null_6.1.0-56-cloud-amd64.leaf"
	answers "a leaf" 5 "vmlinuz=refused $old=refused 6.1.0-56-cloud-amd64=fits"
	rm "$dir/boot/deep/vmlinuz" "$dir/boot/vmlinuz-6.1.0-56-cloud-amd64"
	matrix check "$dir/null.recipe"
	answers "nothing to do" 3 "$old=already fixed"
fi

# Another compiler than the kernel's
cp "$kernel" "$dir/boot/vmlinuz-$old"
rm -f "$dir/boot/deep/vmlinuz"
mkdir -p "$dir/other/bin"
printf '#!/bin/sh\n[ "$1" != --version ] || { echo "gcc-12 (another) 12.2.0"; exit; }\nexec gcc-12 "$@"\n' \
	>"$dir/other/bin/gcc"
chmod 755 "$dir/other/bin/gcc"
matrix check leaves/prctl-auxv/prctl-auxv.recipe --cc "$dir/other"
answers "another compiler" 10 "$old=unproven"

# What the compiler says of a body that does not compile is shown
printf 'id broken\nversion 1\nreplace prctl_set_auxv with b.c allow old\n' >"$dir/broken.recipe"
echo 'this is no C' >"$dir/b.c"
matrix check "$dir/broken.recipe"
answers "a body that does not compile" 4 "$old=refused"
expect "the compiler's words" 0 "error:" cat "$dir/matrix.err"
expect "the table" 4 "refused           NL_ECOMPILE" "$author" check "$dir/broken.recipe" -k "$kernel" -H "$headers"

rm -rf "$dir/boot"
mkdir "$dir/boot"
expect "an empty directory" 11 "is a kernel" "$author" check leaves/prctl-auxv/prctl-auxv.recipe -k "$dir/boot"

# What nobody gives is asked for by the version that the kernel's banner names, or not at all. A false get-kernel.
mkdir -p "$dir/tree/build" "$dir/tree/scripts"
cp "$author" "$dir/tree/build/"
cat >"$dir/tree/scripts/get-kernel" <<FALSE
#!/bin/sh
echo "\$* offline=\$OFFLINE" >>"$dir/asked"
[ -z "\$OFFLINE" ] && [ "\$1" = --headers ] && echo "$headers"
FALSE
chmod 755 "$dir/tree/scripts/get-kernel"
fetching() { "$dir/tree/build/newleaf-author" build leaves/prctl-auxv/prctl-auxv.recipe -k "$kernel" "$@"; }
if [ ! -e "/usr/src/linux-headers-$old" ]; then
	expect "fetched headers" 0 "built prctl-auxv" fetching -o "$dir/fetched.leaf"
	expect "of exactly this package" 0 "--headers linux-image-$old=6.1.176-1 offline=" cat "$dir/asked"
	expect "offline" 11 "no headers of $old" fetching --offline -o "$dir/x.leaf"
	expect "the cache was asked" 0 "offline=1" cat "$dir/asked"
fi
