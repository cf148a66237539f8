#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bodies that compile and would do another thing than they seem to: a copy of a variable that the kernel shares, one
# CPU's variable as if it were all CPUs', data that is called, code that is read. Each is refused by the name of what it
# uses, and says what to do. Sourced by run.sh, with its functions.

# Data and functions
refused "a function that is data" 4 "sysctl_overcommit_memory: a function here, data in 6.1.0-50" "$target" \
	"$(of 'return sysctl_overcommit_memory();' 'extern int sysctl_overcommit_memory(void);')"
refused "data that is a function" 4 "vfs_fsync: data here, a function in 6.1.0-50" "$target" \
	"$(of 'return vfs_fsync[p & 3];' 'extern int vfs_fsync[4];')"
refused "data of one letter that is assembler code" 4 "memset_orig: data here, a function in" "$target" \
	"$(of 'return memset_orig;' 'extern char memset_orig;')"

# What is linked is what was compared
refused "another name for a function" 4 "keyctl_describe_key: the body declares nothing of that name" "$target" \
	"$(of 'return other(p);' 'extern int other(int) __asm__("keyctl_describe_key");')"
refused "another name for a variable" 4 "sysctl_overcommit_memory: the body declares nothing of that name" "$target" \
	"$(of 'return other;' 'extern long other __asm__("sysctl_overcommit_memory");')"
refused "another name for the body" 4 "ioprio_check_cap: the body declares nothing of that name" "$target" \
	'long other(long p) __asm__("ioprio_check_cap"); long other(long p) { return p > 0; }'

# Variables that the kernel has
refused "a private lock" 4 "inode_hash_lock is a variable of 6.1.0-50" "$target" \
	"$(of 'spin_lock(&inode_hash_lock); spin_unlock(&inode_hash_lock);' 'static DEFINE_SPINLOCK(inode_hash_lock);')"
refused "a private static of a function" 4 "seq is a variable of" "$target" \
	"$(of 'static int seq; return seq++;')"
recipe "$target allow private"
body "$(of 'return sysctl_overcommit_memory++;' 'static int sysctl_overcommit_memory;')"
expect "a private variable, allowed" 0 "allowed: private variables of b.c: sysctl_overcommit_memory" \
	build "$dir/r.recipe" -o "$dir/r.leaf"

# Variables of a CPU
refused "a variable of a CPU as if there were one" 4 "cpu_number is a variable of each CPU" "$target" \
	"$(of 'return *(int *)(unsigned long)&cpu_number;')"
refused "its address, kept" 4 "cpu_number is a variable of each CPU" "$target" \
	"$(of 'return !at;' 'void *at = (void *)(unsigned long)&cpu_number;')"
recipe "$target allow percpu"
body "$(of 'return *(int *)(unsigned long)&cpu_number;')"
expect "a variable of a CPU, allowed" 0 "allowed: per-CPU variables of b.c: cpu_number" \
	build "$dir/r.recipe" -o "$dir/r.leaf"
f='int c; long n = 0; for_each_possible_cpu(c) n += *per_cpu_ptr(&process_counts, c) + per_cpu(cpu_number, c);'
f="$f n += __this_cpu_read(cpu_number) + *this_cpu_ptr(&process_counts) + *raw_cpu_ptr(&cpu_number);"
good "variables of a CPU as the kernel uses them" "$target" \
	"$(of "$f return n;" 'DECLARE_PER_CPU(unsigned long, process_counts);')"
f='extern int sysctl_overcommit_memory; return sysctl_overcommit_memory;'
refused "a variable that a function declares" 4 "or inside a function: so no type was compared" "$target" "$(of "$f")"
good "a variable that the file declares, too" "$target" "$(of "$f" 'extern int sysctl_overcommit_memory;')"
