// SPDX-License-Identifier: Apache-2.0
#include "nftables/iptables_forward.h"

#include <algorithm>
#include <cerrno>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/accepted.h"
#include "nftables/foreign.h"
#include "nftables/transaction.h"
#include "os/file.h"
#include "os/log.h"
#include "os/text.h"

namespace nft {

namespace {

// Any change of the ruleset sends us back to looking, but then somebody got further.
constexpr int most_restarts = 1000, most_tries = most_restarts + 10;
constexpr std::string_view hook_chain = "FORWARD", our_chain = "CNI-FORWARD";
constexpr std::string_view jump_comment = "CNI firewall plugin rules";
constexpr std::string_view admin_comment = "CNI firewall plugin admin overrides";
constexpr std::string_view marks_comment = "CNI firewall plugin marks";

Table filter_table(inet::Family family) {
    return {.family = static_cast<std::uint8_t>(family == inet::Family::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6),
            .name = "filter"};
}

/// Which of the three rules are there.
struct Rules {
    bool jump = false, admin = false, accept = false;
    [[nodiscard]] bool complete() const { return jump && admin && accept; }
};

bool any_jump(const std::vector<ForeignRule>& rules, std::string_view to) {
    return std::ranges::any_of(rules, [&](const ForeignRule& rule) { return rule.jump == to; });
}

/// Where the rules were loaded by nft rather than by iptables, they have lost their comments.
bool is_accept(const ForeignRule& rule) {
    return rule.accepts && (rule.comment == marks_comment || rule.mark == accepted_mark);
}

Rules look(Socket& socket, const Table& table, const std::string& admin_chain) {
    const auto own = list_rules(socket, table, std::string(our_chain));
    return {.jump = any_jump(list_rules(socket, table, std::string(hook_chain)), our_chain),
            .admin = any_jump(own, admin_chain),
            .accept = std::ranges::any_of(own, is_accept)};
}

Rule jump_with(std::string_view chain, std::string_view comment, std::string_view to) {
    return Rule(std::string(chain)).xt_comment(comment).counter().jump(std::string(to));
}

/// A chain as iptables makes it, for whom it may be filled.
Chain empty_chain(std::string_view name) {
    return {.name = std::string(name), .keep_rules = true};
}

void add_missing(Socket& socket, const Table& table, const std::string& admin_chain, Transaction& batch) {
    const Rules there = look(socket, table, admin_chain);
    if (there.complete())
        return;
    if (!find_chain(socket, table, std::string(hook_chain))) {
        Chain base = empty_chain(hook_chain);
        base.hook = Hook{.type = "filter", .number = NF_INET_FORWARD, .priority = NF_IP_PRI_FILTER};
        batch.add_table(); // not there either on a host on which iptables never were
        batch.add(base);
    }
    batch.add(empty_chain(our_chain)).add(empty_chain(admin_chain));
    if (!there.jump)
        batch.insert(jump_with(hook_chain, jump_comment, our_chain));
    if (!there.admin)
        batch.insert(jump_with(our_chain, admin_comment, admin_chain));
    if (!there.accept)
        batch.add(Rule(std::string(our_chain))
                      .xt_comment(marks_comment)
                      .xt_mark(accepted_mark, accepted_mask)
                      .counter()
                      .accept());
}

} // namespace

bool iptables_forward(Socket& socket, inet::Family family, const std::string& admin_chain) {
    const Table table = filter_table(family);
    const auto hook = find_chain(socket, table, std::string(hook_chain));
    if (hook && hook->priority != NF_IP_PRI_FILTER)
        os::warn(os::cat("chain ", hook_chain, " of table ", table_text(table), " has the priority ", hook->priority,
                         ", and iptables' has 0: packets carry no mark there, so what it drops of containers stays "
                         "dropped; give it that priority, or let it accept their subnets"));
    return hook || find_chain(socket, table, admin_chain);
}

bool iptables_legacy(inet::Family family) {
    const char* const path = family == inet::Family::v4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
    constexpr std::size_t most = 4096; // names of tables, a line each
    try {
        const std::string names = os::cat("\n", os::read_file(path, most).value_or(std::string()));
        return names.find("\nfilter\n") != std::string::npos;
    } catch (const os::Error&) {
        return false; // in a user namespace the file is not ours to read, and only a warning hangs on it
    }
}

void let_through_iptables(Socket& socket, inet::Family family, const std::string& admin_chain) {
    const Table table = filter_table(family);
    // Two rules and one that leads to them: as it was left. The Go suite's own would be even in number.
    constexpr std::uint32_t as_left = 3;
    const auto own = find_chain(socket, table, std::string(our_chain));
    if (own && own->uses == as_left && find_chain(socket, table, admin_chain))
        return;
    for (int tries = 1;; ++tries) {
        const std::uint32_t generation = socket.generation();
        Transaction batch(socket, table);
        add_missing(socket, table, admin_chain, batch);
        if (batch.empty())
            return;
        if (tries < most_restarts) // afterwards on a ruleset that never rests; a second jump does no harm
            batch.only_if_generation(generation);
        try {
            return batch.commit();
        } catch (const Error& error) {
            if ((error.err() != ERESTART && error.err() != ENOENT) || tries == most_tries)
                throw;
        }
    }
}

std::vector<std::string> missing_in_iptables(Socket& socket, inet::Family family, const std::string& admin_chain) {
    const Rules there = look(socket, filter_table(family), admin_chain);
    std::vector<std::string> missing;
    // In the words of the Go suite, whose list looks the same for IPv4 and IPv6.
    const auto miss = [&](std::string_view chain, std::string_view comment, std::string_view verdict) {
        missing.push_back(os::cat("expected ", chain, " rule [-m comment --comment ", comment, verdict, "] not found",
                                  family == inet::Family::v4 ? "" : " by ip6tables"));
    };
    if (!there.jump)
        miss(hook_chain, jump_comment, os::cat(" -j ", our_chain));
    if (!there.admin)
        miss(our_chain, admin_comment, os::cat(" -j ", admin_chain));
    if (!there.accept)
        miss(our_chain, marks_comment, " … -j ACCEPT");
    return missing;
}

} // namespace nft
