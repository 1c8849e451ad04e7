// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <utility>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/transaction.h"
#include "os/text.h"

namespace nft {

// A generation that cannot be current makes the kernel check nothing, so the batch is built to fail at its end
// instead: the last operation removes a chain that does not exist. ENOENT there says that all before was accepted.
std::string probe_rules() {
    using inet::Family;
    const std::array<std::pair<Rule, std::string_view>, 4> needs{{
        {Rule("probe").masquerade(), "CONFIG_NFT_MASQ"},
        {Rule("probe").destination_is_local().accept(), "CONFIG_NFT_FIB_INET"},
        {Rule("probe").was_dnatted().accept(), "CONFIG_NFT_CT"},
        {Rule("probe").dnat(Family::v4, {Selector::l4proto, Selector::th_dport}, "probe"), "CONFIG_NFT_NAT"},
    }};
    for (const auto& [rule, option] : needs) {
        const bool dnat = option == "CONFIG_NFT_NAT";
        Socket socket;
        Transaction batch(socket, {.family = NFPROTO_INET, .name = "cnative_probe"});
        batch.add_table();
        batch.add(Set{.name = "probe",
                      .key = {Field::inet_proto, Field::inet_service},
                      .data = {Field::ipv4_addr, Field::inet_service}});
        batch.add(Chain{.name = "probe",
                        .hook = Hook{.type = "nat",
                                     .number = dnat ? NF_INET_PRE_ROUTING : NF_INET_POST_ROUTING,
                                     .priority = NF_IP_PRI_NAT_SRC},
                        .rules = {option == "CONFIG_NFT_FIB_INET" ? Rule("probe").accept() : rule}});
        batch.remove_chain("none");
        try {
            batch.commit();
        } catch (const Error& error) {
            if (error.err() != ENOENT || std::string_view(error.what()).find("delete chain") == std::string_view::npos)
                return os::cat("the kernel cannot do what masquerade and port mappings need (", error.what(),
                               "): it needs ", option);
        }
    }
    return {};
}

} // namespace nft
