// SPDX-License-Identifier: Apache-2.0
// What nf_tables answers: elements, rules, chains, the refusals of a batch; any bytes, framing included. The first byte
// chooses the question.
#include <array>

#include <linux/netfilter.h>

#include "fuzz.h"
#include "nftables/accepted.h"
#include "nftables/foreign.h"
#include "nftables/ingress.h"
#include "nftables/iptables_forward.h"
#include "nftables/legacy.h"

namespace {

constexpr nft::Table table{NFPROTO_INET, "cnative"};

void read_rules(nft::Socket& socket, const nft::Table& from, const std::string& chain) {
    for (const nft::ForeignRule& rule : nft::list_rules(socket, from, chain)) {
        for (const auto& prefix : {rule.source, rule.destination})
            fuzz::must(!prefix || prefix->length <= inet::bits(prefix->address.family()), "a prefix fits its address");
        for (const std::string& text : {rule.chain, rule.comment, rule.jump})
            fuzz::must(text.find('\0') == std::string::npos, "a text ends at its NUL");
    }
}

void ask(nft::Socket& socket, unsigned question) {
    const std::array addresses{inet::Address::any(inet::Family::v4), inet::Address::any(inet::Family::v6)};
    const auto any_owner = [](const std::string& owner) { return !owner.empty(); };
    switch (question % 14) {
    case 0:
        return void(nft::find(socket, table, "accepted4", nft::key_of(addresses[0])));
    case 1:
        return void(nft::list(socket, table, "accepted4"));
    case 2:
        return read_rules(socket, table, "forward");
    case 3:
        return read_rules(socket, {NFPROTO_IPV6, "nat"}, "");
    case 4:
        return void(nft::find_chain(socket, table, "forward"));
    case 5:
        return void(socket.generation());
    case 6:
        return void(nft::find_accepted(socket, "net/c1/eth0", addresses));
    case 7:
        return nft::add_accepted(socket, "net/c1/eth0", addresses, true);
    case 8:
        return void(nft::missing_accepted(socket, "net/c1/eth0", addresses, true));
    case 9:
        return nft::let_through_iptables(socket, inet::Family::v4, "CNI-ADMIN");
    case 10:
        return nft::remove_legacy_masquerade(socket, "net", "c1", "eth0", addresses);
    case 11:
        return nft::remove_legacy_portmap(socket, "net", "c1");
    case 12:
        return nft::remove_legacy_firewall(socket, addresses);
    default:
        return nft::gc_ports(socket, any_owner);
    }
}

} // namespace

FUZZ_TARGET(nftables) {
    static nft::Socket socket;
    const unsigned question = fuzz::take_byte(input);
    fuzz::kernel_says(input);
    fuzz::survive([&] { ask(socket, question); });
}
