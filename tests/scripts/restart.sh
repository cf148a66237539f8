#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An NMI between vmx_restart and vmx_restart_end (arch/x86_64/vmx/entry.S) sends the entry back, to where the top of
# the stack says whose it was. So no instruction in between may move the stack, and every entry must lie there.
set -eu
cd "$(dirname "$0")/../.."
core=${B:-build}/core.elf
at() { nm "$core" | awk -v name="$1" '$3 == name { print "0x" $1 }'; }
objdump -d --no-show-raw-insn --start-address="$(at vmx_restart)" --stop-address="$(at vmx_restart_end)" "$core" | awk '
	/\t/ { n++ }
	/vmlaunch|vmresume/ { entries++ }
	/push|pop|call|ret|,%[re]sp|leave|xchg/ { print "restart: moves the stack: " $0; bad = 1 }
	END {
		if (entries != 3) { print "restart: " entries + 0 " entries in it, of 3"; bad = 1 }
		if (bad) exit 1
		print n " instructions can be sent back"
	}'
all=$(objdump -d --no-show-raw-insn "$core" | grep -cE 'vmlaunch|vmresume')
[ "$all" = 3 ] || { echo "restart: an entry lies elsewhere: $all in all"; exit 1; }
