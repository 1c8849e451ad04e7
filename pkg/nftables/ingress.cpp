// SPDX-License-Identifier: Apache-2.0
#include "nftables/ingress.h"

#include <vector>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/intact.h"
#include "nftables/masquerade.h"
#include "nftables/owned.h"
#include "os/text.h"

namespace nft {

namespace {

constexpr const char* apart = "apart";
constexpr const char* own = "apart_own";
constexpr const char* isolated = "apart_isolated";

Fragment fragment() {
    const Selectors way = {Selector::iifname, Selector::oifname};
    const std::vector<Field> pair = {Field::ifname, Field::ifname};
    return {.name = "ingress",
            .table = shared_table(),
            .sets = {{.name = apart, .key = {Field::ifname}}, {.name = own, .key = pair}, {.name = isolated, .key = pair}},
            .chains = {{.name = "ingress",
                        .hook = Hook{.type = "filter", .number = NF_INET_FORWARD, .priority = NF_IP_PRI_FILTER},
                        .rules = {Rule("ingress").in_set(way, isolated).drop(),
                                  Rule("ingress")
                                      .in_set({Selector::iifname}, apart)
                                      .in_set({Selector::oifname}, apart)
                                      .in_set(way, own, true)
                                      .drop()}}}};
}

std::vector<Element> elements(const std::string& network, const std::string& bridge, Ingress policy) {
    Element single{.set = apart, .owner = network}, pair{.set = own, .owner = network};
    append_ifname(single.key, bridge);
    append_ifname(pair.key, bridge);
    append_ifname(pair.key, bridge);
    std::vector<Element> wanted = {single, pair};
    if (policy == Ingress::isolated) {
        pair.set = isolated;
        wanted.push_back(pair);
    }
    return wanted;
}

} // namespace

void set_ingress(Socket& socket, const std::string& network, const std::string& bridge, Ingress policy) {
    if (policy == Ingress::open)
        return;
    const Fragment base = fragment();
    std::vector<Element> missing = elements(network, bridge, policy);
    // Asked for first: a batch refused for what all containers share would cost the kernel 15 ms.
    std::erase_if(missing, [&](const Element& e) { return find(socket, base.table, e.set, e.key).has_value(); });
    (void)create_owned(socket, {.fragment = &base, .elements = std::move(missing)},
                       [](const Element&, const Element&) { return false; });
}

std::string missing_ingress(Socket& socket, const std::string& bridge, Ingress policy) {
    if (policy == Ingress::open)
        return {};
    for (const Element& wanted : elements({}, bridge, policy)) {
        if (!find(socket, shared_table(), wanted.set, wanted.key))
            return os::cat("bridge ", bridge, " is not in set ", wanted.set, " of table inet cnative");
    }
    return missing_rules(socket, fragment());
}

} // namespace nft
