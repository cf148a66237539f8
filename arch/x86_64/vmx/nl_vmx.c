// SPDX-License-Identifier: Apache-2.0
/*
 * The door of this room: struct nl_vendor of VMX, and the two permission maps.
 */
#include "nmi.h"
#include "vmx.h"

static void intercept_msr(uint32_t index, bool read, bool write)
{
	unsigned byte;
	uint8_t mask;

	if (!vmx_msr_bit(index, &byte, &mask))
		return; /* outside the bitmap every access exits */
	uint8_t *r = vmx.msr_bitmap + byte, *w = r + 2048;
	*r = (uint8_t)(read ? *r | mask : *r & ~mask);
	*w = (uint8_t)(write ? *w | mask : *w & ~mask);
}

static void intercept_port(uint16_t port) { vmx.io_bitmap[port / 8] |= (uint8_t)(1u << port % 8); }

const struct nl_vendor nl_vmx = {
        .name = "VMX",
        .paging = "EPT",
        .probe = vmx_probe,
        .format = vmx_format,
        .machine_init = vmx_machine_init,
        .cpu_init = vmx_cpu_init,
        .cpu_exit = vmx_cpu_exit,
        .launch_state = vmx_launch_state,
        .wait_for_sipi = vmx_wait_for_sipi,
        .run = vmx_run,
        .context = vmx_context,
        .skip = vmx_skip,
        .inject = vmx_inject,
        .set_root = vmx_set_root,
        .flush_all = vmx_flush_all,
        .set_flags = vmx_set_flags,
        .get_msr = vmx_get_msr,
        .set_msr = vmx_set_msr,
        .intercept_msr = intercept_msr,
        .intercept_port = intercept_port,
        .kick = nmi_kick,
        .dump = vmx_dump,
        .init_exits = true,
};
