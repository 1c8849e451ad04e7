// SPDX-License-Identifier: Apache-2.0
#include "link_state.h"

#include <cstdint>

#include "cni/error.h"
#include "cni/object.h"
#include "os/text.h"

namespace tuning {

LinkState state_of(const netlink::Link& link, const LinkState& which) {
    LinkState state;
    if (which.mac && link.mac != inet::Mac{}) // all zero: a link without one
        state.mac = link.mac;
    if (which.promisc)
        state.promisc = link.is_promisc();
    if (which.mtu != 0)
        state.mtu = link.mtu;
    if (which.allmulti)
        state.allmulti = link.is_allmulti();
    if (which.tx_queue_length)
        state.tx_queue_length = link.tx_queue_length;
    return state;
}

LinkState merged(const LinkState& first, const LinkState& second) {
    return {.mac = first.mac ? first.mac : second.mac,
            .promisc = first.promisc ? first.promisc : second.promisc,
            .mtu = first.mtu != 0 ? first.mtu : second.mtu,
            .allmulti = first.allmulti ? first.allmulti : second.allmulti,
            .tx_queue_length = first.tx_queue_length ? first.tx_queue_length : second.tx_queue_length};
}

LinkState difference(const LinkState& state, const LinkState& found) {
    LinkState left = state;
    if (left.mac == found.mac)
        left.mac.reset();
    if (left.promisc == found.promisc)
        left.promisc.reset();
    if (left.mtu == found.mtu)
        left.mtu = 0;
    if (left.allmulti == found.allmulti)
        left.allmulti.reset();
    if (left.tx_queue_length == found.tx_queue_length)
        left.tx_queue_length.reset();
    return left;
}

std::vector<Change> changes_to(const LinkState& state) {
    using netlink::Index;
    using netlink::Rtnl;
    std::vector<Change> changes;
    if (state.mac)
        changes.push_back({"MAC address", [mac = *state.mac](Rtnl& rtnl, Index link) { rtnl.set_mac(link, mac); }});
    if (state.promisc)
        changes.push_back(
            {"promiscuous mode", [on = *state.promisc](Rtnl& rtnl, Index link) { rtnl.set_promisc(link, on); }});
    if (state.mtu != 0)
        changes.push_back({"MTU", [mtu = state.mtu](Rtnl& rtnl, Index link) { rtnl.set_mtu(link, mtu); }});
    if (state.allmulti)
        changes.push_back(
            {"all-multicast mode", [on = *state.allmulti](Rtnl& rtnl, Index link) { rtnl.set_allmulti(link, on); }});
    if (state.tx_queue_length)
        changes.push_back({"transmit queue length", [length = *state.tx_queue_length](Rtnl& rtnl, Index link) {
                               rtnl.set_tx_queue_length(link, length);
                           }});
    return changes;
}

std::string write(const LinkState& state) {
    std::vector<std::string> lines;
    const auto flag = [](bool on) { return on ? "true" : "false"; };
    if (state.mac)
        lines.push_back(os::cat(R"( "mac": ")", state.mac->text(), '"'));
    if (state.promisc)
        lines.push_back(os::cat(R"( "promisc": )", flag(*state.promisc)));
    if (state.mtu != 0)
        lines.push_back(os::cat(R"( "mtu": )", state.mtu));
    if (state.allmulti)
        lines.push_back(os::cat(R"( "allmulti": )", flag(*state.allmulti)));
    if (state.tx_queue_length)
        lines.push_back(os::cat(R"( "txQLen": )", *state.tx_queue_length));
    return lines.empty() ? "{}" : os::cat("{\n", os::join(lines, ",\n"), "\n}");
}

std::optional<LinkState> read(std::string_view json) {
    try {
        const cni::Object object = cni::Object::parse(json);
        LinkState state;
        if (const std::string mac = object.text("mac"); !mac.empty()) {
            state.mac = inet::Mac::parse(mac);
            if (!state.mac)
                return std::nullopt;
        }
        if (object.has("promisc"))
            state.promisc = object.flag("promisc");
        state.mtu = static_cast<unsigned>(object.number("mtu", 0, 0, INT32_MAX));
        if (object.has("allmulti"))
            state.allmulti = object.flag("allmulti");
        if (const auto length = object.find_number("txQLen", 0, UINT32_MAX))
            state.tx_queue_length = static_cast<unsigned>(*length);
        return state;
    } catch (const cni::Error&) {
        return std::nullopt;
    }
}

} // namespace tuning
