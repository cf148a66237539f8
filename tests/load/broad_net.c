// SPDX-License-Identifier: Apache-2.0
/*
 * The part of `broad` for traffic: on the loopback device of a network namespace of its own, streams, datagrams, raw
 * and packet sockets, multicast, errors that come back, and Unix sockets that carry others.
 */
#include "broad.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <linux/net_tstamp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PORT 5000

static char bytes[65536];

static union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} place(int family, uint16_t port)
{
	union address a = {
	        .v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}}};

	if (family == AF_INET6)
		a = (union address){
		        .v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
	return a;
}

static socklen_t length(int family)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void set(int s, int level, int name, int value) { setsockopt(s, level, name, &value, sizeof(value)); }

static int own_net(void)
{
	struct ifreq q = {.ifr_name = "lo"};
	int s;

	if (unshare(CLONE_NEWNET))
		return -1;
	s = socket(AF_INET, SOCK_DGRAM, 0);
	q.ifr_flags = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
	ioctl(s, SIOCSIFFLAGS, &q);
	q.ifr_mtu = 1500, ioctl(s, SIOCSIFMTU, &q);
	close(s);
	broad_put("/proc/sys/net/ipv4/ping_group_range", "0 1000");
	broad_put("/proc/sys/net/ipv4/tcp_ecn", "1"), broad_put("/proc/sys/net/ipv4/tcp_mtu_probing", "2");
	broad_put("/proc/sys/net/ipv4/tcp_fastopen", "519"), broad_put("/proc/sys/net/mptcp/enabled", "1");
	broad_put("/proc/sys/net/ipv4/tcp_syncookies", "2"), broad_put("/proc/sys/net/ipv4/tcp_l3mdev_accept", "1");
	broad_put("/proc/sys/net/ipv4/ip_forward", "1"), broad_put("/proc/sys/net/ipv6/conf/all/forwarding", "1");
	return 0;
}

/* One connection with options of each kind, both ways, ended well or by a reset. */
static void connection(long way)
{
	int family = way & 1 ? AF_INET6 : AF_INET, protocol = way & 8 ? 262 /* MPTCP */ : 0, got, file;
	int s = socket(family, SOCK_STREAM, protocol), c = socket(family, SOCK_STREAM, protocol);
	union address a = place(family, PORT);
	socklen_t n = length(family);
	struct {
		struct sockaddr_storage who;
		uint8_t flags, bits;
		uint16_t size;
		int index;
		uint8_t key[80];
	} md5 = {.size = 4};

	if (own_net())
		return;
	close(s), close(c);
	s = socket(family, SOCK_STREAM, protocol), c = socket(family, SOCK_STREAM, protocol);
	set(s, SOL_SOCKET, SO_REUSEADDR, 1), set(s, SOL_SOCKET, SO_REUSEPORT, 1), set(s, SOL_TCP, TCP_FASTOPEN, 5);
	set(s, SOL_TCP, TCP_DEFER_ACCEPT, way & 2), set(s, SOL_TCP, TCP_SAVE_SYN, 1), set(c, SOL_TCP, TCP_MAXSEG, 600);
	memcpy(&md5.who, &a, n);
	if (way & 4)
		setsockopt(s, SOL_TCP, TCP_MD5SIG, &md5, sizeof(md5)),
		        setsockopt(c, SOL_TCP, TCP_MD5SIG, &md5, sizeof(md5));
	if (bind(s, &a.any, n) || listen(s, 2))
		return;
	setsockopt(c, SOL_TCP, TCP_CONGESTION, way & 2 ? "reno" : "cubic", 5);
	set(c, SOL_SOCKET, SO_TIMESTAMPING,
	    SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
	            SOF_TIMESTAMPING_TX_ACK);
	set(c, SOL_SOCKET, SO_ZEROCOPY, 1), set(c, SOL_TCP, TCP_NODELAY, 1), set(c, SOL_TCP, TCP_USER_TIMEOUT, 500);
	set(c, SOL_SOCKET, SO_KEEPALIVE, 1), set(c, SOL_TCP, TCP_KEEPIDLE, 1),
	        set(c, SOL_SOCKET, SO_MAX_PACING_RATE, 10000000), set(c, SOL_SOCKET, SO_BUSY_POLL, 10);
	if (way & 2 ? sendto(c, bytes, 1000, MSG_FASTOPEN, &a.any, n) < 0 : connect(c, &a.any, n))
		return;
	(void)!write(c, bytes, 10);
	got = accept4(s, &a.any, &n, SOCK_CLOEXEC);
	for (int option = 1; option < 45; option++) {
		socklen_t size = 256;

		getsockopt(c, SOL_TCP, option, bytes + 1000, &size),
		        getsockopt(got, 284 /* MPTCP */, option, bytes + 2000, &size);
	}
	if (!fork()) {
		for (int i = 0; i < 12; i++)
			(void)!send(c, bytes, 65000,
			            i & 1   ? MSG_MORE
			            : i & 2 ? MSG_ZEROCOPY
			                    : 0),
			        i == 6 ? (void)!send(c, "!", 1, MSG_OOB) : 0;
		set(c, SOL_TCP, TCP_CORK, 1), (void)!writev(c, (struct iovec[]){{bytes, 100}, {bytes, 3000}}, 2),
		        set(c, SOL_TCP, TCP_CORK, 0);
		file = open("/proc/self/exe", O_RDONLY), sendfile(c, file, NULL, 200000);
		shutdown(c, SHUT_WR), (void)!read(c, bytes, 100), _exit(0);
	}
	set(got, SOL_SOCKET, SO_RCVLOWAT, 5000), set(got, SOL_SOCKET, SO_RCVBUF, 3000),
	        set(got, SOL_TCP, TCP_QUICKACK, 1), set(got, SOL_TCP, TCP_INQ, 1);
	set(got, SOL_SOCKET, SO_OOBINLINE, way & 1), (void)!recv(got, bytes, 1, MSG_OOB),
	        (void)!recv(got, bytes, 400, MSG_PEEK), (void)!recv(got, bytes, 400, MSG_TRUNC);
	usleep(20000);
	while (recvmsg(got,
	               &(struct msghdr){.msg_iov = &(struct iovec){bytes, 60000},
	                                .msg_iovlen = 1,
	                                .msg_control = (char[256]){0},
	                                .msg_controllen = 256},
	               0) > 0)
		;
	set(got, SOL_SOCKET, SO_LINGER, 1),
	        setsockopt(got, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	set(got, SOL_TCP, TCP_LINGER2, 1), setsockopt(got, SOL_TCP, TCP_ULP, "tls", 4);
	broad_read("/proc/net/tcp"), broad_read("/proc/net/tcp6"), broad_read("/proc/net/netstat"),
	        broad_read("/proc/net/snmp"), broad_read("/proc/net/sockstat");
	(void)!recvmsg(c, &(struct msghdr){.msg_control = (char[512]){0}, .msg_controllen = 512},
	               MSG_ERRQUEUE | MSG_DONTWAIT);
	set(c, SOL_TCP, TCP_REPAIR, 1), set(c, SOL_TCP, TCP_REPAIR_QUEUE, 1), set(c, SOL_TCP, TCP_QUEUE_SEQ, 5),
	        set(c, SOL_TCP, TCP_REPAIR, -1);
	(void)connect(c, &(struct sockaddr){.sa_family = AF_UNSPEC}, 16);
	wait(NULL), close(got);
	for (int i = 0; i < 12; i++) { /* more than the backlog takes: cookies */
		c = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), a = place(family, PORT),
		connect(c, &a.any, length(family));
	}
	poll(NULL, 0, 20);
	while (family && (got = accept4(s, NULL, NULL, SOCK_NONBLOCK), set(s, SOL_SOCKET, SO_RCVTIMEO, 0), got >= 0) &&
	       poll(&(struct pollfd){.fd = s, .events = POLLIN}, 1, 0) > 0)
		close(got);
	a = place(family, 9),
	connect(socket(family, SOCK_STREAM, 0), &a.any, length(family)); /* nobody there: a reset */
}

static void datagrams(long family)
{
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, s, c, raw;
	union address a = place((int)family, PORT);
	socklen_t n = length((int)family);
	struct msghdr m = {.msg_iov = &(struct iovec){bytes, 9000},
	                   .msg_iovlen = 1,
	                   .msg_control = (char[512]){0},
	                   .msg_controllen = 512};
	struct mmsghdr many[4] = {0};

	if (own_net())
		return;
	s = socket((int)family, SOCK_DGRAM, 0), c = socket((int)family, SOCK_DGRAM, 0);
	for (int option = 1; option < 80; option++)
		if (family == AF_INET || (option != 34 && option != 35)) /* policies want privileges and data */
			set(s, level, option, 1);
	set(s, level, family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS, 60), set(s, SOL_SOCKET, SO_TIMESTAMPNS, 1),
	        set(s, SOL_SOCKET, SO_RXQ_OVFL, 1), set(s, 17, 104 /* GRO */, 1);
	if (bind(s, &a.any, n) || connect(c, &a.any, n))
		return;
	set(c, level, family == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, 0),
	        set(c, level, family == AF_INET ? IP_TOS : IPV6_TCLASS, 0x11);
	(void)!send(c, bytes, 9000, 0), (void)!send(c, bytes, 20, 0), (void)!recvmsg(s, &m, MSG_DONTWAIT),
	        m.msg_controllen = 512, (void)!recvmsg(s, &m, MSG_DONTWAIT);
	set(c, 17, 1 /* CORK */, 1), (void)!send(c, bytes, 700, 0), (void)!send(c, bytes, 700, MSG_MORE),
	        set(c, 17, 1, 0);
	set(c, 17, 103 /* SEGMENT */, 500), (void)!send(c, bytes, 5000, 0), m.msg_controllen = 512,
	                                                                    (void)!recvmsg(s, &m, MSG_DONTWAIT);
	for (int i = 0; i < 4; i++)
		many[i].msg_hdr = (struct msghdr){.msg_iov = &(struct iovec){bytes, 100}, .msg_iovlen = 1};
	sendmmsg(c, many, 4, 0), recvmmsg(s, many, 4, MSG_DONTWAIT, NULL);
	broad_read("/proc/net/udp"), broad_read("/proc/net/udp6"), broad_read("/proc/net/raw"),
	        broad_read("/proc/net/sockstat6"), broad_read("/proc/net/snmp6");
	close(s); /* what comes now is answered by an error */
	set(c, level, family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1);
	for (int i = 0; i < 3; i++)
		(void)!send(c, bytes, 20, 0), m.msg_controllen = 512,
		                              (void)!recvmsg(c, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	set(c, level, family == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, 2), (void)!send(c, bytes, 9000, 0);
	raw = socket((int)family, SOCK_DGRAM, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6); /* a ping */
	memset(bytes, 0, 64), bytes[0] = (char)(family == AF_INET ? 8 : 128), a = place((int)family, 0);
	sendto(raw, bytes, 64, 0, &a.any, n), poll(&(struct pollfd){.fd = raw, .events = POLLIN}, 1, 100),
	        (void)!recv(raw, bytes, 100, MSG_DONTWAIT);
	broad_read("/proc/net/icmp");
	raw = socket((int)family, SOCK_RAW, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	set(raw, 255, 1, 0), set(raw, IPPROTO_IPV6, IPV6_CHECKSUM, 2);
	for (int type = 0; type < 256; type += type < 20 || (type > 125 && type < 156)
	                                               ? 1
	                                               : 16) { /* messages of every type, most of them wrong */
		memset(bytes, 0, 64), bytes[0] = (char)type, bytes[8] = 0x45, bytes[17] = 17;
		sendto(raw, bytes, 64, 0, &a.any, n);
	}
	raw = socket((int)family, SOCK_RAW, IPPROTO_RAW);
	for (int protocol = 0; protocol < 256; protocol++) { /* nobody listens to most */
		memset(bytes, 0, 60);
		if (family == AF_INET)
			memcpy(bytes, (uint8_t[]){0x46,
			                          0,
			                          0,
			                          60,
			                          0,
			                          1,
			                          (uint8_t)(protocol & 1 ? 0x20 : 0),
			                          0,
			                          9,
			                          (uint8_t)protocol,
			                          0,
			                          0,
			                          127,
			                          0,
			                          0,
			                          1,
			                          127,
			                          0,
			                          0,
			                          1,
			                          7,
			                          4,
			                          4,
			                          0},
			       24);
		else
			memcpy(bytes, (uint8_t[]){0x60, 0, 0, 0, 0, 20, (uint8_t)protocol, 9}, 8),
			        bytes[23] = bytes[39] = 1;
		sendto(raw, bytes, 60, 0, &a.any, n);
	}
}

static void groups(long unused)
{
	int s, t;
	struct ip_mreqn v4;
	struct ipv6_mreq v6 = {.ipv6mr_interface = 1};
	struct {
		uint32_t index;
		struct sockaddr_storage group, from;
	} source = {.index = 1};
	union address a;

	(void)unused;
	if (own_net())
		return;
	s = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_DGRAM, 0);
	v4 = (struct ip_mreqn){.imr_ifindex = 1}, inet_pton(AF_INET, "239.1.2.3", &v4.imr_multiaddr),
	inet_pton(AF_INET6, "ff02::1:2", &v6.ipv6mr_multiaddr);
	for (int i = 0; i < 2; i++) {
		setsockopt(s, IPPROTO_IP, i ? IP_DROP_MEMBERSHIP : IP_ADD_MEMBERSHIP, &v4, sizeof(v4));
		setsockopt(t, IPPROTO_IPV6, i ? IPV6_DROP_MEMBERSHIP : IPV6_ADD_MEMBERSHIP, &v6, sizeof(v6));
		for (int option = 42; option < 49; option++)
			for (int family = 0; family < 2; family++) {
				a = family ? place(AF_INET6, 0) : place(AF_INET, 0);
				if (family)
					a.v6.sin6_addr = v6.ipv6mr_multiaddr;
				else
					a.v4.sin_addr = v4.imr_multiaddr;
				memcpy(&source.group, &a, sizeof(a)),
				        a = family ? place(AF_INET6, 0) : place(AF_INET, 0),
				        memcpy(&source.from, &a, sizeof(a));
				setsockopt(family ? t : s, family ? IPPROTO_IPV6 : IPPROTO_IP, option, &source,
				           option == 42 || option == 45 ? 136 : sizeof(source));
			}
		a = place(AF_INET, PORT), a.v4.sin_addr = v4.imr_multiaddr;
		set(s, IPPROTO_IP, IP_MULTICAST_LOOP, 1), set(s, IPPROTO_IP, IP_MULTICAST_TTL, 3),
		        setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &v4, sizeof(v4));
		sendto(s, bytes, 100, 0, &a.any, sizeof(a.v4));
		a = place(AF_INET6, PORT), a.v6.sin6_addr = v6.ipv6mr_multiaddr,
		set(t, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1), sendto(t, bytes, 100, 0, &a.any, sizeof(a.v6));
		broad_read("/proc/net/igmp"), broad_read("/proc/net/igmp6"), broad_read("/proc/net/mcfilter"),
		        broad_read("/proc/net/mcfilter6"), broad_read("/proc/net/dev_mcast");
	}
	s = socket(AF_INET, SOCK_RAW, IPPROTO_IGMP), set(s, IPPROTO_IP, 200 /* MRT_INIT */, 1);
	for (int option = 201; option < 213; option++)
		setsockopt(s, IPPROTO_IP, option, bytes, option == 202 ? 16 : 4);
	broad_read("/proc/net/ip_mr_vif"), broad_read("/proc/net/ip_mr_cache"), set(s, IPPROTO_IP, 201, 0);
	t = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), set(t, IPPROTO_IPV6, 200, 1),
	setsockopt(t, IPPROTO_IPV6, 202, bytes, 12), broad_read("/proc/net/ip6_mr_vif");
}

static void packets(long version)
{
	int s, t;
	struct sockaddr_ll a = {
	        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 1, .sll_halen = 6};
	struct tpacket_req3 q = {.tp_block_size = 4096,
	                         .tp_block_nr = 8,
	                         .tp_frame_size = 2048,
	                         .tp_frame_nr = 16,
	                         .tp_retire_blk_tov = 10};
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x800, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, 0xffff),      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
	        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), BPF_STMT(BPF_RET | BPF_K, 90)};
	union address to = place(AF_INET, PORT);
	void *ring;

	if (own_net())
		return;
	s = socket(AF_PACKET, version & 1 ? SOCK_RAW : SOCK_DGRAM, htons(ETH_P_ALL)),
	t = socket(AF_INET, SOCK_DGRAM, 0);
	set(s, SOL_PACKET, PACKET_VERSION, (int)version), set(s, SOL_PACKET, PACKET_AUXDATA, 1),
	        set(s, SOL_PACKET, PACKET_ORIGDEV, 1);
	setsockopt(s, SOL_PACKET, version == 1 ? PACKET_TX_RING : PACKET_RX_RING, &q,
	           version == 2 ? sizeof(q) : sizeof(struct tpacket_req));
	ring = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
	(void)bind(s, (struct sockaddr *)&a, sizeof(a));
	setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &(struct sock_fprog){6, code}, sizeof(struct sock_fprog));
	setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &(struct packet_mreq){1, PACKET_MR_PROMISC, 6, {0}},
	           sizeof(struct packet_mreq));
	set(s, SOL_PACKET, PACKET_FANOUT, 7 | (int)version << 16),
	        set(s, SOL_PACKET, PACKET_QDISC_BYPASS, (int)version & 1), set(s, SOL_PACKET, PACKET_TIMESTAMP, 16);
	for (int i = 0; i < 20; i++)
		sendto(t, bytes, 200, 0, &to.any, sizeof(to.v4));
	memcpy(bytes + 12, "\x08\x06", 2);
	sendto(s, bytes, 100, 0, (struct sockaddr *)&a, sizeof(a)), (void)!send(s, bytes, 100, MSG_DONTWAIT);
	if (ring != MAP_FAILED && version == 1)
		((uint32_t *)ring)[0] = TP_STATUS_SEND_REQUEST, ((uint32_t *)ring)[1] = 100,
		           (void)!send(s, NULL, 0, MSG_DONTWAIT);
	poll(&(struct pollfd){.fd = s, .events = POLLIN}, 1, 50), (void)!recv(s, bytes, 4000, MSG_DONTWAIT);
	getsockopt(s, SOL_PACKET, PACKET_STATISTICS, bytes, &(socklen_t){12}), broad_read("/proc/net/packet"),
	        broad_read("/proc/net/ptype");
	set(s, SOL_SOCKET, SO_DETACH_FILTER, 1);
	t = socket(44 /* XDP */, SOCK_RAW, 0);
	setsockopt(t, 283, XDP_UMEM_REG,
	           &(struct xdp_umem_reg){.addr = (uintptr_t)mmap(NULL, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	                                  .len = 65536,
	                                  .chunk_size = 2048},
	           sizeof(struct xdp_umem_reg));
	for (int option = 2; option < 7; option++)
		set(t, 283, option == 4 ? 1 : option, 16);
	mmap(NULL, 4096, 3, MAP_SHARED | MAP_POPULATE, t, XDP_PGOFF_RX_RING),
	        bind(t,
	             (struct sockaddr *)&(struct sockaddr_xdp){.sxdp_family = 44, .sxdp_flags = 2, .sxdp_ifindex = 1},
	             sizeof(struct sockaddr_xdp));
	getsockopt(t, 283, XDP_STATISTICS, bytes, &(socklen_t){48}), (void)!send(t, NULL, 0, MSG_DONTWAIT),
	        poll(&(struct pollfd){.fd = t, .events = POLLIN}, 1, 5);
}

static void carried(long type)
{
	int pair[2], s = socket(AF_UNIX, (int)type, 0), c = socket(AF_UNIX, (int)type, 0);
	struct ucred self = {getpid(), 0, 0};
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(16)];
	} rights = {.h = {CMSG_LEN(16), SOL_SOCKET, SCM_RIGHTS}},
	  who = {.h = {CMSG_LEN(sizeof(self)), SOL_SOCKET, SCM_CREDENTIALS}};
	struct msghdr m = {.msg_iov = &(struct iovec){bytes, 100},
	                   .msg_iovlen = 1,
	                   .msg_control = &rights,
	                   .msg_controllen = sizeof(rights)};
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = BROAD_HOME "/socket"};

	if (socketpair(AF_UNIX, (int)type, 0, pair))
		return;
	set(pair[0], SOL_SOCKET, SO_PASSCRED, 1), set(pair[1], SOL_SOCKET, SO_PASSCRED, 1),
	        set(pair[1], SOL_SOCKET, SO_PASSSEC, 1), set(pair[1], SOL_SOCKET, SO_PEEK_OFF, 0),
	        set(pair[1], SOL_SOCKET, 76 /* PASSPIDFD */, 1);
	memcpy(CMSG_DATA(&rights.h), (int[]){pair[0], pair[1], pair[0], pair[1]}, 16);
	memcpy(CMSG_DATA(&who.h), &self, sizeof(self));
	sendmsg(pair[0], &m, 0), sendmsg(pair[1], &m, 0); /* each in the other's queue: who collects them? */
	m.msg_control = &who, m.msg_controllen = CMSG_SPACE(sizeof(self)), sendmsg(pair[0], &m, 0);
	m.msg_control = bytes + 500, m.msg_controllen = 400, recvmsg(pair[1], &m, MSG_PEEK | MSG_DONTWAIT),
	recvmsg(pair[1], &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	(void)!send(pair[0], "!", 1, MSG_OOB), (void)!recv(pair[1], bytes, 1, MSG_OOB | MSG_DONTWAIT);
	unlink(a.sun_path), bind(s, (struct sockaddr *)&a, sizeof(a)), listen(s, 1);
	if (!connect(c, (struct sockaddr *)&a, sizeof(a)) && type != SOCK_DGRAM)
		(void)!write(c, bytes, 100), set(c, SOL_SOCKET, SO_PEERSEC, 1), shutdown(c, SHUT_RD);
	getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, bytes, &(socklen_t){12}),
	        getsockopt(pair[0], SOL_SOCKET, 77 /* PEERPIDFD */, bytes, &(socklen_t){4}),
	        getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, bytes, &(socklen_t){100});
	ioctl(pair[0], 0x89e0, NULL), ioctl(pair[0], 0x541b, bytes), ioctl(pair[0], 0x5411, bytes);
	broad_read("/proc/net/unix");
	splice(pair[0], NULL, open("/dev/null", O_WRONLY), NULL, 10, SPLICE_F_NONBLOCK);
	close(pair[0]), close(pair[1]); /* a ring that nobody holds: it is collected */
	close(socket(AF_UNIX, SOCK_STREAM, 0));
}

void broad_sockets(long family)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM};
	static const int levels[] = {SOL_SOCKET, 0, 6, 17, 41, 58, 132, 136, 255, 263, 270, 280};

	for (size_t t = 0, made = 0; t < 5; t++)
		for (int protocol = 0; protocol < 20 && made < 6; protocol++) {
			int s = socket((int)family, types[t] | SOCK_NONBLOCK, protocol);
			char address[128] = {(char)family}, some[256] = {1};
			socklen_t n;

			if (s < 0 && errno == EAFNOSUPPORT)
				return; /* each try would look for a module */
			if (s < 0)
				continue;
			made++;
			for (size_t l = 0; l < 12; l++)
				for (int name = 0; name < 60; name++) {
					int value = 1;

					n = sizeof(some);
					getsockopt(s, levels[l], name, some, &n);
					setsockopt(s, levels[l], name, &value, sizeof(value));
				}
			(void)bind(s, (struct sockaddr *)address, 16);
			listen(s, 1);
			(void)connect(s, (struct sockaddr *)address, 28);
			n = sizeof(address);
			getsockname(s, (struct sockaddr *)address, &n);
			getpeername(s, (struct sockaddr *)address, &n);
			for (unsigned long request = 0x8900; request < 0x8970; request++)
				if (request != 0x8914)
					ioctl(s, request, some);
			send(s, some, 32, MSG_DONTWAIT);
			recv(s, some, 32, MSG_DONTWAIT);
			recv(s, some, 32, MSG_DONTWAIT | MSG_ERRQUEUE);
			shutdown(s, SHUT_RDWR);
			close(s);
		}
}

void broad_stream(long family)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "@broad"};
	struct sockaddr *a = family == AF_INET    ? (struct sockaddr *)&in
	                     : family == AF_INET6 ? (struct sockaddr *)&in6
	                                          : (struct sockaddr *)&un;
	socklen_t n = family == AF_INET ? sizeof(in) : family == AF_INET6 ? sizeof(in6) : sizeof(un);
	int s = socket((int)family, SOCK_STREAM, 0), c = socket((int)family, SOCK_STREAM, 0);
	static char much[200000];
	int got;

	un.sun_path[0] = 0;
	if (bind(s, a, n) || listen(s, 4) || getsockname(s, a, &n) || connect(c, a, n))
		return;
	got = accept(s, NULL, NULL);
	if (!fork())
		for (int i = 0; i < 20; i++)
			(void)!write(c, much, sizeof(much));
	close(c);
	while (read(got, much, sizeof(much)) > 0)
		;
}

const struct broad_step broad_net[] = {{"tcp", connection, 0, 6},
                                       {"tcp6", connection, 1, 6},
                                       {"tcp-fast", connection, 2, 6},
                                       {"tcp-fast6", connection, 3, 6},
                                       {"tcp-md5", connection, 4, 3},
                                       {"tcp6-md5", connection, 5, 3},
                                       {"mptcp", connection, 8, 6},
                                       {"mptcp6", connection, 9, 6},
                                       {"udp", datagrams, AF_INET, 6},
                                       {"udp6", datagrams, AF_INET6, 6},
                                       {"multicast", groups, 0, 6},
                                       {"packets", packets, 0, 5},
                                       {"packets-1", packets, 1, 5},
                                       {"packets-2", packets, 2, 5},
                                       {"unix", carried, SOCK_STREAM, 5},
                                       {"unix-datagram", carried, SOCK_DGRAM, 5},
                                       {"unix-packets", carried, SOCK_SEQPACKET, 5},
                                       {NULL, NULL, 0, 0}};
