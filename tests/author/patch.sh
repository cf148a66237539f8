#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Leaves straight from patches against a stock Debian kernel. The patches are edits of our own, made from the source
# when run: what becomes a leaf and with what in it, what is refused and by which name, what means nothing to patch,
# and that the same patch gives the same bytes. Needs the kernel, its headers and its source (scripts/get-kernel).
set -uo pipefail
cd "$(dirname "$0")/../.."

author=$(realpath "${B:-build}")/newleaf-author
package=linux-image-6.1.0-50-cloud-amd64
kernel=$(scripts/get-kernel --vmlinuz $package) || exit 1
headers=$(scripts/get-kernel --headers $package) || exit 1
source=$(scripts/get-kernel --source $package) || exit 1
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
fresh() { : >"$dir/p.patch"; }
build() { "$author" build "$dir/p.patch" -k "$kernel" -S "$source" -H "$headers" --id p "$@"; }
plan() { build --dry-run "$@"; }

# A static function: found alone in a unit whose lines move
fresh
edit kernel/sys.c '/^static int prctl_set_auxv(/,/^}/s/task_lock(current);/if (!len)\n\t\treturn -EINVAL;\n&/'
expect "static function" 0 "replaces prctl_set_auxv" plan
expect "nothing else" 0 "1 site" build -o "$dir/1.leaf"
expect "again elsewhere" 0 "1 site" env TMPDIR="$dir" "$author" build "$dir/p.patch" -k "$kernel" -S "$source" \
	-H "$headers" --id p -o "$dir/2.leaf"
expect "the same bytes" 0 "" cmp "$dir/1.leaf" "$dir/2.leaf"
build --json --dry-run >"$dir/out.json" 2>/dev/null
jq -r --slurpfile schema docs/reference/schemas/newleaf.plan-1.json -f tests/unit/schema.jq "$dir/out.json" \
	>"$dir/problems" 2>&1
expect "schema of the plan" 0 "" test -s "$dir/out.json" -a ! -s "$dir/problems"
expect "one function needs no other" 0 '"consistency":"switch"' cat "$dir/out.json"

# What changes together is seen together
fresh
edit kernel/sys.c '/^static int \(prctl_set_auxv\|override_release\)(/,/^}/s/^{/{\n\tbarrier();\n\tcond_resched();/'
expect "two functions" 0 "strict: " plan
expect "the author knows better" 0 "mixable: " plan --consistency mixable
expect "no such consistency" 2 "unknown consistency" plan --consistency loose

# A clone that changes has no jump of its own: who is inside of it is waited for by its own place
fresh
edit kernel/trace/trace_eprobe.c '/get_event_field(struct/,/^}/s/^\tswitch (field->size) {/\tbarrier();\n&/'
expect "a clone" 0 "sites" build -o "$dir/clone.leaf" --consistency strict
expect "a clone is waited for" 0 "WAITS until no task is in get_event_field.isra.0" "$author" inspect "$dir/clone.leaf"

# A thread that runs calls its function never again
fresh
edit mm/vmscan.c '/^static int kswapd(void/,/^}/s/if (kthread_should_stop())/if (!pgdat || kthread_should_stop())/'
expect "a thread's function" 4 "kswapd (" plan
expect "a thread's function is allowed" 0 "threads that run kswapd stay in the old code" plan --allow objects

# Code of the file that boots, and not of the kernel that runs
fresh
edit drivers/firmware/efi/libstub/random.c '/^efi_status_t efi_get_random_bytes(/,/^}/s/status;/status = 1;/'
expect "the stub" 7 "code that runs before the kernel" plan

# What boot has read of a group of attributes
fresh
edit kernel/ksysfs.c 's/^\(static const struct attribute_group kernel_attr_group = {\)/\1\n\t.name = "x",/'
expect "a group that boot has made" 4 "boot has read it" plan

# Lines only
fresh
edit kernel/sys.c '1,30s,^ \*/$, * and more\n&,'
expect "a comment" 3 "NL_NOTHING" plan

# Read-only data, where it lies
fresh
setattr='/^const struct inode_operations proc_net_inode_operations/,/^}/s/\.getattr.*/&\n\t.setattr = proc_setattr,/'
edit fs/proc/proc_net.c "$setattr"
expect "read-only data" 0 "changes  proc_net_inode_operations" plan

# A source that another one includes holds the function twice
fresh
more='\n\t\tgoto out;\n\tif (elf_ex->e_flags == 0x12345)'
edit fs/binfmt_elf.c "/^static int load_elf_binary(/,/^}/s/ELFMAG, SELFMAG) != 0)/&$more/"
expect "the source itself" 0 "fs/binfmt_elf.c: " plan
expect "and the one that includes it" 0 "fs/compat_binfmt_elf.c: " plan

# A source that is only compiled as a part of another, which includes it
fresh
edit kernel/sched/psi.c \
	'/^static ssize_t psi_write(/,/^}/s/^\tif (!nbytes)/\tif (nbytes > 4096)\n\t\treturn -E2BIG;\n&/'
expect "a part of a source" 0 "kernel/sched/build_utility.c: " plan
expect "which is named" 0 "kernel/sched/psi.c: compiled as a part of kernel/sched/build_utility.c" plan

# Texts with one name, of which some functions of the unit have several: any copy is as good
fresh
edit net/ipv4/fib_semantics.c \
	'/^struct fib_info \*fib_create_info(/,/^}/s/refcount_set(&fi->fib_treeref, 1);/&\n\tcond_resched();/'
expect "texts with one name" 0 "replaces fib_create_info" plan

# What boot makes native by a table, a body calls
fresh
edit fs/proc/task_mmu.c '/^static int smaps_hugetlb_range(/,/^}/s/^\tif (pte_present/\tbarrier();\n&/'
expect "a paravirtualised page table entry" 0 "replaces smaps_hugetlb_range" plan

# A source that is made by a program of the kernel's, which the headers packages have not
fresh
edit security/selinux/ss/conditional.c \
	'/^int cond_init_bool_indexes(/,/^}/s/^\tkfree/\tif (!p)\n\t\treturn -EINVAL;\n&/'
expect "a unit of SELinux" 0 "replaces cond_init_bool_indexes" plan

# Numbers of types are counted through the unit, and are the image's
fresh
edit kernel/bpf/queue_stack_maps.c '/^static int __stack_map_get(/,/^}/s/return -EBUSY;/{\n&\n}/;
	/^static int __stack_map_get(/,/^}/s/^\tu32 index;/&\n\tWARN_ON_ONCE(!value);/'
expect "numbers of types" 0 "replaces" plan
expect "leave the table as it is" 1 "" grep -F "changes  stack_map_ops" <(plan 2>&1)

# Without ftrace nop, by a stub that passes on what lies on the stack
fresh
edit kernel/trace/blktrace.c '/^static void __blk_add_trace(/,/^}/s/^\tcpu = raw_smp/\tbarrier();\n&/;
	/^static void __blk_add_trace(/,/^}/s/^\tif (blk_tracer) {/\tif (blk_tracer \&\& bytes >= 0) {/'
expect "arguments on the stack" 0 "replaces __blk_add_trace" plan
expect "counted" 0 "1 site" build --counters -o "$dir/3.leaf"

# A table whose address is compared stays where it is
fresh
more='\n\t.splice_read = generic_file_splice_read,'
edit fs/signalfd.c "/^static const struct file_operations signalfd_fops/,/^}/s/\.read.*/&$more/"
expect "a table with a name" 0 "changes  signalfd_fops" plan

# One code with several names
fresh
edit drivers/thermal/thermal_netlink.c '/^static int thermal_genl_event_tz(/,/^}/s/return 0/return p->msg == NULL/'
expect "all names at once" 0 "1 site" build -o "$dir/1.leaf"
fresh
edit drivers/thermal/thermal_netlink.c \
	'/^int thermal_genl_event_tz_delete/,/;/{s/;/;/;s/^\t__attr.*/{\n\treturn 1;\n}/}'
expect "one of the names" 4 "are one code in this kernel" plan

# A unit with many empty keys of locks, of which one is as good as another
fresh
edit mm/swapfile.c '/^SYSCALL_DEFINE2(swapon,/,/^}/s/IS_SWAPFILE(inode)) {/IS_ENCRYPTED(inode) || &/'
expect "empty keys" 0 "replaces __do_sys_swapon" plan

# A structure that objects of before lack
fresh
new='struct newleaf_state {\n\tint n;\n};\n'
more='{\n\tstruct newleaf_state *s = inode->i_private;\n\n\tinode->i_private = s;\n\tif (s->n)\n\t\treturn 0;'
edit fs/signalfd.c "/^static int signalfd_release(/,/^}/{s/^static/$new&/;s/^{/$more/}"
expect "objects lack it" 4 "struct newleaf_state, which is new" plan
expect "the new code stands it" 0 "replaces signalfd_release" plan --allow objects

# A structure under another name
fresh
edit kernel/async.c 's/^struct async_entry {/struct async_item {\n\tunsigned long flags;/
	s/struct async_entry/struct async_item/g'
expect "a structure that is renamed and grows" 4 "struct async_entry goes while struct async_item comes" plan
expect "which nobody has" 0 "struct async_entry goes while struct async_item comes" plan --allow layout
fresh
edit kernel/async.c 's/struct async_entry/struct async_item/g'
expect "one that is renamed" 3 "NL_NOTHING" plan

# A header of which a script, or a program that the build runs, makes code
fresh
edit arch/x86/include/asm/cpufeatures.h '/^#define X86_FEATURE_RSB_CTXSW/s/""/"rsb_ctxsw"/'
expect "names that a script reads" 7 "the makefile of arch/x86/kernel/cpu makes code of the kernel" plan
fresh
edit security/selinux/include/classmap.h 's/"syslog_read", "syslog_mod"/"syslog_mod", "syslog_read"/'
expect "lists that a program reads" 7 "genheaders.c, which runs in the build, makes code" plan
fresh
more='#define X86_FEATURE_NEWLEAF ( 7*32+31) \/* "" *\/\n&'
edit arch/x86/include/asm/cpufeatures.h "s/^#define X86_FEATURE_PTI\\b/$more/"
expect "one that has no name yet, and no user" 7 "the names in /proc/cpuinfo" plan

# A source of which kexec has a copy of its own
fresh
edit lib/crypto/sha256.c '/^void sha256_update(/,/^}/s/^\tsrc = data;/\tbarrier();\n&/'
expect "a copy in a blob" 0 "arch/x86/purgatory has a copy of its own" plan

# CVEs: what it says that it mends, not what it speaks of
fresh
printf 'Subject: fs: use another error\n\nThe mitigation of CVE-2022-2590 was incomplete.\n\n' >"$dir/p.patch"
edit fs/fcntl.c '/^static int setfl(/,/^}/s/return -EPERM;/return -EACCES;/'
expect "a CVE that is spoken of" 0 "names CVE-2022-2590: say --cve CVE-2022-2590 if it mends it" plan
expect "and another that is mended" 0 "1 site" build --cve CVE-2024-1086 --description 'By hand' -o "$dir/cve.leaf"
expect "which the leaf says" 0 "cve CVE-2024-1086" "$author" inspect "$dir/cve.leaf"
of_the_first() { "$author" inspect "$dir/cve.leaf" | grep CVE-2022; }
expect "and nothing of the first" 1 "" of_the_first
expect "by these words" 0 "By hand" "$author" inspect "$dir/cve.leaf"
expect "what is no CVE" 2 "is no CVE" plan --cve 2024-1086

# By name
fresh
edit fs/open.c '/^SYSCALL_DEFINE0(vhangup)/,/^}/d'
expect "a system call that goes" 4 "sys_vhangup is gone from the source, but" plan
fresh
edit fs/signalfd.c '$s/$/\nstatic int __init newleaf_init(void)\n{\n\treturn 0;\n}\nlate_initcall(newleaf_init);/'
expect "new init code" 4 "is new and only for boot" plan
fresh
edit fs/signalfd.c "/^static int signalfd_release(/,/^}/s/kfree/barrier();\n\t&/
\$s/\$/\nstatic int newleaf_late(void)\n{\n\treturn do_signalfd4(-1, NULL, 0);\n}\nlate_initcall(newleaf_late);/"
expect "a call at boot, of plain code" 4 "the list .initcall7.init, whose entries asm() makes, changes" plan
fresh
edit drivers/pci/quirks.c '$s/$/\nDECLARE_PCI_FIXUP_RESUME(PCI_VENDOR_ID_INTEL, 0x1237, quirk_vialatency);/'
expect "a quirk of a device" 4 "the list .pci_fixup_resume, whose entries asm() makes, changes" plan
fresh
edit drivers/char/random.c 's/^static u8 sysctl_bootid\[UUID_SIZE\]/& __aligned(4096)/'
expect "a buffer that must be aligned" 4 "the patch aligns sysctl_bootid to 4096 bytes, and where" plan
fresh
edit kernel/printk/printk.c 's/^\(module_param_named(time, .*\)S_IRUGO | S_IWUSR/\10400/'
expect "a parameter's mode" 4 "__param_time, an entry of the list __param, changes" plan
fresh
edit fs/signalfd.c '$s/$/\n#include <linux\/kprobes.h>\nNOKPROBE_SYMBOL(signalfd_release);/'
expect "a function that may not be probed" 4 "_kbl_addr_signalfd_release, an entry of the list _kprobe_blacklist" plan
fresh
more='#include <linux\/kprobes.h>\nstatic noinline void newleaf_free(void *p)\n{\n\tbarrier();\n\tkfree(p);\n}'
edit fs/signalfd.c "s/^static int signalfd_release(/$more\nNOKPROBE_SYMBOL(newleaf_free);\n\n&/
s/^\tkfree(file->private/\tnewleaf_free(file->private/"
expect "new code that may not be probed" 0 "carries  newleaf_free" plan
fresh
edit fs/proc/meminfo.c '/^static int __init proc_meminfo_init/,/^}/s/return 0/return 1/'
expect "init code" 4 "runs only while the kernel boots" plan
fresh
edit arch/x86/kernel/cpu/common.c \
	'/cpu_vuln_blacklist\[\] __initconst/,/^}/s/SANDYBRIDGE_X,\(.*\)VMSCAPE)/SANDYBRIDGE_X,\1MMIO)/'
expect "init data" 4 "cpu_vuln_blacklist changes (other bytes), which boot has read and nothing reads again" plan
fresh
edit arch/x86/kernel/cpu/intel_epb.c 's/MODEL(ALDERLAKE_L, 7)/MODEL(ALDERLAKE_L, 8)/'
expect "a constant that boot alone reads" 4 "intel_epb_normal changes (other bytes), which only code of boot reads" plan
fresh
edit kernel/kallsyms.c '/^static const struct proc_ops kallsyms_proc_ops/,/^}/s/seq_lseek/noop_llseek/'
expect "one that boot registers" 0 "changes  kallsyms_proc_ops" plan
fresh
edit net/ipv4/sysctl_net_ipv4.c '0,/^static int tcp_retr1_max = 255;/s/= 255;/= 254;/'
expect "writable data" 4 "which is writable" plan
# What the running kernel holds read-only is not written, whatever the patch makes of it
write='/^bool cpu_mitigations_off(void)/,/^}/s/return/if (system_state > SYSTEM_RUNNING)\n\t\tcpu_mitigations = 0;\n&/'
fresh
edit kernel/cpu.c "$write; s/^static enum cpu_mitigations cpu_mitigations __ro_after_init/static enum cpu_mitigations \
cpu_mitigations/"
expect "no longer __ro_after_init" 4 "cpu_mitigations is read-only since boot (__ro_after_init) in the running" plan
fresh
edit kernel/cpu.c "$write"
expect "a write to __ro_after_init" 4 "has cpu_mitigations_off write to cpu_mitigations, which is read-only" plan
fresh
edit fs/fcntl.c 's/^static const __poll_t band_table/static __poll_t band_table/
/^static void send_sigio_to_task(/,/^}/s/^\tint signum =.*/&\n\tif (reason == 77)\n\t\tband_table[0] = 0;/'
expect "no longer const" 4 "band_table is constant in the running kernel, and the patch makes it writable" plan
fresh
edit net/netlink/af_netlink.c '/^struct netlink_compare_arg$/,/^}/s/u32 portid;/u64 portid;/'
expect "layout" 4 "layout of struct netlink_compare_arg" plan
fresh
moved='/^static struct {/,/^}/{/^\tu64 prev_time/d;s/^\tarch_spinlock_t lock;/&\n\tu64 prev_time;/}'
edit kernel/trace/trace_clock.c "$moved"
expect "layout of what has no name" 4 "layout of variable trace_clock_struct" plan
fresh
edit arch/x86/entry/entry_64.S '1,5s,^/,// x\n/,'
expect "assembler" 7 "cannot change assembler" plan
fresh
edit include/linux/sched.h '/^static inline void set_tsk_thread_flag/,/^}/s/flag);/flag + 1);/'
expect "a header that modules use" 7 "NL_EUNSUPPORTED" plan
fresh
edit arch/x86/include/asm/nospec-branch.h 's/^\(#define RSB_CLEAR_LOOPS\s*\)32/\133/'
expect "a header that assembler uses" 7 "assembler, uses what the patch changes" plan
fresh
edit include/linux/mmzone.h 's/^\t__MAX_NR_ZONES$/\tZONE_NEWLEAF,\n&/'
expect "a number that is generated" 7 "NL_EUNSUPPORTED" plan
fresh
edit arch/x86/include/asm/barrier.h '/^static inline unsigned long array_index_mask_nospec/,/^}/s/sbb %0,%0;/& lfence;/'
expect "a template that is inlined everywhere" 7 "units use what the patch changes in headers" plan
fresh
edit include/linux/page-flags.h '/^static __always_inline int Page##uname/,/^}/s/return PageType/barrier(); &/'
expect "functions that a macro declares" 7 "units use what the patch changes in headers" plan
printf -- '--- /dev/null\n+++ b/arch/x86/include/asm/unaligned.h\n@@ -0,0 +1 @@\n+#define X 1\n' >"$dir/p.patch"
expect "a header that takes another's place" 7 "arch/x86/include/asm/unaligned.h is new, and" plan
fresh
edit fs/xfs/xfs_stats.c '0,/^{/s/^{/{\n\tbarrier();/'
expect "a module" 0 "proven equal to the module xfs" plan
# kpatch's and klp-build's words: what means something in a leaf works, the rest is refused with the way out
fresh
more='s/up_read(&uts_sem);/&\n\tKPATCH_PRINTK("newuname\\n");/'
edit kernel/sys.c "/^SYSCALL_DEFINE1(newuname,/,/^}/{s/^SYSCALL/#include \"kpatch-syscall.h\"\nKPATCH_&/;$more}"
expect "a system call for kpatch" 0 "replaces __do_sys_newuname" plan
word() {
	fresh
	edit fs/signalfd.c "1i $2"
	expect "$1" 7 "$3" plan
}
word "a callback" 'KPATCH_PRE_PATCH_CALLBACK(before);' \
	"fs/signalfd.c: uses KPATCH_PRE_PATCH_CALLBACK: a callback, which a module's loading runs; a leaf has none: "
word "a callback of klp-build's" 'KLP_POST_UNPATCH_CALLBACK(after);' "uses KLP_POST_UNPATCH_CALLBACK: a callback"
word "no check" 'KPATCH_FORCE_UNSAFE(signalfd_read);' "uses KPATCH_FORCE_UNSAFE: no leaf is applied while"
word "a mark" 'KPATCH_IGNORE_FUNCTION(signalfd_read);' "uses KPATCH_IGNORE_FUNCTION: "
word "old shadow variables" 'void *x = kpatch_shadow_get(p, "n");' "say klp_shadow_*()"
word "klp-build's header" '#include <linux/livepatch_helpers.h>' "includes <linux/livepatch_helpers.h>"
fresh
edit fs/signalfd.c '1i #define KLP_NAME 1'
expect "a word of the kernel's own" 3 "NL_NOTHING" plan

fresh
edit Documentation/index.rst '1s/^/x\n/'
expect "documentation" 3 "no part of this kernel" plan
fresh
edit tools/lib/bpf/relo_core.c '/^static const char \*btf_kind_str/,/^}/s/^{/{\n\tbarrier();/'
expect "a tool's source" 7 "the makefile of kernel/bpf makes code of the kernel of it" plan
fresh
edit arch/x86/lib/x86-opcode-map.txt 's,^9b: FWAIT/WAIT,9b: FWAIT | NOP (F3),'
expect "a tool's table" 7 "the makefile of arch/x86/lib makes code of the kernel of it" plan
fresh
edit tools/objtool/check.c '1,5s,^,// x\n,'
expect "a tool" 3 "no part of this kernel" plan
fresh
edit kernel/sys.c '/^static int prctl_set_auxv(/,/^}/s/task_lock(current);/no_such_function();\n&/'
expect "it does not compile" 4 "NL_ECOMPILE" plan
fresh
edit kernel/sys.c '/^static int prctl_set_auxv(/,/^}/s,task_lock(current);,no_such_function(); /* \x1b[31m */\n&,'
expect "escapes in what does not compile" 4 'no_such_function(); /* \x1b[31m */' plan
fresh
edit kernel/sys.c '/^static int prctl_set_auxv(/,/^}/s/task_lock(current);/newleaf_new(len);\n&/
	s/^static int prctl_set_auxv(/noinline int newleaf_new(unsigned long) __asm__("new\xe2\x80\xaeleaf");\n&/
	$s/$/\nint newleaf_new(unsigned long len)\n{\n\tcond_resched();\n\treturn len == 7;\n}/'
expect "escapes in a name" 0 'carries  new\xe2\x80\xaeleaf, ' plan
printf -- '--- a/kernel/sys.c\n+++ b/kernel/sys.c\n@@ -1 +1 @@\n-not what is there\n+x\n' >"$dir/p.patch"
expect "another source" 5 "fits nowhere" plan
hunk='@@ -150,5 +150,6 @@\n a;\n b;\n c;\n+\tbarrier();\n \treturn 0;\n }\n'
printf -- '--- a/fs/signalfd.c\n+++ b/fs/signalfd.c\n'"$hunk" >"$dir/p.patch"
expect "a hunk that fits by half" 5 "fits nowhere" plan
printf -- '--- a/kernel/$(touch %s/ran).c\n+++ b/kernel/x.c\n@@ -1 +1 @@\n-x\n+x\n' "$dir" >"$dir/p.patch"
expect "a path that would run something" 2 "a path has only" plan
printf -- '--- a/../etc/passwd\n+++ b/../etc/passwd\n@@ -1 +1 @@\n-x\n+x\n' >"$dir/p.patch"
expect "a path out of the tree" 2 "leads out of the source tree" plan
expect "nothing ran" 1 "" test -e "$dir/ran"

# What cannot be made, or is another than the image's, is never "not in this kernel"
fresh
edit fs/proc/cmdline.c '/^static int cmdline_proc_show/,/^}/s/return 0/return m->count > 9/'
cp -aL "$(dirname "$(find "$headers" -maxdepth 4 -name .config)")" "$dir/broken"
rm "$dir/broken/include/generated/autoconf.h"
expect "make fails" 4 "NL_ECOMPILE" "$author" build "$dir/p.patch" -k "$kernel" -S "$source" \
	-H "$dir/broken" --id p -n
mkdir -p "$dir/another/fs/proc"
for d in . fs fs/proc; do ln -sn "$source/$d"/* "$dir/another/$d" 2>/dev/null; done
rm "$dir/another/fs/proc/cmdline.c"
sed 's/putc(m,/putc(m, 1 +/; s/"cmdline", 0/"cmdline", 1/' "$source/fs/proc/cmdline.c" \
	>"$dir/another/fs/proc/cmdline.c"
sed '0,/return 0/s//return m->count > 9/' "$dir/another/fs/proc/cmdline.c" >"$dir/edited"
diff -u --label a/fs/proc/cmdline.c --label b/fs/proc/cmdline.c "$dir/another/fs/proc/cmdline.c" "$dir/edited" \
	>"$dir/q.patch"
expect "nothing of it is proven" 5 "is not the one in the image" "$author" build "$dir/q.patch" -k "$kernel" \
	-S "$dir/another" -H "$headers" --id p -n

# A source that has the patch already: fixed, if the image is of it
cp "$dir/another/fs/proc/cmdline.c" "$dir/changed"
has_it() { "$author" build "$dir/$1" -k "$kernel" -S "$dir/another" -H "$headers" --id p -n; }
sed 's/return 0/return 1/' "$source/fs/proc/cmdline.c" >"$dir/edited"
diff -u --label a/fs/proc/cmdline.c --label b/fs/proc/cmdline.c "$dir/edited" "$source/fs/proc/cmdline.c" \
	>"$dir/q.patch"
cp "$source/fs/proc/cmdline.c" "$dir/another/fs/proc/cmdline.c"
expect "fixed" 3 "NL_FIXED" has_it q.patch
diff -u --label a/fs/proc/cmdline.c --label b/fs/proc/cmdline.c "$source/fs/proc/cmdline.c" "$dir/changed" \
	>"$dir/q.patch"
cp "$dir/changed" "$dir/another/fs/proc/cmdline.c"
expect "fixed in the source alone" 5 "of the image is not of this source" has_it q.patch

# A compiler that tells no types, and makefiles that run themselves
older=$(scripts/get-kernel --vmlinuz linux-image-5.10.0-46-cloud-amd64) || exit 1
expect "5.10" 0 "1 site" "$author" build "$dir/p.patch" -k "$older" --id p -o "$dir/5.leaf"

# What a leaf has no place for, and what changes with its users
before='s/^static const struct file_operations signalfd_fops/'
use='s/^\tif (flags \& ~(SFD_CLOEXEC/\t'
fresh
edit fs/signalfd.c "1,/#include/s/#include/#include <linux\\/module.h>\\n&/
${before}static int tune;\\nmodule_param(tune, int, 0644);\\n&/; ${use}if (tune)\\n\\t\\treturn -EPERM;\\n&/"
expect "a module parameter" 4 "__param_tune is new and only for boot" plan
fresh
edit fs/signalfd.c "${before}static DEFINE_PER_CPU(int, tune);\\n&/; ${use}this_cpu_inc(tune);\\n&/"
expect "a per-CPU variable" 4 "section .data..percpu, made by a per-CPU variable of its own" plan
fresh
edit include/linux/fsnotify_backend.h '/^enum fsnotify_iter_type {/s/$/\n\tFSNOTIFY_ITER_TYPE_NEW,/'
expect "constants that move, and whom they concern" 7 "units use what the patch changes in headers" plan
fresh
edit fs/pnode.h 's/^#define CL_EXPIRE.*/#define CL_EXPIRE 0x100/'
expect "a macro of a header" 0 "replaces clone_mnt at" plan

fresh
edit fs/signalfd.c "${use}if (get_user(ufd, (int __user *)mask))\\n\\t\\treturn -EFAULT;\\n&/"
expect "a function that becomes a clone" 0 "carries  do_signalfd4" plan

# Which variable is which
renamed='/^struct file \*alloc_empty_file(/,/^}/s/old_max/worst/'
another='s/^{/{\n\tstatic long old_max;\n\tif (flags \& 0x40000000)\n\t\tpr_info("%ld", old_max++);/'
another="/^static struct file \\*alloc_file(/,/^}/$another"
fresh
edit fs/file_table.c "$renamed"
expect "a variable under another name" 4 "the variable old_max.4 goes and worst.4 comes" plan
expect "it is another" 0 "old_max.4 goes, worst.4 comes; ALLOWED" plan --allow state
fresh
edit fs/file_table.c '/^struct file \*alloc_empty_file(/,/^}/s/old_max = get_nr_files();/;/'
expect "a variable that nothing writes any more" 4 "the compiler takes the first value of old_max.4 for it" plan
expect "it shall begin anew" 0 "old_max.4 keeps its first value; ALLOWED" plan --allow state
fresh
edit fs/file_table.c '/^struct file \*alloc_empty_file(/,/^}/s/if (get_nr_files() > old_max)/if (1)/'
expect "a variable that nothing reads any more" 0 "the variable old_max.4 is gone" plan
fresh
edit fs/file_table.c "$renamed; $another"
expect "another's number" 4 "which old_max of the running kernel is meant cannot be told" plan --allow state
fresh
edit fs/file_table.c "$another; "'$s/$/\nvoid newleaf_one(void)\n{\n}\nEXPORT_SYMBOL(newleaf_one);/'
expect "one more of the name" 0 "replaces alloc_file at" plan
expect "an export" 0 "the patch exports newleaf_one; the leaf does not" plan

# A variable that moves to another unit stays the kernel's
fresh
edit fs/file.c '/^unsigned int sysctl_nr_open __read_mostly = 1024\*1024;/d'
edit fs/fcntl.c 's/^static int setfl(/unsigned int sysctl_nr_open = 1024*1024;\n\n&/'
expect "a variable that moves" 0 "sysctl_nr_open moves here from fs/file.c" plan
expect "it has no copy" 0 "body 1056 + 0 bytes" build -o "$dir/moved.leaf"
sed -i 's/^+unsigned int sysctl_nr_open = .*/+unsigned int sysctl_nr_open = 4096*1024;/' "$dir/p.patch"
expect "it moves and changes" 4 "moves to fs/fcntl.c and changes (other bytes)" plan

# Names that the image has: a function that moves, another one in the place of a weak one, or of none
fresh
exec='/^bool get_close_on_exec(/,/^}/'
edit fs/file.c "$exec"d
lines="$exec{s/res = close_on_exec/res = fd < 100000 \&\& close_on_exec/;s/\&/\\\&/g;s/^/i\\\\/;p}"
edit fs/fcntl.c "/^static int setfl(/{
$(sed -n "$lines" "$source/fs/file.c")
}"
expect "a function that moves" 0 "replaces get_close_on_exec" plan
fresh
more='void pcibios_set_master(struct pci_dev *dev)\n{\n\tpci_info(dev, "master\\n");\n}\n\n&'
edit arch/x86/pci/common.c "s/^int pcibios_enable_device(/$more/"
expect "in the place of a weak one" 0 "replaces pcibios_set_master" plan
edit drivers/pci/pci.c '/^void __weak pcibios_set_master/,/^}/s/^{/{\n\tbarrier();\n\tif (!dev)\n\t\treturn;/'
expect "which changes, too" 4 "the patch changes or adds one in drivers/pci/pci.c, too" plan
fresh
edit arch/x86/pci/common.c '/^int pcibios_enable_device(/,/^}/d'
expect "a weak one is left" 4 "takes pcibios_enable_device away, and do_pci_enable_device" plan
fresh
edit arch/x86/pci/common.c 's/^int pcibios_enable_device(/void pci_restore_state(struct pci_dev *dev)\n{\n}\n\n&/'
expect "in the place of a strong one" 4 "pci_restore_state is new here, and the image has one" plan

# Prototypes of what others may call
fresh
edit include/linux/sched/signal.h 's/^\(extern int kill_pid_usb_asyncio(\)int sig/\1long how, int sig/'
edit kernel/signal.c 's/^int kill_pid_usb_asyncio(/&long how, /;
	/^int kill_pid_usb_asyncio(/,/^}/s/if (!valid_signal(sig))/if (how || !valid_signal(sig))/'
expect "the prototype of an export" 4 "asyncio takes or returns something else after the patch, and modules" plan
expect "which no module uses" 0 "by the old prototype: kill_pid_usb_asyncio; ALLOWED" plan --allow modules
fresh
edit kernel/trace/bpf_trace.c 's/^\(void bpf_key_put(struct bpf_key \*bkey\))/\1, int deep)/;
	/^void bpf_key_put(/,/^}/s/if (bkey->has_ref)/if (deep \&\& bkey->has_ref)/'
expect "the prototype of a function for BPF" 4 "bpf_key_put takes or returns something else" plan

# Who was given the address of a function keeps it, and calls what stands there
work=wb_update_bandwidth_workfn
fresh
edit mm/backing-dev.c "s/$work/wb_newleaf_workfn/"
expect "a callback under another name" 4 "$work is gone, or only a part of others, after the patch" plan
expect "which nobody has" 0 "replaces wb_init" plan --allow objects
fresh
wrap='static void wb_newleaf_workfn(struct work_struct *work)\n{\n'
wrap="s/^}/&\n\n$wrap"
body="/^static.* $work(/,/^}/"
give="s/bw_dwork, $work/bw_dwork, wb_newleaf_workfn/"
form="s/^static void $work(struct work_struct \*work)/static noinline void $work(struct bdi_writeback *wb)/"
edit mm/backing-dev.c "$form
$body{/struct bdi_writeback \*wb = /,/bw_dwork);/d
$wrap\t$work(container_of(to_delayed_work(work), struct bdi_writeback, bw_dwork));\n}/}
$give"
expect "a callback of another prototype" 4 "$work takes or returns something else after the patch, and wb_init" plan
fresh
edit mm/backing-dev.c "$body{$wrap\tcond_resched();\n\t$work(work);\n}/}
$give"
expect "another callback around it" 4 "$work is gone, or only a part of others, after the patch, and wb_init" plan
fresh
edit fs/signalfd.c 's/signalfd_fops/signalfd_operations/'
expect "a table under another name" 4 "signalfd_fops is gone from the source, and " plan

# Whichever functions the compiler inlines, by the source each lock is of one
fresh
edit kernel/audit.c 's/^static inline int audit_rate_check/static noinline int audit_rate_check/'
expect "a function no longer inlined" 0 "replaces audit_log_start at" plan
# Two of a name and a size: the third compilation has one more, of a function that nothing calls
fresh
edit mm/util.c '/^void vma_close/,/^}/s/dummy_vm_ops = {}/dummy_vm_ops = {.name = newleaf_name}/
s/^void vma_close/static const char *newleaf_name(struct vm_area_struct *vma)\n{\n\treturn "closed";\n}\n\n&/
$s/$/\nstatic void __maybe_unused newleaf_unused(struct vm_area_struct *vma)\n{\n\t'\
'static const struct vm_operations_struct dummy_vm_ops = {.may_split = (void *)newleaf_name};\n\n\t'\
'vma->vm_ops = \&dummy_vm_ops;\n}/'
expect "a constant of a function, changed in place" 0 "1 site" build -o "$dir/vma.leaf"
expect "it is the one of that function" 0 "dummy_vm_ops.0+0x60, 8 bytes" "$author" inspect "$dir/vma.leaf" -k "$kernel"

# What the kernel does with a WARN (taint, panic_on_warn, warn_limit) is in __warn()
fresh
edit kernel/sys.c '/^static int prctl_set_auxv(/,/^}/s/task_lock(current);/WARN_ON_ONCE(!len);\n&/'
expect "a WARN" 0 "1 site" build -o "$dir/warn.leaf"
expect "it is one of the kernel's" 0 "call __warn" "$author" inspect "$dir/warn.leaf" -k "$kernel"

# Whole units
# Functions that share a section (__sched): each is the image's own; variables that do: as they stand, or refused
fresh
edit kernel/sched/core.c '/^static void do_sched_yield(/,/^}/s/^\tschedule();/\tcond_resched();\n&/'
expect "a call within a shared section" 0 "1 site" build -o "$dir/yield.leaf"
expect "it is the one that the source says" 0 "jmp schedule" "$author" inspect "$dir/yield.leaf" -k "$kernel"
fresh
edit kernel/locking/rtmutex_api.c '/^int __sched rt_mutex_trylock(/,/^}/s/ret = __rt_mutex_trylock/ret = \
!lock->rtmutex.wait_lock.raw_lock.val.counter \&\& __rt_mutex_trylock/'
expect "one of a shared section" 0 "1 site, body 160 + 0 bytes" build -o "$dir/rt.leaf"
expect "it has no copies of others" 0 "call try_to_take_rt_mutex" "$author" inspect "$dir/rt.leaf" -k "$kernel"
fresh
edit kernel/time/timer.c '/^signed long __sched schedule_timeout(/,/^}/s/if (timeout < 0) {/if (timeout < -1) {/'
expect "one that sleeps" 0 "replaces schedule_timeout at" plan
fresh
edit kernel/sched/idle.c '/^void __cpuidle default_idle_call/,/^}/s/^\t\tarch_cpu_idle();/\t\tcpu_relax();\n&/'
expect "one of another section" 0 "replaces default_idle_call at" plan
fresh
edit kernel/locking/mutex.c '/^__mutex_lock_common(/,/^}/s/ret = -EINTR;/ret = -ERESTARTSYS;/'
expect "a clone in a shared section" 0 "replaces __mutex_lock_killable_slowpath at" plan
fresh
edit kernel/crash_core.c '/^static int __init __parse_crashkernel(/,/^}/s/return -ENOENT;/return -ENODEV;/'
expect "a clone for boot" 4 "parse_crashkernel runs only while the kernel boots (__init)" plan
fresh
edit mm/page_alloc.c '/^void __meminit setup_zone_pageset(/,/^}/s/^\tint cpu;/&\n\tif (!zone)\n\t\treturn;/'
expect "one for memory that is plugged in" 0 "1 site, body" build -o "$dir/pageset.leaf"
fresh
edit mm/memblock.c '/memblock_add_range(/,/^}/s/^\tif (!size)/\tif (!size || end < base)/'
expect "one for memory that boot hands out" 4 "memblock_add_range runs only while the kernel boots (memblock" plan
fresh
edit kernel/cgroup/rstat.c '/^void cgroup_rstat_updated(/,/^}/s/\<cpu\>/cpu__k/g'
expect "a name that BPF programs are checked by" 4 "a parameter of cgroup_rstat_updated is called otherwise" plan
fresh
edit net/core/sysctl_net_core.c '/sysctl_core_net_init(/,/^}/s/return -ENOMEM;/return -ENOSPC;/'
expect "what sets namespaces up" 0 "sysctl_core_net_init is called when a network namespace is set up" plan
fresh
edit fs/locks.c 's/^static struct kmem_cache \*filelock_cache.*/&\nstatic unsigned long one_more __read_mostly;/
/^struct file_lock \*locks_alloc_lock(/,/^}/s/^\tif (fl)/\tone_more++;\n&/'
expect "one more in a shared section" 4 "share section .data..read_mostly" plan

expect "proof" 0 "41 of 41 functions" "$author" prove fs/pipe.c -k "$kernel" -S "$source" -H "$headers"

printf '[  PASSED  ] %s test(s).\n' "$passed"
[ "$failed" = 0 ] || { printf '[  FAILED  ] %s test(s).\n' "$failed"; exit 1; }
