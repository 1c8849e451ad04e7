// SPDX-License-Identifier: Apache-2.0
#include "nftables/subnets.h"

#include "nftables/owned.h"
#include "os/text.h"

namespace nft {

namespace {

Element entry_for(const std::string& chain, const inet::Prefix& subnet) {
    Element entry{.set = ledger_name(chain), .owner = subnet.text()};
    append_address(entry.key, subnet.address);
    append_mark(entry.key, subnet.length);
    return entry;
}

} // namespace

std::string ledger_name(const std::string& chain) {
    return os::cat(chain, "_subnets");
}

Set subnet_ledger(const std::string& chain, inet::Family family) {
    return {.name = ledger_name(chain),
            .key = {family == inet::Family::v4 ? Field::ipv4_addr : Field::ipv6_addr, Field::mark}};
}

void add_if_missing(Socket& socket, const Table& table, const SubnetRule& wanted, Transaction& transaction) {
    const inet::Prefix subnet = wanted.subnet.masked();
    const Element entry = entry_for(wanted.chain, subnet);
    if (find(socket, table, entry.set, entry.key))
        return;
    const bool v4 = subnet.address.family() == inet::Family::v4;
    Rule rule(wanted.chain);
    rule.prefix(v4 ? Selector::ip_saddr : Selector::ip6_saddr, subnet)
        .prefix(v4 ? Selector::ip_daddr : Selector::ip6_daddr, subnet);
    wanted.verdict == Within::accept ? rule.accept() : rule.masquerade();
    transaction.create(entry);
    transaction.add(rule);
}

std::string missing_subnet(Socket& socket, const Table& table, const SubnetRule& wanted) {
    const Element entry = entry_for(wanted.chain, wanted.subnet.masked());
    if (is_owned(socket, table, entry))
        return {};
    return os::cat(entry.owner, " is not in set ", entry.set, " of table ", table_text(table));
}

} // namespace nft
