// SPDX-License-Identifier: Apache-2.0
// What rtnetlink answers. The first byte chooses the question.
#include "fuzz.h"
#include "netlink/rtnl.h"

namespace {

constexpr netlink::Index link{3};

void ask(netlink::Rtnl& rtnl, unsigned question) {
    switch (question % 17) {
    case 0:
        return void(rtnl.find_link("eth0"));
    case 1:
        return void(rtnl.links());
    case 2:
        return void(rtnl.count_ports(link));
    case 3:
        return void(rtnl.addresses(link, inet::Family::v4));
    case 4:
        return void(rtnl.addresses(link));
    case 5:
        return void(rtnl.dad_state(link));
    case 6:
        return void(rtnl.routes(inet::Family::v4));
    case 7:
        return void(rtnl.routes(inet::Family::v6));
    case 8:
        return void(rtnl.route_to(inet::Address::any(inet::Family::v4)));
    case 9:
        return void(rtnl.find_qdisc(link, netlink::way_out));
    case 10:
        return void(rtnl.htb_classes(link));
    case 11:
        return void(rtnl.filters(link, netlink::way_out));
    case 12:
        return void(rtnl.delete_link("eth0"));
    case 13:
        return void(rtnl.supports_kind("ifb"));
    case 14:
        return void(rtnl.bridge_vlans(link));
    case 15:
        return void(rtnl.port_vlans(link));
    default:
        return void(rtnl.supports_bridge_vlans());
    }
}

} // namespace

FUZZ_TARGET(rtnl) {
    static netlink::Rtnl rtnl;
    const unsigned question = fuzz::take_byte(input);
    fuzz::kernel_says(input);
    fuzz::survive([&] { ask(rtnl, question); });
}
