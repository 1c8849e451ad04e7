// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include <netinet/in.h>

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "netlink/request.h"
#include "os/text.h"

namespace netlink {

namespace {

constexpr std::size_t most_ranges = 120; // in one request: two attributes of 8 bytes each

ifinfomsg port_header(Index port) {
    ifinfomsg header{};
    header.ifi_family = PF_BRIDGE;
    header.ifi_index = static_cast<int>(port);
    return header;
}

void put_vlan(Message& message, std::uint16_t vlan, unsigned flags) {
    const bridge_vlan_info info{.flags = static_cast<std::uint16_t>(flags), .vid = vlan};
    message.put(IFLA_BRIDGE_VLAN_INFO, &info, sizeof info);
}

// The kernel refuses a range of one.
void put_range(Message& message, const PortVlan& range) {
    const unsigned flags =
        (range.pvid ? BRIDGE_VLAN_INFO_PVID : 0U) | (range.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0U);
    if (range.first == range.last) {
        put_vlan(message, range.first, flags);
        return;
    }
    put_vlan(message, range.first, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN);
    put_vlan(message, range.last, flags | BRIDGE_VLAN_INFO_RANGE_END);
}

// A kernel that filters no VLANs tells all the same that filtering is off, but no default VLAN.
std::optional<BridgeVlans> read_bridge(nlmsghdr* message) {
    nlattr *attributes[IFLA_MAX + 1] = {}, *info[IFLA_INFO_MAX + 1] = {}, *bridge[IFLA_BR_MAX + 1] = {};
    if (message->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse(message, sizeof(ifinfomsg), attributes, IFLA_MAX, nullptr) != 0 ||
        attributes[IFLA_LINKINFO] == nullptr ||
        nla_parse_nested(info, IFLA_INFO_MAX, attributes[IFLA_LINKINFO], nullptr) != 0 ||
        info[IFLA_INFO_DATA] == nullptr || nla_parse_nested(bridge, IFLA_BR_MAX, info[IFLA_INFO_DATA], nullptr) != 0)
        return std::nullopt;
    if (bridge[IFLA_BR_VLAN_DEFAULT_PVID] == nullptr)
        return std::nullopt;
    const nlattr* const filtering = bridge[IFLA_BR_VLAN_FILTERING];
    return BridgeVlans{.filtering = filtering != nullptr && nla_len(filtering) >= 1 &&
                                    *static_cast<const std::uint8_t*>(nla_data(filtering)) != 0,
                       .default_vlan = get_u16(bridge[IFLA_BR_VLAN_DEFAULT_PVID])};
}

std::optional<PortVlan> read_entry(nlattr* entry) {
    nlattr* attributes[BRIDGE_VLANDB_ENTRY_MAX + 1] = {};
    if (nla_parse_nested(attributes, BRIDGE_VLANDB_ENTRY_MAX, entry, nullptr) != 0)
        return std::nullopt;
    const nlattr* const info = attributes[BRIDGE_VLANDB_ENTRY_INFO];
    bridge_vlan_info vlan{};
    if (info == nullptr || nla_len(info) < static_cast<int>(sizeof vlan))
        return std::nullopt;
    std::memcpy(&vlan, nla_data(info), sizeof vlan);
    const nlattr* const end = attributes[BRIDGE_VLANDB_ENTRY_RANGE];
    return PortVlan{.first = vlan.vid,
                    .last = end != nullptr ? get_u16(end) : vlan.vid,
                    .pvid = (vlan.flags & BRIDGE_VLAN_INFO_PVID) != 0,
                    .untagged = (vlan.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0};
}

void read_port(nlmsghdr* message, Index port, std::vector<PortVlan>& vlans) {
    if (message->nlmsg_type != RTM_NEWVLAN || !nlmsg_valid_hdr(message, sizeof(br_vlan_msg)) ||
        static_cast<const br_vlan_msg*>(nlmsg_data(message))->ifindex != static_cast<std::uint32_t>(port))
        return;
    int left = nlmsg_attrlen(message, sizeof(br_vlan_msg));
    for (nlattr* entry = nlmsg_attrdata(message, sizeof(br_vlan_msg)); nla_ok(entry, left);
         entry = nla_next(entry, &left)) {
        if (nla_type(entry) != BRIDGE_VLANDB_ENTRY)
            continue;
        if (const auto vlan = read_entry(entry))
            vlans.push_back(*vlan);
    }
}

} // namespace

// A new bridge with a VLAN protocol that is none, for a namespace that is none: the kernel looks at the first before
// (EPROTONOSUPPORT), if it looks at it at all, and makes nothing in either case.
bool Rtnl::supports_bridge_vlans() {
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
    message.put_text(IFLA_IFNAME, "cnative-probe");
    message.put_u32(IFLA_NET_NS_FD, UINT32_MAX);
    {
        const Nest info(message, IFLA_LINKINFO);
        message.put_text(IFLA_INFO_KIND, "bridge");
        const Nest data(message, IFLA_INFO_DATA);
        const std::uint16_t unfit = 0;
        message.put(IFLA_BR_VLAN_PROTOCOL, &unfit, sizeof unfit);
    }
    try {
        request(socket_.get(), message, {"probe", "VLANs of bridges"});
    } catch (const Error& error) {
        return error.err() != EBADF;
    }
    (void)delete_link(std::string("cnative-probe"));
    return false;
}

std::optional<BridgeVlans> Rtnl::bridge_vlans(Index bridge) {
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(bridge);
    Message message(RTM_GETLINK, 0, header);
    message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    std::optional<BridgeVlans> vlans;
    query(socket_.get(), message, {"look up VLANs of", os::cat("bridge ", static_cast<int>(bridge))},
          [&](nlmsghdr* reply) { vlans = read_bridge(reply); });
    return vlans;
}

void Rtnl::add_port_vlans(Index port, std::span<const PortVlan> vlans) {
    for (; !vlans.empty(); vlans = vlans.subspan(std::min(vlans.size(), most_ranges))) {
        Message message(RTM_SETLINK, 0, port_header(port));
        {
            const Nest spec(message, IFLA_AF_SPEC);
            for (const PortVlan& range : vlans.first(std::min(vlans.size(), most_ranges)))
                put_range(message, range);
        }
        request(socket_.get(), message, {"add VLANs to", name_of(port)});
    }
}

// ENOENT from kernels that tell.
void Rtnl::delete_port_vlan(Index port, std::uint16_t vlan) {
    Message message(RTM_DELLINK, 0, port_header(port));
    {
        const Nest spec(message, IFLA_AF_SPEC);
        put_vlan(message, vlan, 0);
    }
    (void)request_unless(socket_.get(), message, {"delete VLAN of", name_of(port)}, ENOENT);
}

std::optional<std::vector<PortVlan>> Rtnl::port_vlans(Index port) {
    br_vlan_msg header{};
    header.family = PF_BRIDGE;
    header.ifindex = static_cast<std::uint32_t>(port); // a dump of this port alone
    Message message(RTM_GETVLAN, NLM_F_DUMP, header);
    std::vector<PortVlan> vlans;
    try {
        query(
            socket_.get(), message, {"list VLANs of", name_of(port)},
            [&](nlmsghdr* reply) { read_port(reply, port, vlans); }, [&] { vlans.clear(); });
    } catch (const Error& error) {
        if (error.err() == EOPNOTSUPP)
            return std::nullopt;
        throw;
    }
    return vlans;
}

} // namespace netlink
