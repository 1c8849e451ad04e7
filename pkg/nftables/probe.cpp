// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <string_view>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/transaction.h"
#include "os/text.h"

namespace nft {

namespace {

using inet::Family;

struct Need {
    Rule rule;
    std::string_view option;
};

// Every expression of ours that is an option of the kernel, in the hook it is used in.
std::array<Need, 5> needs() {
    return {{{Rule("pre").destination_is_local().accept(), "CONFIG_NFT_FIB_INET"},
             {Rule("pre").dnat(Family::v4, {Selector::l4proto, Selector::th_dport}, "probe"), "CONFIG_NFT_NAT"},
             {Rule("post").was_dnatted().accept(), "CONFIG_NFT_CT"},
             {Rule("post").nfproto(Family::v4).masquerade(), "CONFIG_NFT_MASQ"},
             {Rule("post").nfproto(Family::v6).masquerade(), "CONFIG_NFT_MASQ"}}};
}

Chain base(const char* name, std::uint32_t hook) {
    return {.name = name, .hook = Hook{.type = "nat", .number = hook, .priority = NF_IP_PRI_NAT_SRC}};
}

} // namespace

// One batch that cannot succeed: its last operation removes a chain that is not there, so nothing of it ever comes to
// be. When that is the first thing the kernel objects to, it understood all before.
std::string probe_rules() {
    constexpr std::string_view last = "delete chain";
    Socket socket;
    Transaction batch(socket, {.family = NFPROTO_INET, .name = "cnative_probe"});
    batch.add_table();
    batch.add(Set{.name = "probe",
                  .key = {Field::inet_proto, Field::inet_service},
                  .data = {Field::ipv4_addr, Field::inet_service}});
    batch.add(base("pre", NF_INET_PRE_ROUTING)).add(base("post", NF_INET_POST_ROUTING));
    const auto wanted = needs();
    for (const Need& need : wanted)
        batch.add(need.rule);
    batch.remove_chain("none");
    try {
        batch.commit();
    } catch (const Error& error) {
        const std::string_view text = error.what();
        if (error.err() == EPERM || text.starts_with(last))
            return {};
        std::string_view option = "CONFIG_NF_TABLES_INET and CONFIG_NFT_NAT";
        for (const Need& need : wanted) {
            if (text.find(need.rule.text()) != std::string_view::npos)
                option = need.option;
        }
        return os::cat("the kernel cannot do what masquerade and port mappings need (", text, "): it needs ", option);
    }
    return {};
}

} // namespace nft
