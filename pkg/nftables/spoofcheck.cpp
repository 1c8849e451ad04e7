// SPDX-License-Identifier: Apache-2.0
#include "nftables/spoofcheck.h"

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

#include "nftables/intact.h"
#include "os/text.h"

namespace nft {

namespace {

Table bridge_table() {
    return {.family = NFPROTO_BRIDGE, .name = "cnative"};
}

Fragment fragment() {
    constexpr std::int32_t before_dnat = -300;
    Rule rule("spoofcheck");
    rule.in_set({Selector::iifname}, "guarded")
        .in_set({Selector::iifname, Selector::ether_saddr}, "allowed", true)
        .drop();
    return {.name = "spoofcheck",
            .table = bridge_table(),
            .sets = {{.name = "guarded", .key = {Field::ifname}},
                     {.name = "allowed", .key = {Field::ifname, Field::ether_addr}}},
            .chains = {{.name = "spoofcheck",
                        .hook = Hook{.type = "filter", .number = NF_BR_PRE_ROUTING, .priority = before_dnat},
                        .rules = {rule}}}};
}

Element guarded(const std::string& owner, const std::string& host_veth) {
    Element element{.set = "guarded", .owner = owner};
    append_ifname(element.key, host_veth);
    return element;
}

Element allowed(const std::string& owner, const std::string& host_veth, const inet::Mac& mac) {
    Element element{.set = "allowed", .owner = owner};
    append_ifname(element.key, host_veth);
    append_mac(element.key, mac);
    return element;
}

} // namespace

void add_spoof_check(Socket& socket, const std::string& owner, const std::string& host_veth, const inet::Mac& mac) {
    remove_spoof_check(socket, owner, host_veth); // the MAC of an ADD that was killed must not stay allowed
    const Fragment base = fragment();
    // The veth is ours alone: whatever is there under its name is left over.
    create_owned(socket, {.fragment = &base, .elements = {allowed(owner, host_veth, mac), guarded(owner, host_veth)}},
                 [](const Element&, const Element&) { return true; });
}

void remove_spoof_check(Socket& socket, const std::string& owner, const std::string& host_veth) {
    where_supported([&] {
        // Nearly every container has none: one lookup tells. `guarded` goes last, so that this stays true after a kill.
        if (!is_owned(socket, bridge_table(), guarded(owner, host_veth)))
            return;
        gc_spoof_check(socket, [&](const std::string& other) { return other == owner; });
    });
}

std::string missing_spoof_check(Socket& socket, const std::string& owner, const std::string& host_veth,
                                const inet::Mac& mac) {
    for (const Element& wanted : {allowed(owner, host_veth, mac), guarded(owner, host_veth)}) {
        if (!is_owned(socket, bridge_table(), wanted))
            return os::cat("the MAC spoof check is missing: set ", wanted.set,
                           " of table bridge cnative has no element of this container");
    }
    const std::string missing = missing_rules(socket, fragment());
    return missing.empty() ? missing : os::cat("the MAC spoof check is not in place: ", missing);
}

void gc_spoof_check(Socket& socket, const OwnerTest& is_stale) {
    remove_all_owned(socket, bridge_table(), {"allowed", "guarded"}, is_stale);
}

} // namespace nft
