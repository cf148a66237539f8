// SPDX-License-Identifier: Apache-2.0
/*
 * The door of this room: struct nl_vendor of VMX, and the two permission maps.
 */
#include "nmi.h"
#include "vmx.h"

void vmx_intercept_msr(uint32_t index, bool read, bool write) { vmx_intercept_in(vmx.msr_bitmap, index, read, write); }
void vmx_intercept_port(uint16_t port) { vmx.io_bitmap[port / 8] |= (uint8_t)(1u << port % 8); }

const struct nl_vendor nl_vmx =
        NL_VENDOR(vmx_, .name = "VMX", .paging = "EPT", .run = vmx_run, .kick = nmi_kick, .init_exits = true);
