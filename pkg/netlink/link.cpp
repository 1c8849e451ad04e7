// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <vector>

#include <netinet/in.h>

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "netlink/request.h"
#include "os/text.h"

namespace netlink {

namespace {

constexpr std::size_t longest_name = IFNAMSIZ - 1;

ifinfomsg header_of(Index index) {
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(index);
    return header;
}

void check_name(const std::string& name, const Subject& subject) {
    if (name.size() > longest_name)
        throw Error(ERANGE, subject.operation, subject.object);
}

inet::Mac get_mac(const nlattr* attribute) {
    inet::Mac mac;
    if (attribute != nullptr && nla_len(attribute) == static_cast<int>(mac.bytes.size()))
        std::memcpy(mac.bytes.data(), nla_data(attribute), mac.bytes.size());
    return mac;
}

bool is_forwarding(nlattr* port) {
    if (port == nullptr)
        return false;
    const nlattr* const state = nla_find(static_cast<nlattr*>(nla_data(port)), nla_len(port), IFLA_BRPORT_STATE);
    return state != nullptr && nla_len(state) >= 1 &&
           *static_cast<const std::uint8_t*>(nla_data(state)) == BR_STATE_FORWARDING;
}

void read_linkinfo(nlattr* linkinfo, Link& link) {
    nlattr* attributes[IFLA_INFO_MAX + 1] = {};
    if (linkinfo == nullptr || nla_parse_nested(attributes, IFLA_INFO_MAX, linkinfo, nullptr) != 0)
        return;
    link.kind = get_text(attributes[IFLA_INFO_KIND]);
    if (get_text(attributes[IFLA_INFO_SLAVE_KIND]) == "bridge")
        link.forwarding = is_forwarding(attributes[IFLA_INFO_SLAVE_DATA]);
}

std::optional<Link> read_link(nlmsghdr* message) {
    nlattr* attributes[IFLA_MAX + 1] = {};
    if (message->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse(message, sizeof(ifinfomsg), attributes, IFLA_MAX, nullptr) != 0)
        return std::nullopt;
    const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(message));
    Link link;
    link.index = Index{header->ifi_index};
    link.flags = header->ifi_flags;
    link.name = get_text(attributes[IFLA_IFNAME]);
    link.alias = get_text(attributes[IFLA_IFALIAS]);
    read_linkinfo(attributes[IFLA_LINKINFO], link);
    link.mac = get_mac(attributes[IFLA_ADDRESS]);
    link.mtu = get_u32(attributes[IFLA_MTU]);
    link.group = get_u32(attributes[IFLA_GROUP]);
    link.master = static_cast<int>(get_u32(attributes[IFLA_MASTER]));
    link.peer = static_cast<int>(get_u32(attributes[IFLA_LINK]));
    link.peer_elsewhere = attributes[IFLA_LINK_NETNSID] != nullptr;
    link.peer_dying = link.peer_elsewhere && static_cast<int>(get_u32(attributes[IFLA_LINK_NETNSID])) < 0;
    link.promiscuity = get_u32(attributes[IFLA_PROMISCUITY]);
    link.tx_queue_length = get_u32(attributes[IFLA_TXQLEN]);
    if (const nlattr* state = attributes[IFLA_OPERSTATE]; state != nullptr && nla_len(state) >= 1)
        link.operstate = *static_cast<const std::uint8_t*>(nla_data(state));
    return link;
}

std::optional<Link> ask_for_link(nl_sock* socket, Message& message, const Subject& subject) {
    message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    std::optional<Link> link;
    try {
        query(socket, message, subject, [&](nlmsghdr* reply) { link = read_link(reply); });
    } catch (const Error& error) {
        if (error.err() != ENODEV)
            throw;
    }
    return link;
}

// RTM_SETLINK without attributes but flags.
void change_flags(nl_sock* socket, Index index, unsigned flags, unsigned mask, std::string_view operation) {
    ifinfomsg header = header_of(index);
    header.ifi_flags = flags;
    header.ifi_change = mask;
    Message message(RTM_NEWLINK, 0, header);
    request(socket, message, {operation, name_of(index)});
}

void change_number(nl_sock* socket, Index index, int attribute, unsigned value, std::string_view operation) {
    Message message(RTM_NEWLINK, 0, header_of(index));
    message.put_u32(attribute, value);
    request(socket, message, {operation, name_of(index)});
}

// `peer`: nullptr for the namespace of the other end.
void put_veth_peer(Message& message, const VethSpec& spec, const netns::Netns* peer) {
    const Nest info(message, IFLA_LINKINFO);
    message.put_text(IFLA_INFO_KIND, "veth");
    const Nest data(message, IFLA_INFO_DATA);
    const Nest container(message, VETH_INFO_PEER);
    message.append(ifinfomsg{}); // never IFF_UP: a peer cannot be born up (ENOTCONN)
    message.put_text(IFLA_IFNAME, spec.container_name);
    if (peer != nullptr)
        message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer->fd()));
    if (spec.mtu != 0)
        message.put_u32(IFLA_MTU, spec.mtu);
    if (spec.container_mac)
        message.put(IFLA_ADDRESS, spec.container_mac->bytes.data(), spec.container_mac->bytes.size());
}

void create_pair(nl_sock* socket, const VethSpec& spec, const netns::Netns* peer) {
    const Subject subject{"create veth", spec.host_name};
    check_name(spec.host_name, subject);
    check_name(spec.container_name, subject);
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
    message.put_text(IFLA_IFNAME, spec.host_name);
    if (spec.master != 0)
        message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(spec.master));
    if (spec.mtu != 0)
        message.put_u32(IFLA_MTU, spec.mtu);
    message.put_u32(IFLA_GROUP, spec.group);
    put_veth_peer(message, spec, peer);
    request(socket, message, subject);
}

Message alias_message(const std::string& name, const std::string& alias, bool up) {
    ifinfomsg header{};
    header.ifi_flags = up ? unsigned{IFF_UP} : 0U;
    header.ifi_change = header.ifi_flags;
    Message message(RTM_NEWLINK, 0, header);
    message.put_text(IFLA_IFNAME, name);
    message.put(IFLA_IFALIAS, alias.data(), alias.size());
    return message;
}

} // namespace

bool Link::is_up() const {
    return (flags & IFF_UP) != 0;
}

bool Link::is_promisc() const {
    return (flags & IFF_PROMISC) != 0;
}

bool Link::is_allmulti() const {
    return (flags & IFF_ALLMULTI) != 0;
}

std::optional<Link> Rtnl::find_link(const std::string& name) {
    if (name.empty() || name.size() > longest_name)
        return std::nullopt;
    Message message(RTM_GETLINK, 0, ifinfomsg{});
    message.put_text(IFLA_IFNAME, name);
    return ask_for_link(socket_.get(), message, {"look up link", name});
}

std::optional<Link> Rtnl::find_link(Index index) {
    Message message(RTM_GETLINK, 0, header_of(index));
    return ask_for_link(socket_.get(), message, {"look up link", os::cat(static_cast<int>(index))});
}

std::optional<Link> Rtnl::find_other_end(const Link& veth) {
    if (veth.kind != "veth" || veth.peer == 0 || veth.peer_elsewhere)
        return std::nullopt;
    auto end = find_link(Index{veth.peer});
    return end && end->kind == "veth" && end->peer == static_cast<int>(veth.index) ? std::move(end) : std::nullopt;
}

std::vector<Link> Rtnl::links() {
    Message message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
    message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    std::vector<Link> all;
    query(
        socket_.get(), message, {"list", "links"},
        [&](nlmsghdr* reply) {
            if (auto link = read_link(reply))
                all.push_back(std::move(*link));
        },
        [&] { all.clear(); });
    return all;
}

std::size_t Rtnl::count_ports(Index bridge) {
    Message message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
    message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
    std::size_t ports = 0;
    query(
        socket_.get(), message, {"count ports of", os::cat("bridge ", static_cast<int>(bridge))},
        [&](nlmsghdr* reply) {
            const auto link = read_link(reply); // an old kernel ignores the filter
            ports += link && link->master == static_cast<int>(bridge) ? 1 : 0;
        },
        [&] { ports = 0; });
    return ports;
}

// A multicast MAC is refused by every kind that is there, before anything is made; an unknown kind is EOPNOTSUPP.
bool Rtnl::supports_kind(const std::string& kind) {
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
    message.put_text(IFLA_IFNAME, "cnative-probe");
    const std::uint8_t unfit[6] = {1, 0, 0, 0, 0, 0};
    message.put(IFLA_ADDRESS, unfit, sizeof unfit);
    {
        const Nest info(message, IFLA_LINKINFO);
        message.put_text(IFLA_INFO_KIND, kind);
    }
    try {
        request(socket_.get(), message, {"probe", kind});
    } catch (const Error& error) {
        return error.err() != EOPNOTSUPP;
    }
    (void)delete_link(std::string("cnative-probe"));
    return true;
}

bool Rtnl::create_bridge(const BridgeSpec& spec) {
    const Subject subject{"create bridge", spec.name};
    check_name(spec.name, subject);
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
    message.put_text(IFLA_IFNAME, spec.name);
    message.put(IFLA_ADDRESS, spec.mac.bytes.data(), spec.mac.bytes.size());
    if (spec.mtu != 0)
        message.put_u32(IFLA_MTU, spec.mtu);
    {
        const Nest info(message, IFLA_LINKINFO);
        message.put_text(IFLA_INFO_KIND, "bridge");
        if (spec.vlan_filtering) {
            const Nest data(message, IFLA_INFO_DATA);
            message.put_u8(IFLA_BR_VLAN_FILTERING, 1);
        }
    }
    return request_unless(socket_.get(), message, subject, EEXIST);
}

bool Rtnl::create_ifb(const std::string& name, unsigned mtu, unsigned group) {
    const Subject subject{"create ifb", name};
    check_name(name, subject);
    ifinfomsg header{};
    header.ifi_flags = header.ifi_change = IFF_UP;
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header);
    message.put_text(IFLA_IFNAME, name);
    message.put_u32(IFLA_MTU, mtu);
    message.put_u32(IFLA_GROUP, group);
    message.put_u32(IFLA_TXQLEN, 0);
    {
        const Nest info(message, IFLA_LINKINFO);
        message.put_text(IFLA_INFO_KIND, "ifb");
    }
    return request_unless(socket_.get(), message, subject, EEXIST);
}

void Rtnl::create_veth(const VethSpec& spec, const netns::Netns& peer) {
    create_pair(socket_.get(), spec, &peer);
}

void Rtnl::create_veth(const VethSpec& spec) {
    create_pair(socket_.get(), spec, nullptr);
}

bool Rtnl::delete_link(const std::string& name) {
    if (name.empty() || name.size() > longest_name)
        return false;
    Message message(RTM_DELLINK, 0, ifinfomsg{});
    message.put_text(IFLA_IFNAME, name);
    return request_unless(socket_.get(), message, {"delete link", name}, ENODEV);
}

bool Rtnl::delete_link(Index index) {
    Message message(RTM_DELLINK, 0, header_of(index));
    return request_unless(socket_.get(), message, {"delete link", os::cat(static_cast<int>(index))}, ENODEV);
}

void Rtnl::set_up(Index index) {
    change_flags(socket_.get(), index, IFF_UP, IFF_UP, "set up");
}

void Rtnl::set_down(Index index) {
    change_flags(socket_.get(), index, 0, IFF_UP, "set down");
}

void Rtnl::set_promisc(Index index, bool on) {
    change_flags(socket_.get(), index, on ? unsigned{IFF_PROMISC} : 0U, IFF_PROMISC, "set promiscuous mode on");
}

void Rtnl::set_allmulti(Index index, bool on) {
    change_flags(socket_.get(), index, on ? unsigned{IFF_ALLMULTI} : 0U, IFF_ALLMULTI, "set all-multicast mode of");
}

void Rtnl::set_mtu(Index index, unsigned mtu) {
    change_number(socket_.get(), index, IFLA_MTU, mtu, "set MTU of");
}

void Rtnl::set_master(Index index, Index master) {
    change_number(socket_.get(), index, IFLA_MASTER, static_cast<unsigned>(master), "set master of");
}

void Rtnl::set_tx_queue_length(Index index, unsigned packets) {
    change_number(socket_.get(), index, IFLA_TXQLEN, packets, "set transmit queue length of");
}

void Rtnl::set_mac(Index index, const inet::Mac& mac) {
    Message message(RTM_NEWLINK, 0, header_of(index));
    message.put(IFLA_ADDRESS, mac.bytes.data(), mac.bytes.size());
    request(socket_.get(), message, {"set MAC of", name_of(index)});
}

void Rtnl::set_alias(const std::string& name, const std::string& alias, bool up) {
    Message message = alias_message(name, alias, up);
    message.put_u32(IFLA_GROUP, 0);
    request(socket_.get(), message, {"set alias of", name});
}

void Rtnl::send_alias(const std::string& name, const std::string& alias) {
    Message message = alias_message(name, alias, false);
    tell(socket_.get(), message, {"set alias of", name});
}

void Rtnl::set_port(Index index, const PortSettings& settings) {
    ifinfomsg header = header_of(index);
    header.ifi_family = PF_BRIDGE;
    Message message(RTM_SETLINK, 0, header);
    {
        const Nest port(message, IFLA_PROTINFO | NLA_F_NESTED);
        if (settings.hairpin)
            message.put_u8(IFLA_BRPORT_MODE, 1);
        if (settings.isolated)
            message.put_u8(IFLA_BRPORT_ISOLATED, 1);
    }
    request(socket_.get(), message, {"set bridge port flags of", name_of(index)});
}

} // namespace netlink
