// SPDX-License-Identifier: Apache-2.0
/*
 * What the loader hands to the core: versioned, fixed layout. Also the layout of the reserved region and of the
 * trusted-key section, which both sides must agree on. The loader fills it; the core copies it at once and keeps
 * nothing else of the loader's. Both are one image under one signature: of what the loader says the core checks that it
 * was built with it, magic, version and size.
 */
#ifndef NEWLEAF_BOOTBLOCK_H
#define NEWLEAF_BOOTBLOCK_H

#include <newleaf/signature.h>
#include <newleaf/list.h>
#include <newleaf/record.h>
#include <newleaf/types.h>

#define NL_BOOT_MAGIC 0x544f4f424c4eULL /* "NLBOOT" */
#define NL_BOOT_VERSION 6

/*
 * The reserved region: one run of EfiReservedMemoryType, 2 MiB aligned, above 4 GiB where there is memory, else below.
 * The whole of it is mapped at NL_CORE_VA, all physical memory that the host page table reaches at NL_DIRECT_VA.
 * Another root, for the way in and back, shows physical memory one to one as well.
 */
#define NL_REGION_ARENA_TEXT 0x0ULL      /* 2 MiB: bodies, read-execute for the guest */
#define NL_REGION_ARENA_DATA 0x200000ULL /* 2 MiB: body data, read-write no-execute for the guest */
#define NL_ARENA_OWN 64u                 /* bytes at the end of either half: the hypervisor's own (hv/guest) */
#define NL_REGION_CORE 0x400000ULL       /* core image with .bss, boot block, host page tables, then the pool */
#define NL_REGION_SIZE(n_cpus) (0x1000000ULL + ((n_cpus)-1ULL) / 64 * NL_2M) /* 16 MiB for 64 CPUs, 32 KiB for more */
#define NL_REGION_MAX NL_REGION_SIZE(NL_MAX_CPUS)
/*
 * Where a CPU goes at an SMI, and saves its state behind it, until somebody moves its SMBASE (SDM vol. 3, 32.4, 32.11;
 * APM vol. 2, 10.2). A firmware without SMM of its own does not: then this would be the guest's way past the nested
 * page tables.
 */
#define NL_SMI_HANDLER 0x38000ULL
#define NL_SMI_END 0x40000ULL
#define NL_CORE_VA 0xffffffff80000000ULL /* of the region */
#define NL_DIRECT_VA 0xffff800000000000ULL
#define NL_DIRECT_MAX (255 * 512 * NL_1G) /* up to the root's entry that holds the core */

/* First bytes of the core image (a flat binary): what the loader must know of it. All ends are page aligned. */
#define NL_CORE_MAGIC 0x45524f434c4eULL /* "NLCORE" */
struct nl_core_header {
	uint64_t magic;
	uint32_t version;     /* NL_BOOT_VERSION */
	uint32_t image_size;  /* bytes in the file */
	uint64_t memory_size; /* with .bss; from here to the end of the region is free for tables and the pool */
	uint64_t text_end,
	        rodata_end; /* offsets in the image: up to text_end it is executed, up to rodata_end only read */
	uint64_t entry_va;  /* uint64_t entry(struct nl_boot_block *, enum nl_enter, uint64_t firmware_cr3) */
};

/*
 * The entry, System V ABI: returns enum nl_err. PREPARE, on the boot CPU, changes nothing that the firmware could see.
 * JOIN, on each other CPU, waits for all of them: either every one returns NL_OK and runs as a guest from then on, or
 * none does. LAUNCH, on the boot CPU, the same for itself.
 */
enum nl_enter { NL_ENTER_PREPARE, NL_ENTER_JOIN, NL_ENTER_LAUNCH };

struct nl_boot_range { /* host-physical */
	uint64_t base, size;
};

/* Files of the EFI partition that somebody signed: the loader reads them and understands none of them. */
enum nl_boot_file {
	NL_FILE_LIST,    /* the signed list (list.h) */
	NL_FILE_ORDER_0, /* places of standing orders (order.h) */
	NL_FILE_ORDER_1,
	NL_FILES
};
#define NL_FILE_MAX_SIZE (512u << 10) /* of each */

#define NL_MAX_CPUS 512
#define NL_MAX_RANGES 64
#define NL_MAX_KEYS 16

/* What a key may sign: leaves, orders (order.h), lists of what is revoked. */
enum nl_key_role { NL_ROLE_AUTHOR = 1, NL_ROLE_OPERATOR = 2, NL_ROLE_REVOKE = 4 };
#define NL_ROLES 7u

/* The section `.nlkeys` of newleafx64.efi, and a key file: a head (record.h) and these. */
#define NL_KEYS_MAGIC 0x5359454b4c4eULL /* "NLKEYS" */
#define NL_KEYS_KIND \
	(&(const struct nl_record_kind){NL_KEYS_MAGIC, 2, sizeof(struct nl_record), sizeof(struct nl_key), 0, \
	                                NL_MAX_KEYS})
struct nl_key {
	uint32_t role;   /* bits of enum nl_key_role */
	uint8_t key[32]; /* Ed25519 public key */
	char name[28];   /* NUL-terminated, printable ASCII */
};
_Static_assert(sizeof(struct nl_key) == 64, "key layout");

/* What a machine remembers of standing orders (order.h), and of keys. */
struct nl_standing {
	uint64_t epoch;     /* of the newest that was accepted; 0: none yet */
	uint64_t tried;     /* those up to this epoch are left out, because a boot with one did not finish */
	uint64_t reserved;  /* 0 */
	uint8_t sha256[32]; /* of its whole file: another one of that epoch is none */
	struct nl_key keys[NL_MAX_KEYS]; /* those that have such marks; role 0: none */
};
/* In nl_key.role, behind its roles, what does not come from the image: roles that a list or an order has taken from it,
 * and that an order has given it. SIGNED: the order of nl_standing.epoch, as one whose signature counted. */
#define NL_KEY_LOST(roles) ((uint32_t)(roles) << 8)
#define NL_KEY_GIVEN(roles) ((uint32_t)(roles) << 16)
#define NL_KEY_SIGNED (1u << 24)

/* The section `.nlpol`: a head and one record, what the conf file may only restrict. (PE section names have eight
 * characters.) */
#define NL_POLICY_MAGIC 0x5943494c4f504c4eULL /* "NLPOLICY" */
#define NL_POLICY_KIND \
	(&(const struct nl_record_kind){NL_POLICY_MAGIC, 1, sizeof(struct nl_record), \
	                                offsetof(struct nl_policy, operators), 1, 1})
enum nl_guest_may {
	NL_GUEST_MAY_NONE = 0,
	NL_GUEST_MAY_APPLY = 1,
	NL_GUEST_MAY_REVERT = 2,
	NL_GUEST_MAY_CONFIRM = 4,   /* what is on probation */
	NL_GUEST_MAY_AGENTLESS = 8, /* have a commit made without an agent, of what it may ask for anyway */
	NL_GUEST_MAY_ALL = 15
};
enum nl_conf_may { NL_CONF_MAY_OPTIONS = 1, NL_CONF_MAY_CONSOLE = 2 };
enum nl_proof {
	NL_PROOF_NONE = 0,
	NL_PROOF_PORT = 1,
	NL_PROOF_TOKEN = 2
}; /* how a caller shows that it is root: hypercall.h */
/* When the signed list (list.h) is missing although this machine has accepted one, is older than that, or not good. */
enum nl_without_list {
	NL_WITHOUT_LIST_NO_LEAF = 0,   /* launch, apply no leaf */
	NL_WITHOUT_LIST_GO_ON = 1,     /* launch, and apply what the rest allows */
	NL_WITHOUT_LIST_NO_LAUNCH = 2, /* boot without Newleaf, or halt: as newleaf.conf says */
};
/* A module that a leaf is applied to comes, and cannot be patched: another build, other bytes, no room, no answer. */
enum nl_unpatched { NL_UNPATCHED_LET_IN = 0, NL_UNPATCHED_REFUSE = 1 };
/* What operators may order. KEYS: which keys are operators'. */
enum nl_order_may {
	NL_ORDER_MAY_NOW = 1,
	NL_ORDER_MAY_STANDING = 2,
	NL_ORDER_MAY_KEYS = 4,
	NL_ORDER_MAY_AGENTLESS = 8,
	NL_ORDER_MAY_ALL = 15
};
/* What the hypervisor's own network lets be asked (net.h), whoever asks: all that changes something wants an order
 * besides. */
enum nl_net_may {
	NL_NET_MAY_METRICS = 1, /* GET /metrics: states and counts, no name of any leaf */
	NL_NET_MAY_READ = 2,    /* status, leaves, journal */
	NL_NET_MAY_ORDERS = 4,  /* challenge, orders, and the leaves that these name */
	NL_NET_MAY_ALL = 7
};
struct nl_policy {
	uint32_t guest_may;        /* bits of enum nl_guest_may */
	uint32_t deadline_ms;      /* longest deadline a caller may ask for, 1..10000 */
	uint32_t conf_may;         /* what newleaf.conf may say under Secure Boot: bits of enum nl_conf_may */
	uint32_t security_version; /* rises with each hole that is closed; an image below the floor does not launch */
	uint32_t proofs;           /* which are taken: bits of enum nl_proof */
	uint32_t signatures;       /* of how many different authors a leaf needs, 1..NL_MAX_SIGNATURES */
	uint32_t without_list;     /* enum nl_without_list */
	uint32_t unpatched;        /* what becomes of such a module: enum nl_unpatched */
	/* An image that was made before orders were ends here, and has zeroes. */
	uint32_t operators; /* of how many different operators an order needs, 1..NL_MAX_SIGNATURES; 0: none is taken */
	uint32_t order_may; /* bits of enum nl_order_may */
	uint32_t confirm_ms; /* the longest probation that may be asked for; 0: none */
	uint32_t net_may;    /* bits of enum nl_net_may; 0, as older images have it: there is no network */
};
_Static_assert(sizeof(struct nl_policy) == 48 && offsetof(struct nl_policy, operators) == 32, "policy layout");

/* What the firmware's clock says: EFI_TIME (UEFI 2.10, 8.3). All zero: it says nothing. */
struct nl_firmware_time {
	uint16_t year;
	uint8_t month, day, hour, minute, second, unused;
	uint32_t nanosecond;
	int16_t timezone; /* UTC is local time and so many minutes, -1440..1440; or NL_TIMEZONE_UNKNOWN */
	uint8_t daylight, unused2;
};
#define NL_TIMEZONE_UNKNOWN 2047

/* What the loader says of a boot. NL_CALL_STATUS answers it as it is. */
struct nl_boot_facts {
	uint64_t tsc_hz;              /* measured by the loader against Stall(), 0 = unknown */
	uint64_t tsc_at_wall;         /* when the clock was read, shortly before the launch */
	struct nl_firmware_time wall; /* what it said */
	uint64_t list_known;     /* sequence of the newest signed list that this machine had accepted; 0 = none yet */
	uint8_t boot_id[16];     /* random; of a machine without a source of randomness, from its clocks */
	uint8_t machine_id[16];  /* random, and the same at each boot; zero: it could not be made, or not be kept */
	struct nl_policy policy; /* image's policy, restricted by newleaf.conf */
	uint32_t secure_boot;    /* 1 = on, and shim checks: keys come from the signed image alone */
	uint32_t keys_from_file; /* 1 = keys came from a file on the ESP: status warns */
	uint32_t n_keys;
	uint32_t n_beyond; /* CPUs of the MADT that the firmware does not hand over: never to be started */
	uint32_t boots;    /* number of this boot: each later one has a higher; 0: none that could be kept */
	uint32_t random;   /* 1 = a source of randomness was there: without one neither tokens nor challenges */
};
_Static_assert(sizeof(struct nl_firmware_time) == 16 && sizeof(struct nl_boot_facts) == 144, "facts layout");

/* The card that the core keeps for its own network, and what it tells the stack (net.h). */
#define NL_NET_TEXT 96u /* of a setting of newleaf.conf, with its NUL */
struct nl_boot_net {
	uint16_t function; /* the card's: device << 3 | function, on bus 0, and its firmware's driver is off; 0: none */
	uint16_t reserved;
	uint32_t error; /* enum nl_err: why there is none although newleaf.conf names one */
	uint32_t port;  /* net-port */
	uint32_t reserved2;
	char ip[NL_NET_TEXT], ip6[NL_NET_TEXT]; /* net-ip, net-ip6; empty: unsaid */
};
_Static_assert(sizeof(struct nl_boot_net) == 208, "network layout");

struct nl_boot_block {
	uint64_t magic;
	uint32_t version;
	uint32_t size;        /* sizeof(struct nl_boot_block) */
	uint64_t region;      /* host-physical base of the reserved region */
	uint64_t region_size; /* NL_REGION_SIZE(n_cpus) */
	uint64_t free_start;  /* first free byte in the region (offset) behind core image, .bss and host page table */
	uint64_t host_cr3;    /* the core's page table, inside the region, with as many levels as the firmware's */
	uint64_t launch_cr3;  /* the same, and physical memory one to one: the way in, and back when it fails */
	uint64_t direct_size; /* physical memory mapped at NL_DIRECT_VA: [0, direct_size) */
	uint64_t left; /* host-physical, in the region: struct nl_left, with what the boot before left (kept.h) */
	struct nl_boot_range files[NL_FILES]; /* in the region; size 0 = there is none */
	struct nl_boot_facts facts;
	struct nl_standing standing; /* as the machine remembers it; out, by PREPARE: as it is from now on */
	uint64_t seed;          /* host-physical, for PREPARE alone: 32 bytes of the machine's key, if facts.boots */
	uint64_t list_accepted; /* out, by PREPARE: that of this one; 0 = not accepted */
	uint32_t console_port;  /* 0x3f8 ... or 0 = silent */
	uint8_t secret[32];     /* for this boot's tokens, challenges and key, if facts.random */
	uint32_t n_cpus;        /* CPUs that the firmware hands over, the boot CPU first */
	uint32_t n_ranges;
	uint32_t smi_page; /* 1: the pages at NL_SMI_HANDLER are ours */
	uint32_t
	        leave_out; /* 1: the boot before did not finish: no standing order, and what there is counts as tried */
	uint32_t reserved;
	uint32_t apic_ids[NL_MAX_CPUS];
	struct nl_boot_range ranges[NL_MAX_RANGES]; /* RAM of the firmware's memory map, coalesced, ascending */
	struct nl_key keys[NL_MAX_KEYS];
	struct nl_boot_net net;
};

#endif
