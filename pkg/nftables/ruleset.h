// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inet/address.h"
#include "nftables/element.h"

struct nftnl_rule;

// Sets, chains and rules as values that print as nft text.
namespace nft {

/// What a set's key or a map's data is made of, by nft's type names.
enum class Field : std::uint8_t { ipv4_addr, ipv6_addr, ether_addr, inet_proto, inet_service, mark, ifname };

struct Set {
    std::string name;
    std::vector<Field> key;
    std::vector<Field> data; ///< of a map
    bool verdicts = false;   ///< a verdict map
    bool intervals = false;  ///< elements are intervals; the key has several fields (the kernel's pipapo set)
    [[nodiscard]] std::string text() const;
};

/// What a rule looks at, by nft's words.
enum class Selector : std::uint8_t {
    ip_saddr,
    ip_daddr,
    ip6_saddr,
    ip6_daddr,
    ether_saddr,
    iifname,
    oifname,
    mark,
    l4proto,
    th_sport,
    th_dport,
};
using Selectors = std::vector<Selector>;

/// One rule, built in the order it is read: `Rule("masquerade").in_set({ip_saddr}, "masq4").masquerade()`.
/// A match on an IP header brings the `meta nfproto` it depends on.
class Rule {
  public:
    explicit Rule(std::string chain) : chain_(std::move(chain)) {}

    Rule& prefix(Selector selector, const inet::Prefix& prefix, bool negated = false);
    /// first to last, both inclusive, in the kernel's layout.
    Rule& range(Selector selector, const Bytes& first, const Bytes& last, std::string_view text, bool negated = false);
    Rule& equals(Selector selector, const Bytes& value, std::string_view text, bool negated = false);
    Rule& interface(Selector selector, std::string_view name, bool wildcard = false, bool negated = false);
    Rule& mark(std::uint32_t value, std::uint32_t mask, bool negated = false);
    Rule& nfproto(inet::Family family);
    Rule& in_set(const Selectors& selectors, const std::string& set, bool negated = false);
    Rule& vmap(const Selectors& selectors, const std::string& map);
    Rule& destination_is_local(); ///< fib daddr type local
    Rule& was_dnatted();          ///< ct status dnat
    Rule& is_answer();            ///< ct state established,related
    /// The bits of `mask` in the packet's mark become those of `value`.
    Rule& set_mark(std::uint32_t value, std::uint32_t mask);
    Rule& counter();

    // Matches of iptables, for its own tables: every version of it can read and list these.
    Rule& xt_comment(std::string_view text);
    Rule& xt_mark(std::uint32_t value, std::uint32_t mask);

    Rule& accept();
    Rule& drop();
    Rule& leave(); ///< return
    Rule& jump(const std::string& chain);
    Rule& masquerade();
    /// dnat to the address and port that `map` holds for the selectors.
    Rule& dnat(inet::Family family, const Selectors& selectors, const std::string& map);
    /// dnat to the address that `map` holds for the selectors; the port stays.
    Rule& dnat_address(inet::Family family, const Selectors& selectors, const std::string& map);

    [[nodiscard]] const std::string& chain() const { return chain_; }
    [[nodiscard]] const std::string& text() const { return text_; }
    void build(nftnl_rule* rule) const;

  private:
    using Expression = std::function<void(nftnl_rule*)>;
    Rule& add(std::string_view text, Expression expression);
    void require(Selector selector);
    void load(const Selectors& selectors);
    Rule& dnat(inet::Family family, const Selectors& selectors, const std::string& map, bool with_port);
    Rule& verdict(std::string_view text, int code, const std::string& chain = {});
    Rule& xt_match(std::string_view text, const char* name, std::uint32_t revision, std::vector<std::uint8_t> info);

    std::string chain_, text_;
    std::vector<Expression> expressions_;
    std::optional<inet::Family> family_;
};

/// Where a base chain hangs: priorities and hooks as in <linux/netfilter.h> and netfilter_ipv4.h.
struct Hook {
    std::string type; ///< "nat", "filter"
    std::uint32_t number = 0;
    std::int32_t priority = 0;
};

struct Chain {
    std::string name;
    std::optional<Hook> hook; ///< none: a regular chain
    std::vector<Rule> rules;
    bool keep_rules = false; ///< filled by others (a rule a subnet); not flushed when the fragment is renewed
    [[nodiscard]] std::string text() const;
};

/// What one plugin brings into a table. The table's `schema` map remembers, by name, the hash of its text.
struct Fragment {
    std::string name; ///< at most 15 bytes
    Table table;
    std::vector<Set> sets;
    std::vector<Chain> chains;
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::uint32_t hash() const;
};

/// A rule that needs every expression this suite uses, tried and thrown away: which CONFIG option is missing.
[[nodiscard]] std::string probe_rules();

} // namespace nft
