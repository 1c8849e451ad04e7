// SPDX-License-Identifier: Apache-2.0
#include "nftables/legacy.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <vector>

#include <netinet/in.h>

#include <linux/netfilter.h>

#include "nftables/foreign.h"
#include "nftables/transaction.h"
#include "nftables/wire.h"
#include "os/sha512.h"
#include "os/text.h"

namespace nft {

namespace {

constexpr int most_tries = 5;
using Test = std::function<bool(const ForeignRule&)>;

constexpr std::array<std::uint8_t, 2> families{NFPROTO_IPV4, NFPROTO_IPV6};

// The Go suite's names: a fixed number of characters of prefix and SHA-512.
std::string hashed(std::string_view prefix, std::string_view text) {
    constexpr std::size_t longest_chain = 28; // of iptables
    return os::cat(prefix, os::sha512_hex(text)).substr(0, longest_chain);
}

std::string h16(std::string_view text) {
    return os::sha512_hex(text).substr(0, 16);
}

// Fills a batch as the ruleset is now and commits it; again when others changed it in between.
void settle(Socket& socket, const Table& table, const std::function<void(Transaction&, int last_error)>& fill) {
    int last_error = 0;
    for (int tries = 1;; ++tries) {
        try {
            Transaction batch(socket, table);
            fill(batch, last_error);
            if (!batch.empty())
                batch.commit();
            return;
        } catch (const Error& error) {
            last_error = error.err();
            const bool again = last_error == ENOENT || last_error == EBUSY || last_error == ERESTART;
            if (!again || tries == most_tries)
                throw;
        }
    }
}

void remove_rules(Socket& socket, const Table& table, const std::string& chain, const Test& is_ours) {
    settle(socket, table, [&](Transaction& batch, int) {
        for (const ForeignRule& rule : list_rules(socket, table, chain)) {
            if (is_ours(rule))
                batch.remove_rule(rule.chain, rule.handle);
        }
    });
}

/// Chains of one container; `from` jumps to the first of them.
struct Chains {
    Table table;
    std::string from;
    std::vector<std::string> names;
};

// The jumps that are ours, and the chains when these were all. `is_ours` gets each jump and the number of jumps.
void remove_chains(Socket& socket, const Chains& chains,
                   const std::function<bool(const ForeignRule&, std::size_t)>& is_ours) {
    settle(socket, chains.table, [&](Transaction& batch, int last_error) {
        if (!chain_exists(socket, chains.table, chains.names.front()))
            return; // then nothing jumps to it either
        std::vector<ForeignRule> jumps = list_rules(socket, chains.table, chains.from);
        std::erase_if(jumps, [&](const ForeignRule& rule) { return rule.jump != chains.names.front(); });
        std::size_t kept = 0;
        for (const ForeignRule& rule : jumps) {
            if (is_ours(rule, jumps.size()))
                batch.remove_rule(rule.chain, rule.handle);
            else
                ++kept;
        }
        if (kept != 0)
            return;
        for (const std::string& name : chains.names)
            batch.flush_chain(name);
        // Busy: somebody's own rule jumps to it. Emptied it does nothing.
        for (const std::string& name : chains.names) {
            if (last_error != EBUSY)
                batch.remove_chain(name);
        }
    });
}

bool any_jump(const ForeignRule&, std::size_t) {
    return true;
}

} // namespace

void remove_legacy_masquerade(Socket& socket, std::string_view network, std::string_view container_id,
                              std::string_view ifname, std::span<const inet::Address> known) {
    std::string comment; // names are hashed once something may have them: most hosts have nothing
    const auto has_comment = [&](const ForeignRule& rule) {
        if (comment.empty())
            comment = os::cat(h16(network), "-", h16(os::cat(ifname, ":", container_id)));
        return rule.comment.starts_with(comment);
    };
    const auto is_known = [&](const ForeignRule& jump, std::size_t jumps) {
        if (known.empty())
            return jumps == 1; // more: another interface of the container may need them
        return jump.source &&
               std::ranges::any_of(known, [&](const inet::Address& address) { return jump.source->contains(address); });
    };
    where_supported([&] {
        remove_rules(socket, {.family = NFPROTO_INET, .name = "cni_plugins_masquerade"}, "masq_checks", has_comment);
        for (const std::uint8_t family : families) {
            const Table nat{.family = family, .name = "nat"};
            if (chain_exists(socket, nat, "POSTROUTING"))
                remove_chains(socket, {nat, "POSTROUTING", {hashed("CNI-", os::cat(network, container_id))}}, is_known);
        }
    });
}

void remove_legacy_portmap(Socket& socket, std::string_view network, std::string_view container_id) {
    const auto is_ours = [&](const ForeignRule& rule) {
        const bool has_containers =
            rule.chain == "hostports" || rule.chain == "hostip_hostports" || rule.chain == "masquerading";
        return has_containers && rule.comment == container_id;
    };
    const std::string from = "CNI-HOSTPORT-DNAT";
    where_supported([&] {
        for (const std::uint8_t family : families) {
            remove_rules(socket, {.family = family, .name = "cni_hostport"}, {}, is_ours);
            const Table nat{.family = family, .name = "nat"};
            if (chain_exists(socket, nat, from))
                remove_chains(socket, {nat, from, {hashed("CNI-DN-", os::cat(network, container_id))}}, any_jump);
        }
    });
}

void remove_legacy_firewall(Socket& socket, std::span<const inet::Address> addresses) {
    const auto is_one_of_them = [&](const std::optional<inet::Prefix>& prefix) {
        return prefix && prefix->length == inet::bits(prefix->address.family()) &&
               std::ranges::find(addresses, prefix->address) != addresses.end();
    };
    // -s A -j ACCEPT, and -d A -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT: nothing more and nothing less.
    const auto is_theirs = [&](const ForeignRule& rule) {
        return rule.accepts && ((rule.kinds == "payload cmp immediate" && is_one_of_them(rule.source)) ||
                                (rule.kinds == "payload cmp match immediate" && is_one_of_them(rule.destination)));
    };
    where_supported([&] {
        for (const std::uint8_t family : families) {
            const auto wanted = family == NFPROTO_IPV4 ? inet::Family::v4 : inet::Family::v6;
            if (std::ranges::any_of(addresses, [&](const inet::Address& a) { return a.family() == wanted; }))
                remove_rules(socket, {.family = family, .name = "filter"}, "CNI-FORWARD", is_theirs);
        }
    });
}

void remove_legacy_spoof_check(Socket& socket, std::string_view container_id, std::string_view ifname) {
    const std::string chain = os::cat("cni-br-iface-", container_id, "-", ifname), mac = chain + "-mac";
    constexpr std::size_t longest = 255; // NFT_NAME_MAXLEN with its NUL: the kernel cannot have had a longer one
    if (mac.size() > longest)
        return;
    where_supported([&] {
        remove_chains(socket, {{.family = NFPROTO_BRIDGE, .name = "nat"}, "PREROUTING", {chain, mac}}, any_jump);
    });
}

} // namespace nft
