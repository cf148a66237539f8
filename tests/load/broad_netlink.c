// SPDX-License-Identifier: Apache-2.0
/*
 * The part of `broad` that speaks netlink: everything that a kernel lists of its network, what a root may set up in a
 * network namespace of his own, and the families beside it (generic, diagnosis, IPsec, audit).
 */
#include "broad.h"

#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_addrlabel.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/inet_diag.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct {
	struct nlmsghdr h;
	char body[4096];
} r;

static void begin(int type, int flags, const void *body, size_t n)
{
	memset(&r, 0, sizeof(r));
	r.h = (struct nlmsghdr){.nlmsg_type = (uint16_t)type,
	                        .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
	                        .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + NLMSG_ALIGN(n)),
	                        .nlmsg_seq = 1};
	if (body)
		memcpy(r.body, body, n);
}

static void attribute(int type, const void *data, size_t n)
{
	struct rtattr *a = (struct rtattr *)((char *)&r + r.h.nlmsg_len);

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), data, n);
	r.h.nlmsg_len += (uint32_t)RTA_SPACE(n);
}

static void number(int type, uint32_t value) { attribute(type, &value, 4); }
static void text(int type, const char *value) { attribute(type, value, strlen(value) + 1); }
static uint32_t nest(int type)
{
	uint32_t at = r.h.nlmsg_len;
	attribute(type | NLA_F_NESTED, NULL, 0);
	return at;
}
static void end(uint32_t at) { ((struct rtattr *)((char *)&r + at))->rta_len = (unsigned short)(r.h.nlmsg_len - at); }

/* Sends what was begun and takes all of the answer. */
static void ask(int s)
{
	static char answer[32768];
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (sendto(s, &r, r.h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return;
	for (int i = 0; i < 64 && poll(&(struct pollfd){.fd = s, .events = POLLIN}, 1, 50) > 0; i++) {
		ssize_t n = recv(s, answer, sizeof(answer), MSG_DONTWAIT);
		struct nlmsghdr *h = (struct nlmsghdr *)answer;

		if (n <= 0)
			break;
		for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return;
	}
}

static int open_netlink(int protocol)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	for (int option = 1; option < 13; option++)
		setsockopt(s, SOL_NETLINK, option, &(int){option < 3 ? 1 : option > 3}, sizeof(int));
	return s;
}

static void lists(long unused)
{
	static const unsigned char families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_BRIDGE, AF_PACKET, AF_MPLS, 128, 129};
	int s = open_netlink(NETLINK_ROUTE);

	(void)unused;
	for (int type = RTM_BASE + 2; type < RTM_BASE + 116; type += 4)
		for (size_t f = 0; f < sizeof(families); f++)
			for (int n = 0; n < 4; n++) {
				static const unsigned char sizes[] = {16, 1, 12, 20};
				char body[64] = {(char)families[f]};

				if (n < 2) /* all of them, or one */
					memset(body + 4, 0, 4);
				else
					body[4] = 1;
				begin(type, n & 1 ? 0 : NLM_F_DUMP, body, n ? sizes[n] : 20);
				ask(s);
			}
}

static void link_up(int s, int index)
{
	struct ifinfomsg i = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	begin(RTM_NEWLINK, 0, &i, sizeof(i));
	ask(s);
}

static void address(int s, int index, int family, const char *where, unsigned char bits)
{
	struct ifaddrmsg a = {.ifa_family = (uint8_t)family, .ifa_prefixlen = bits, .ifa_index = (uint32_t)index};
	char bytes[16];

	inet_pton(family, where, bytes);
	begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &a, sizeof(a));
	attribute(IFA_LOCAL, bytes, family == AF_INET ? 4 : 16);
	attribute(IFA_ADDRESS, bytes, family == AF_INET ? 4 : 16);
	number(IFA_FLAGS, family == AF_INET ? 0 : IFA_F_NODAD);
	attribute(IFA_CACHEINFO, &(struct ifa_cacheinfo){1000, 2000, 0, 0}, sizeof(struct ifa_cacheinfo));
	ask(s);
}

/* A route of a kind, by a gateway, by several, by a nexthop's number; made, asked for and taken away. */
static void route(int s, int family, int kind)
{
	struct rtmsg m = {.rtm_family = (uint8_t)family,
	                  .rtm_dst_len = family == AF_INET ? 24 : 64,
	                  .rtm_table = RT_TABLE_MAIN,
	                  .rtm_protocol = RTPROT_STATIC,
	                  .rtm_type = (uint8_t)(kind > 5 && kind < 10 ? kind : RTN_UNICAST)};
	char to[16], by[16];
	size_t n = family == AF_INET ? 4 : 16;

	inet_pton(family, family == AF_INET ? "10.9.1.0" : "fd09:1::", to);
	inet_pton(family, family == AF_INET ? "10.0.0.2" : "fd00::2", by);
	to[family == AF_INET ? 2 : 6] = (char)kind;
	for (int step = 0; step < 3; step++) {
		begin(step == 0   ? RTM_NEWROUTE
		      : step == 1 ? RTM_GETROUTE
		                  : RTM_DELROUTE,
		      step ? 0 : NLM_F_CREATE, &m, sizeof(m));
		attribute(RTA_DST, to, n);
		number(RTA_PRIORITY, 5);
		if (kind == 1 || kind == 2)
			attribute(RTA_GATEWAY, by, n);
		if (kind < 6 && kind != 3)
			number(RTA_OIF, 2);
		if (kind == 2) {
			uint32_t at = nest(RTA_METRICS);

			for (int metric = 2; metric < 16; metric++)
				number(metric, 1300);
			end(at);
		}
		if (kind == 3 && !step) {
			uint32_t at = nest(RTA_MULTIPATH);

			for (int i = 0; i < 2; i++) {
				struct rtnexthop *h = (struct rtnexthop *)((char *)&r + r.h.nlmsg_len);

				*h = (struct rtnexthop){.rtnh_len = (unsigned short)(sizeof(*h) + RTA_SPACE(n)),
				                        .rtnh_hops = 1,
				                        .rtnh_ifindex = 2};
				by[n - 1] = (char)(i + 2);
				r.h.nlmsg_len += sizeof(*h);
				attribute(RTA_GATEWAY, by, n);
			}
			end(at);
		}
		if (kind == 4)
			number(RTA_NH_ID, 7);
		if (kind == 5) {
			attribute(RTA_ENCAP_TYPE, &(uint16_t){6 /* BPF */}, 2);
			end(nest(RTA_ENCAP));
		}
		ask(s);
	}
}

static int tun(void)
{
	struct ifreq q = {.ifr_name = "tun0"};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	q.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (fd >= 0)
		ioctl(fd, TUNSETIFF, &q);
	return fd;
}

static void rules(int s, int family)
{
	struct fib_rule_hdr rule = {.family = (uint8_t)family, .action = FR_ACT_TO_TBL, .table = 100};
	struct ndmsg n = {.ndm_family = (uint8_t)family, .ndm_ifindex = 2, .ndm_state = NUD_PERMANENT};
	struct nhmsg h = {.nh_family = (uint8_t)family, .nh_protocol = RTPROT_STATIC};
	struct ndtmsg table = {.ndtm_family = (uint8_t)family};
	char bytes[16];

	inet_pton(family, family == AF_INET ? "10.0.0.2" : "fd00::2", bytes);
	for (int step = 0; step < 3; step++) { /* made, asked for, taken away */
		begin(step == 2 ? RTM_DELRULE
		      : step    ? RTM_GETRULE
		                : RTM_NEWRULE,
		      step == 1 ? NLM_F_DUMP : NLM_F_CREATE, &rule, sizeof(rule));
		number(FRA_PRIORITY, 700), number(FRA_FWMARK, 7), text(FRA_IIFNAME, "lo");
		attribute(FRA_UID_RANGE, (uint32_t[]){1, 9}, 8), attribute(FRA_IP_PROTO, "\6", 1);
		attribute(FRA_DPORT_RANGE, (uint16_t[]){1, 9}, 4);
		ask(s);
	}
	begin(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE, &h, sizeof(h));
	number(NHA_ID, 7), number(NHA_OIF, 2), attribute(NHA_GATEWAY, bytes, family == AF_INET ? 4 : 16), ask(s);
	begin(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE, &(struct nhmsg){0}, sizeof(h));
	number(NHA_ID, 8),
	        attribute(NHA_GROUP, &(struct nexthop_grp){.id = 7, .weight = 1}, sizeof(struct nexthop_grp)), ask(s);
	begin(RTM_GETNEXTHOP, NLM_F_DUMP, &h, sizeof(h)), ask(s);
	begin(RTM_GETNEXTHOP, 0, &(struct nhmsg){0}, sizeof(h)), number(NHA_ID, 8), ask(s);
	for (int kind = 0; kind < 12; kind++)
		route(s, family, kind);
	begin(RTM_DELNEXTHOP, 0, &(struct nhmsg){0}, sizeof(h)), number(NHA_ID, 7), ask(s);
	for (int state = 1; state < 0x100; state *= 2) {
		n.ndm_state = (uint16_t)state;
		begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &n, sizeof(n));
		attribute(NDA_DST, bytes, family == AF_INET ? 4 : 16), attribute(NDA_LLADDR, "\2\0\0\0\0\2", 6), ask(s);
	}
	begin(RTM_GETNEIGH, 0, &n, sizeof(n)), attribute(NDA_DST, bytes, family == AF_INET ? 4 : 16), ask(s);
	begin(RTM_DELNEIGH, 0, &n, sizeof(n)), attribute(NDA_DST, bytes, family == AF_INET ? 4 : 16), ask(s);
	n.ndm_flags = NTF_PROXY;
	begin(RTM_NEWNEIGH, NLM_F_CREATE, &n, sizeof(n)), attribute(NDA_DST, bytes, family == AF_INET ? 4 : 16), ask(s);
	begin(RTM_GETNEIGH, NLM_F_DUMP, &n, sizeof(n)), ask(s);
	begin(RTM_SETNEIGHTBL, 0, &table, sizeof(table)),
	        text(NDTA_NAME, family == AF_INET ? "arp_cache" : "ndisc_cache");
	number(NDTA_THRESH1, 100), ask(s);
	begin(RTM_NEWADDRLABEL, NLM_F_CREATE, &(struct ifaddrlblmsg){.ifal_family = AF_INET6, .ifal_prefixlen = 64},
	      12);
	attribute(1, bytes, 16), number(2, 9), ask(s);
	begin(RTM_DELADDRLABEL, 0, &(struct ifaddrlblmsg){.ifal_family = AF_INET6, .ifal_prefixlen = 64}, 12);
	attribute(1, bytes, 16), ask(s);
}

static void queues(int s)
{
	static const char *const kinds[] = {
	        "pfifo_fast", "pfifo", "bfifo", "fq_codel", "fq",    "mq",    "noqueue",   "clsact",         "ingress",
	        "tbf",        "prio",  "htb",   "sfq",      "codel", "netem", "blackhole", "pfifo_head_drop"};
	static const char *const filters[] = {"bpf", "u32", "flower", "matchall", "basic", "cgroup", "fw", "route"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct tcmsg m = {.tcm_ifindex = 2,
		                  .tcm_parent = kinds[i][0] == 'i' || kinds[i][1] == 'l' ? 0xfffffff1 : TC_H_ROOT,
		                  .tcm_handle = 0x10000};

		begin(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
		text(TCA_KIND, kinds[i]);
		if (strstr(kinds[i], "fifo") && kinds[i][5] != '_')
			attribute(TCA_OPTIONS, &(struct tc_fifo_qopt){100}, sizeof(struct tc_fifo_qopt));
		else if (!strcmp(kinds[i], "fq_codel")) {
			uint32_t at = nest(TCA_OPTIONS);

			for (int option = 1; option < 7; option++)
				number(option, 1000);
			end(at);
		}
		ask(s);
		begin(RTM_GETQDISC, NLM_F_DUMP, &m, sizeof(m)), ask(s);
		begin(RTM_GETTCLASS, NLM_F_DUMP, &m, sizeof(m)), ask(s);
		for (size_t f = 0; f < sizeof(filters) / sizeof(filters[0]); f++) {
			m.tcm_info = 1U << 16 | htons(3);
			begin(RTM_NEWTFILTER, NLM_F_CREATE, &m, sizeof(m)), text(TCA_KIND, filters[f]),
			        end(nest(TCA_OPTIONS)), ask(s);
		}
		begin(RTM_GETTFILTER, NLM_F_DUMP, &m, sizeof(m)), ask(s);
		begin(RTM_GETCHAIN, NLM_F_DUMP, &m, sizeof(m)), ask(s);
		if (i % 3 == 2)
			begin(RTM_DELQDISC, 0, &m, sizeof(m)), ask(s);
	}
}

static void set_up(long unused)
{
	static const char *const kinds[] = {"dummy",   "veth",   "bridge", "vlan", "bond",  "ifb",      "vrf",
	                                    "macvlan", "ipvlan", "vxlan",  "gre",  "sit",   "ip6tnl",   "ipip",
	                                    "xfrm",    "netkit", "tun",    "vcan", "nlmon", "wireguard"};
	int s, tap;

	(void)unused;
	if (unshare(CLONE_NEWNET))
		return;
	s = open_netlink(NETLINK_ROUTE);
	setsockopt(s, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &(int){1}, 4);
	for (int group = 1; group < 36; group++)
		setsockopt(open_netlink(NETLINK_ROUTE), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
	tap = tun();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct ifinfomsg link = {0};
		uint32_t at;

		begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof(link));
		text(IFLA_IFNAME, kinds[i]);
		at = nest(IFLA_LINKINFO);
		text(IFLA_INFO_KIND, kinds[i]);
		end(at);
		ask(s);
	}
	link_up(s, 1), link_up(s, 2), link_up(s, 3);
	for (int index = 1; index < 4; index++) {
		address(s, index, AF_INET, index == 1 ? "127.0.0.5" : "10.0.0.1", 24);
		address(s, index, AF_INET6, "fd00::1", 64);
	}
	if (tap >= 0) /* some frames from outside: ARP, IPv4, IPv6, nonsense */
		for (int i = 0; i < 8; i++) {
			unsigned char frame[128] = {255, 255, 255, 255, 255, 255, 2,
			                            0,   0,   0,   0,   2,   8,   (unsigned char)(i & 1 ? 6 : 0)};

			if (i & 1)
				memcpy(frame + 14, (unsigned char[]){0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 2,
				                                     10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1},
				       28);
			else
				frame[14] = (unsigned char)(i & 2 ? 0x45 : 0x60);
			if (i == 6)
				frame[12] = 0x86, frame[13] = 0xdd, frame[14] = 0x60;
			(void)!write(tap, frame, sizeof(frame));
		}
	rules(s, AF_INET), rules(s, AF_INET6);
	queues(s);
	for (int attribute_type = 1; attribute_type < 64; attribute_type++) {
		struct ifinfomsg link = {.ifi_index = 2};

		if (attribute_type == IFLA_NET_NS_PID || attribute_type == IFLA_NET_NS_FD)
			continue;
		begin(RTM_SETLINK, 0, &link, sizeof(link));
		if (attribute_type == IFLA_IFNAME || attribute_type == IFLA_IFALIAS)
			text(attribute_type, "renamed");
		else
			number(attribute_type, attribute_type == IFLA_MTU ? 1400 : 1);
		ask(s);
	}
	lists(0);
	broad_read("/proc/net/fib_trie"), broad_read("/proc/net/fib_triestat"), broad_read("/proc/net/route");
	broad_read("/proc/net/ipv6_route"), broad_read("/proc/net/if_inet6"), broad_read("/proc/net/dev"),
	        broad_read("/proc/net/arp");
	for (unsigned command = 1; command < 0x60; command++) { /* ethtool */
		static uint32_t value[512];
		struct ifreq q = {.ifr_name = "tun0"};

		value[0] = command;
		q.ifr_data = (char *)value;
		ioctl(s, 0x8946, &q), ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8946, &q);
	}
	close(tap);
}

static void generic(long unused)
{
	int s = open_netlink(NETLINK_GENERIC);

	(void)unused;
	unshare(CLONE_NEWNET);
	close(s);
	s = open_netlink(NETLINK_GENERIC);
	begin(GENL_ID_CTRL, NLM_F_DUMP, &(struct genlmsghdr){CTRL_CMD_GETFAMILY, 1, 0}, 4), ask(s);
	begin(GENL_ID_CTRL, NLM_F_DUMP, &(struct genlmsghdr){CTRL_CMD_GETPOLICY, 1, 0}, 4);
	attribute(CTRL_ATTR_FAMILY_ID, &(uint16_t){GENL_ID_CTRL}, 2), ask(s);
	for (int family = GENL_MIN_ID; family < GENL_MIN_ID + 40; family++)
		for (uint8_t command = 0; command < 90; command++)
			for (int n = 0; n < 3; n++) {
				uint32_t at;

				begin(family, n ? 0 : NLM_F_DUMP, &(struct genlmsghdr){command, 1, 0}, 4);
				if (n == 2) { /* as ethtool names a device; others take 1 for what they like */
					at = nest(1), number(1, 1), text(2, "lo"), end(at);
					number(2, 1), number(3, 1);
				} else if (n == 1)
					number(1, 1);
				ask(s);
				if (command > 30 && command < 60)
					break;
			}
}

static void diagnosis(long unused)
{
	int s = open_netlink(NETLINK_SOCK_DIAG), quiet = socket(AF_INET, SOCK_STREAM, 0);

	(void)unused;
	listen(quiet, 1);
	for (int family = 0; family < 46; family++)
		for (int protocol = 0; protocol < 3; protocol++) {
			static const uint8_t protocols[] = {6, 17, 255};
			struct inet_diag_req_v2 q = {.sdiag_family = (uint8_t)family,
			                             .sdiag_protocol = protocols[protocol],
			                             .idiag_ext = 255,
			                             .idiag_states = ~0U};

			begin(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof(q)), ask(s);
			begin(SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q)), ask(s);
			begin(21 /* DESTROY */, 0, &q, sizeof(q)), ask(s);
		}
}

static void security(long unused)
{
	int s;
	struct xfrm_usersa_info sa = {.family = AF_INET,
	                              .id = {.proto = IPPROTO_ESP, .spi = htonl(500)},
	                              .mode = XFRM_MODE_TUNNEL,
	                              .replay_window = 32,
	                              .reqid = 1};
	struct xfrm_userpolicy_info policy = {.sel = {.family = AF_INET, .prefixlen_d = 8}, .dir = XFRM_POLICY_OUT};

	(void)unused;
	if (unshare(CLONE_NEWNET))
		return;
	s = open_netlink(NETLINK_XFRM);
	inet_pton(AF_INET, "10.0.0.9", &sa.id.daddr), inet_pton(AF_INET, "10.0.0.1", &sa.saddr);
	sa.lft.soft_byte_limit = sa.lft.hard_byte_limit = sa.lft.soft_packet_limit = sa.lft.hard_packet_limit =
	        XFRM_INF;
	policy.lft = sa.lft, inet_pton(AF_INET, "10.0.0.0", &policy.sel.daddr);
	for (int i = 0; i < 2; i++) {
		union {
			struct xfrm_algo a;
			char room[sizeof(struct xfrm_algo) + 32];
		} cipher = {.a = {.alg_name = "ecb(cipher_null)"}}, digest = {.a = {.alg_name = "hmac(sha256)"}};
		struct xfrm_user_tmpl template = {.id = sa.id,
		                                  .family = AF_INET,
		                                  .mode = XFRM_MODE_TUNNEL,
		                                  .aalgos = ~0U,
		                                  .ealgos = ~0U,
		                                  .calgos = ~0U};

		digest.a.alg_key_len = 256;
		begin(i ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA, 0, &sa, sizeof(sa));
		attribute(XFRMA_ALG_CRYPT, &cipher, sizeof(cipher.a)),
		        attribute(XFRMA_ALG_AUTH, &digest, sizeof(digest)), ask(s);
		begin(i ? XFRM_MSG_UPDPOLICY : XFRM_MSG_NEWPOLICY, 0, &policy, sizeof(policy));
		attribute(XFRMA_TMPL, &template, sizeof(template)), ask(s);
	}
	begin(XFRM_MSG_GETSA, 0,
	      &(struct xfrm_usersa_id){.daddr = sa.id.daddr, .spi = sa.id.spi, .family = AF_INET, .proto = IPPROTO_ESP},
	      sizeof(struct xfrm_usersa_id)),
	        ask(s);
	for (int type = XFRM_MSG_BASE; type < XFRM_MSG_BASE + 0x1c; type++)
		for (int n = 0; n < 2; n++)
			begin(type, n ? NLM_F_DUMP : 0, (char[400]){0}, type == 0x10 + XFRM_MSG_BASE ? 4 : 280), ask(s);
	broad_read("/proc/net/xfrm_stat");
	begin(XFRM_MSG_FLUSHSA, 0, &(struct xfrm_usersa_flush){0}, 1), ask(s), begin(XFRM_MSG_FLUSHPOLICY, 0, NULL, 0),
	        ask(s);
}

static void audited(long unused)
{
	int s = open_netlink(NETLINK_AUDIT);
	static struct audit_rule_data rule[2] = {{.flags = AUDIT_FILTER_EXIT,
	                                          .action = AUDIT_ALWAYS,
	                                          .field_count = 2,
	                                          .fields = {AUDIT_UID, AUDIT_SUCCESS},
	                                          .values = {7, 1},
	                                          .fieldflags = {AUDIT_EQUAL, AUDIT_EQUAL}}};

	(void)unused;
	for (int type = 1000; type < 1024; type++)
		if (type != AUDIT_SET && type != AUDIT_TRIM)
			begin(type, 0, (char[64]){0}, 64), ask(s);
	rule[0].mask[0] = ~0U;
	begin(AUDIT_ADD_RULE, 0, rule, sizeof(rule[0])), ask(s);
	begin(AUDIT_SET, 0, &(struct audit_status){.mask = AUDIT_STATUS_ENABLED, .enabled = 1},
	      sizeof(struct audit_status)),
	        ask(s);
	begin(AUDIT_LIST_RULES, 0, NULL, 0), ask(s);
	begin(AUDIT_USER, 0, "a word", 7), ask(s), begin(AUDIT_FIRST_USER_MSG, 0, "a word", 7), ask(s);
	close(open(BROAD_HOME "/file", O_RDONLY));
	begin(AUDIT_SIGNAL_INFO, 0, NULL, 0), ask(s), begin(AUDIT_TTY_GET, 0, NULL, 0), ask(s);
	begin(AUDIT_DEL_RULE, 0, rule, sizeof(rule[0])), ask(s);
	begin(AUDIT_SET, 0, &(struct audit_status){.mask = AUDIT_STATUS_ENABLED}, sizeof(struct audit_status)), ask(s);
}

static void other_families(long unused)
{
	(void)unused;
	for (int protocol = 1; protocol < 24; protocol++) {
		int s = protocol == NETLINK_AUDIT ? -1 : open_netlink(protocol);

		for (int type = 16; s >= 0 && type < 48; type++)
			begin(type, type & 1 ? NLM_F_DUMP : 0, (char[32]){0}, 32), ask(s);
		for (int type = 0; protocol == NETLINK_NETFILTER && type < 16; type++)
			for (int call = 0; call < 30; call++)
				begin(type << 8 | call, call & 1 ? NLM_F_DUMP : 0, (char[4]){AF_INET}, 4), ask(s);
		close(s);
	}
}

const struct broad_step broad_netlink[] = {{"lists", lists, 0, 20},
                                           {"set-up", set_up, 0, 40},
                                           {"generic", generic, 0, 40},
                                           {"diagnosis", diagnosis, 0, 20},
                                           {"xfrm", security, 0, 20},
                                           {"audit", audited, 0, 10},
                                           {"netlink", other_families, 0, 20},
                                           {NULL, NULL, 0, 0}};
