// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <optional>
#include <vector>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "netlink/request.h"

namespace netlink {

namespace {

Message address_message(int type, int flags, Index index, const inet::Prefix& address, bool nodad) {
    ifaddrmsg header{};
    header.ifa_family = family_number(address.address.family());
    header.ifa_prefixlen = address.length;
    header.ifa_index = static_cast<unsigned>(index);
    header.ifa_flags = nodad && address.address.family() == inet::Family::v6 ? IFA_F_NODAD : 0;
    Message message(type, flags, header);
    message.put_address(IFA_LOCAL, address.address);
    message.put_address(IFA_ADDRESS, address.address);
    return message;
}

struct Found {
    inet::Prefix prefix;
    std::uint32_t flags = 0;
};

// Of one family, or of both.
std::vector<Found> list(nl_sock* socket, Index index, std::optional<inet::Family> family) {
    ifaddrmsg header{};
    header.ifa_family = family ? family_number(*family) : std::uint8_t{AF_UNSPEC};
    header.ifa_index = static_cast<unsigned>(index); // with strict checking the kernel sends this link's only
    Message message(RTM_GETADDR, NLM_F_DUMP, header);
    std::vector<Found> found;
    const auto read = [&](nlmsghdr* reply) {
        nlattr* attributes[IFA_MAX + 1] = {};
        if (reply->nlmsg_type != RTM_NEWADDR || nlmsg_parse(reply, sizeof header, attributes, IFA_MAX, nullptr) != 0)
            return;
        const auto* answer = static_cast<const ifaddrmsg*>(nlmsg_data(reply));
        const bool is_v6 = answer->ifa_family == AF_INET6;
        if (answer->ifa_index != static_cast<unsigned>(index) || (!is_v6 && answer->ifa_family != AF_INET))
            return;
        const inet::Family family_told = is_v6 ? inet::Family::v6 : inet::Family::v4;
        if (family && family_told != *family)
            return;
        auto address = get_address(attributes[IFA_LOCAL]);
        if (!address)
            address = get_address(attributes[IFA_ADDRESS]);
        const std::uint32_t flags =
            attributes[IFA_FLAGS] != nullptr ? get_u32(attributes[IFA_FLAGS]) : answer->ifa_flags;
        if (address && address->family() == family_told) // a v4-mapped one reads as IPv4 and is nothing we ever set
            found.push_back({{*address, answer->ifa_prefixlen}, flags});
    };
    query(socket, message, {"list addresses of", name_of(index)}, read, [&] { found.clear(); });
    return found;
}

} // namespace

std::vector<inet::Prefix> Rtnl::addresses(Index index, inet::Family family) {
    std::vector<inet::Prefix> prefixes;
    for (const Found& found : list(socket_.get(), index, family))
        prefixes.push_back(found.prefix);
    return prefixes;
}

std::vector<inet::Prefix> Rtnl::addresses(Index index) {
    std::vector<inet::Prefix> prefixes;
    for (const Found& found : list(socket_.get(), index, std::nullopt))
        prefixes.push_back(found.prefix);
    return prefixes;
}

Rtnl::DadState Rtnl::dad_state(Index index) {
    DadState state;
    for (const Found& found : list(socket_.get(), index, inet::Family::v6)) {
        if ((found.flags & IFA_F_DADFAILED) != 0)
            state.failed.push_back(found.prefix.address);
        else if ((found.flags & IFA_F_TENTATIVE) != 0)
            state.tentative.push_back(found.prefix.address);
    }
    return state;
}

void Rtnl::add_address(Index index, const inet::Prefix& address, bool nodad) {
    Message message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address, nodad);
    if (address.address.family() == inet::Family::v4 && address.length < 31)
        message.put_address(IFA_BROADCAST, address.last());
    request(socket_.get(), message, {"add address", address.text()});
}

bool Rtnl::delete_address(Index index, const inet::Prefix& address) {
    Message message = address_message(RTM_DELADDR, 0, index, address, false);
    return request_unless(socket_.get(), message, {"delete address", address.text()}, EADDRNOTAVAIL);
}

} // namespace netlink
