#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Leaves straight from patches of what a stock Debian kernel has as modules: edits of our own, made from the source when
# run. Needs the kernel with its modules, its headers and its source (scripts/get-kernel).
set -uo pipefail
cd "$(dirname "$0")/../.."

author=$(realpath "${B:-build}")/newleaf-author
package=linux-image-6.1.0-50-amd64
root=$(scripts/get-kernel $package) || exit 1
kernel=$(scripts/get-kernel --vmlinuz $package) || exit 1
headers=$(scripts/get-kernel --headers $package) || exit 1
source=$(scripts/get-kernel --source $package) || exit 1
modules=$(echo "$root"/lib/modules/*)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# expect NAME CODE TEXT COMMAND...: the command ends with CODE and says TEXT. ONLY='a name|another' runs these alone,
# with what stands outside of any case.
expect() {
	local name=$1 code=$2 text=$3 got=0 said
	shift 3
	[[ $name =~ ${ONLY:-} ]] || return 0
	said=$("$@" 2>&1) || got=$?
	if [ "$got" = "$code" ] && grep -qF -- "$text" <<<"$said"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s: exit %s, wanted %s and "%s"; it said:\n%s\n' "$name" "$got" "$code" "$text" "$said"
	fi
}

# edit FILE SED-SCRIPT: appends the difference that the edit makes to $dir/p.patch
edit() {
	sed -e "$2" "$source/$1" >"$dir/edited"
	diff -u --label "a/$1" --label "b/$1" "$source/$1" "$dir/edited" >>"$dir/p.patch"
}
# The edit as what the source has against what it had
edited() {
	sed -e "$2" "$source/$1" >"$dir/edited"
	diff -u --label "a/$1" --label "b/$1" "$dir/edited" "$source/$1" >>"$dir/p.patch"
}
fresh() { : >"$dir/p.patch"; }
build() { "$author" build "$dir/p.patch" -k "$kernel" -S "$source" -H "$headers" --id p "$@"; }
plan() { build --dry-run "$@"; }

# One function. The modules are found beside the kernel, or by -M; what is a module without them is refused
fresh
edit drivers/net/dummy.c '/^static int dummy_change_carrier(/,/^}/s/if (new_carrier)/if (new_carrier \&\& dev->mtu)/'
expect "a function" 0 "replaces dummy_change_carrier" plan
expect "a function: whose it is" 0 "drivers/net/dummy.c: 13 of 13 functions proven equal to the module dummy" plan
expect "a function: the leaf" 0 "1 site" build -o "$dir/1.leaf"
expect "a function: for programs" 0 '"module":"dummy"' plan --json
cp "$kernel" "$dir/vmlinuz"
moved=("$author" build "$dir/p.patch" -k "$dir/vmlinuz" -S "$source" -H "$headers" --id p)
expect "no modules" 7 "is a part of the module dummy, and the kernel file has no directory of modules" "${moved[@]}" -n
expect "others' modules" 7 "none of that name is among those given by -M" \
	"${moved[@]}" -n -M "$modules/kernel/drivers/net/mii.ko"
# What somebody else has put beside the kernel file is not taken, and what is taken is named
planted=$dir/shared/lib/modules/${modules##*/}
mkdir -p "$dir/shared/alice" "$planted/kernel"
cp "$kernel" "$dir/shared/alice/vmlinuz"
cp "$modules/kernel/drivers/net/dummy.ko" "$planted/kernel/"
mkfifo "$planted/kernel/pipe.ko"
stop=("$author" kill dummy:dummy_change_carrier=0 -k "$dir/shared/alice/vmlinuz" -o "$dir/3.leaf")
expect "one's own modules" 0 "modules: those in $dir/shared/alice/../lib/modules/" timeout 60 "${stop[@]}"
if [ "$(id -u)" = 0 ]; then
	chown nobody "$planted"
	expect "planted modules" 11 "belong to somebody else than the kernel file: give by -M" "${stop[@]}"
fi
mkfifo "$dir/dummy.ko"
expect "a pipe for a module" 11 "dummy.ko: not a regular file" timeout 60 "${stop[@]}" -M "$dir/dummy.ko"
expect "a directory of modules" 0 "1 site" "${moved[@]}" -M "$root" -o "$dir/2.leaf"
expect "a leaf: modules beside" 0 "dummy_change_carrier" "$author" inspect "$dir/1.leaf" -k "$kernel"
expect "a leaf: modules beside, checked" 0 "fits" "$author" check "$dir/1.leaf" -k "$kernel"
expect "a leaf: no modules" 5 "for the module dummy, too, which is not beside the kernel file: give it by -M" \
	"$author" inspect "$dir/1.leaf" -k "$dir/vmlinuz"
printf 'id r\nversion 1\ndescription "none"\nkill dummy:dummy_validate = -EPERM\n' >"$dir/r.recipe"
expect "a recipe: modules beside" 0 "1 site" "$author" build "$dir/r.recipe" -k "$kernel" -o "$dir/r.leaf"
expect "a directory of modules: the same bytes" 0 "" cmp "$dir/1.leaf" "$dir/2.leaf"
expect "a module's file" 0 "1 site" "${moved[@]}" -M "$modules/kernel/drivers/net/dummy.ko" -o "$dir/3.leaf"

# A static function that is only called may take something else; ftrace's list of it is nobody who calls
fresh
edit fs/ext4/mballoc.c 's/struct ext4_buddy \*e4b, gfp_t gfp)/struct ext4_buddy *e4b, unsigned long gfp)/'
expect "a static function's form" 0 "replaces ext4_mb_load_buddy_gfp" plan

# Its beginning and its end are code like any other
fresh
edit drivers/net/dummy.c \
	'/^static int __init dummy_init_module(/,/^}/s/for (i = 0; /if (numdummies > 100)\n\t\terr = -EINVAL;\n\t&/'
expect "an initialiser" 0 "replaces dummy_init_module" plan
expect "an initialiser: has it run?" 0 "is of the module's initialiser: where the module is loaded already" plan
expect "an initialiser: the leaf" 0 "site" build -o "$dir/4.leaf"
fresh
edit drivers/net/dummy.c '/^static void __exit dummy_cleanup_module(/,/^}/s/rtnl_link_unregister/cond_resched();\n\t&/'
expect "an end" 0 "replaces dummy_cleanup_module" plan

# Read-only data, where it lies; what only the initialiser has, and what is read when a module is loaded
fresh
edit drivers/net/dummy.c 's/^\t\.get_ts_info.*/&\n\t.get_link = ethtool_op_get_link,/'
expect "read-only data" 0 "changes  dummy_ethtool_ops" plan
fresh
edit drivers/net/dummy.c 's/^module_param(numdummies, int, 0);/module_param(numdummies, int, 0444);/'
expect "a parameter" 4 "who loads the module has read it" plan
fresh
edit drivers/net/dummy.c 's/^static int numdummies = 1;/static int numdummies = 2;/'
expect "a variable's first value" 4 "which is writable" plan
fresh
edit drivers/platform/x86/acer-wmi.c '0,/\.mailled = 1,/s//.mailled = 2,/'
expect "the initialiser's data" 4 "" plan

# The module itself, its variables of each CPU, a new function, a text that tells
fresh
edit drivers/net/dummy.c '/^static int dummy_dev_init(/,/^}/s/if (!dev->lstats)/WARN_ON(!THIS_MODULE->name[0]);\n\t&/'
expect "the module itself" 0 "1 site" build -o "$dir/5.leaf"
fresh
edit net/netfilter/nf_dup_netdev.c \
	's/^\tif (__this_cpu_read(nf_dup_skb_recursion) > /\tif (!skb->len)\n\t\tgoto err;\n&/'
expect "a variable of each CPU" 0 "proven" plan

# What an alternative chooses by the CPU of functions that do the same
fresh
edit fs/fuse/dev.c '/^static int fuse_copy_page(/,/^}/s/^\tif (page && zeroing &&/\tcond_resched();\n&/'
expect "one of several functions by the CPU" 0 "replaces fuse_copy_page" plan

# A tracepoint, whose key a body asks for at run time
fresh
edit fs/nfsd/nfs4layouts.c 's/^\ttrace_nfsd_layoutstate_free(/\tcond_resched();\n&/'
expect "a tracepoint" 0 "replaces nfsd4_free_layout_stateid" plan

# A unit of a directory whose makefile is another's
fresh
edit drivers/gpu/drm/amd/display/dc/dcn31/dcn31_hwseq.c '/^void dcn31_init_hw(/,/^}/s/^\tint i;/&\n\n\tbarrier();/'
expect "a makefile elsewhere" 0 "proven equal to the module amdgpu" plan

# Image and module in one leaf
find='/^static inline struct net_device \*vlan_find_dev(/,/^}/s/if (vlan_info/& \&\& vlan_id < VLAN_N_VID/'
fresh
edit net/8021q/vlan.h "$find"
expect "image and module" 0 "net/8021q/vlan_core.c: 2" plan
expect "image and module: both" 0 "proven equal to the module 8021q" plan
expect "image and module: the leaf" 0 "sites" build -o "$dir/6.leaf"

# What the patch adds to the image a module may use, and not the other way round
rule='noinline bool vlan_new_rule(int id)\n{\n\treturn id < 4095;\n}\n\n&'
given='bool vlan_new_rule(int id);\n&'
module='s/^\tif (real_dev->features & NETIF_F_VLAN_CH/\tif (!vlan_new_rule(vlan_id))\n\t\treturn -ERANGE;\n&/'
image='s/\(return vlan_info->grp.nr_vlan_devs\) ? true : false;/\1 \&\& vlan_new_rule(1);/'
fresh
edit net/8021q/vlan_core.c "s/^bool vlan_uses_dev(/$rule/"
edit net/8021q/vlan.c "s/^int vlan_check_real_dev(/$given/;$module"
expect "the image's new function" 0 "carries  vlan_new_rule" plan
expect "the image's new function: the leaf" 0 "site" build -o "$dir/7.leaf"
fresh
edit net/8021q/vlan.c "s/^int vlan_check_real_dev(/$rule/;$module"
edit net/8021q/vlan_core.c "s/^bool vlan_uses_dev(/$given/;$image"
expect "a module's new function" 4 "which the patch adds to net/8021q/vlan.c, a part of the module 8021q" plan

# A header that modules use which are not given
fresh
edit net/8021q/vlan.h "$find"
moved=("$author" build "$dir/p.patch" -k "$dir/vmlinuz" -S "$source" -H "$headers" --id p)
expect "a header" 7 "a part of the module 8021q, changes with the patch's headers" "${moved[@]}" -n
expect "a header: the module stays" 0 "module 8021q stays as it is" "${moved[@]}" -n --allow modules

# What other modules call may not change its form
fresh
int='s/^\(void nf_dup_netdev_egress(const struct nft_pktinfo \*pkt, \)int oif)/\1long oif)/'
edit include/net/netfilter/nf_dup_netdev.h "$int"
edit net/netfilter/nf_dup_netdev.c "$int"
expect "an export" 4 "modules that are not in the source may call it as before" plan

# The fix is in
fresh
edited drivers/net/dummy.c '/^static int dummy_change_carrier(/,/^}/s/if (new_carrier)/if (new_carrier \&\& dev->mtu)/'
expect "fixed" 3 "NL_FIXED" plan

echo "modules: $passed passed, $failed failed"
[ "$failed" = 0 ]
