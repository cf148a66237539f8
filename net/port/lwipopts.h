// SPDX-License-Identifier: Apache-2.0
/*
 * What of lwIP the stack has, and how much of it at most. Whatever is not needed is off: no sockets, threads, altcp,
 * applications, DNS, IGMP, fragments, out-of-order queues. docs/explanation/network.md says what that costs.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_NETIF_API 0
#define LWIP_SINGLE_NETIF 1
#define LWIP_HAVE_LOOPIF 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_NETIF_STATUS_CALLBACK 0
#define LWIP_STATS 0

/* Memory: pools and one heap of fixed size. Received frames are given back before the next is taken, because data is
 * copied to the connection's buffer (net/conn.c) and segments out of order are not kept: nobody can hold a buffer. */
#define MEM_ALIGNMENT 8
#define MEM_SIZE (80 * 1024)
#define MEMP_NUM_PBUF 8
#define PBUF_POOL_SIZE 6
#define PBUF_POOL_BUFSIZE 1536
#ifndef MEMP_OVERFLOW_CHECK /* the host's build looks at everything each time */
#define MEMP_OVERFLOW_CHECK 1
#define MEM_OVERFLOW_CHECK 1
#endif
#define MEMP_MEM_INIT 0

#define LWIP_ETHERNET 1
#define ETH_PAD_SIZE 2 /* IP headers are aligned so */
#define LWIP_IPV4 1
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 32
#define ARP_QUEUEING 0
#define ETHARP_SUPPORT_STATIC_ENTRIES 0
#define IP_FORWARD 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define IP_OPTIONS_ALLOWED 0
#define LWIP_ICMP 1
#define LWIP_MULTICAST_PING 0
#define LWIP_BROADCAST_PING 0
#define LWIP_RAW 0
#define LWIP_IGMP 0
#define LWIP_DNS 0
#define LWIP_UDP 1 /* DHCP's */
#define LWIP_UDPLITE 0
#define MEMP_NUM_UDP_PCB 1
#define LWIP_DHCP 1
#define LWIP_ACD 0
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_DHCP_BOOTP_FILE 0
#define LWIP_DHCP_GET_NTP_SRV 0
#define LWIP_DHCP_MAX_DNS_SERVERS 0
#define LWIP_AUTOIP 0

#define LWIP_IPV6 1
#define LWIP_IPV6_NUM_ADDRESSES 4
#define LWIP_IPV6_FORWARD 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_MLD 1
#define MEMP_NUM_MLD6_GROUP 6
#define LWIP_ICMP6 1
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 1
#define LWIP_ND6_QUEUEING 0
#define LWIP_ND6_NUM_NEIGHBORS 16
#define LWIP_ND6_NUM_DESTINATIONS 16
#define LWIP_ND6_NUM_PREFIXES 4
#define LWIP_ND6_NUM_ROUTERS 3
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 1

/* Only a handshake that a client finished gets a PCB (net/port/syn.c): eight served, as many on their way out. */
#define LWIP_TCP 1
#define LWIP_ALTCP 0
#define LWIP_CALLBACK_API 1
#define TCP_LISTEN_BACKLOG 0
#define MEMP_NUM_TCP_PCB 16
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define TCP_QUEUE_OOSEQ 0
#define LWIP_TCP_SACK_OUT 0
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_WND_SCALE 0
#define LWIP_TCP_KEEPALIVE 0
#define LWIP_TCP_PCB_NUM_EXT_ARGS 0
#define TCP_MSS 1220 /* fits the smallest MTU that IPv6 may have: no path needs to be measured */
#define TCP_WND (4 * TCP_MSS)
#define TCP_SND_BUF (4 * TCP_MSS)
#define TCP_SND_QUEUELEN 12
#define MEMP_NUM_TCP_SEG 128
#define TCP_OVERSIZE 0
#define TCP_MSL 5000UL
#define LWIP_TCP_RTO_TIME 1000
#define TCP_MAXRTX 6
#define TCP_SYNMAXRTX 2
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 1)

/* Software's, always: Bochs says of each frame that its check sum was good. */
#define CHECKSUM_GEN_IP 1

#ifndef CHECKSUM_CHECK_TCP /* the fuzzer gets behind them so */
#define CHECKSUM_CHECK_IP 1
#define CHECKSUM_CHECK_TCP 1
#define CHECKSUM_CHECK_UDP 1
#define CHECKSUM_CHECK_ICMP 1
#define CHECKSUM_CHECK_ICMP6 1
#endif

#define LWIP_HOOK_FILENAME "hooks.h"
#define LWIP_HOOK_TCP_ISN syn_isn
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) syn_hook(pcb, (hdr) + 1, opt1len)
#define LWIP_HOOK_ND6_GET_GW wire_gateway6

#endif
