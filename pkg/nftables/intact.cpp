// SPDX-License-Identifier: Apache-2.0
#include "nftables/intact.h"

#include "nftables/element.h"
#include "nftables/foreign.h"
#include "nftables/subnets.h"
#include "nftables/wire.h"
#include "os/text.h"

namespace nft {

namespace {

std::string missing_in(Socket& socket, const Table& table, std::span<const Chain> chains) {
    for (const Chain& chain : chains) {
        const std::size_t wanted =
            chain.keep_rules ? list(socket, table, ledger_name(chain.name)).size() : chain.rules.size();
        const std::size_t found = wanted == 0 ? 0 : list_rules(socket, table, chain.name).size();
        if (found < wanted)
            return os::cat("chain ", chain.name, " of table ", table_text(table), " has ", found, " of its ", wanted,
                           " rules");
    }
    return {};
}

} // namespace

std::string missing_rules(Socket& socket, const Fragment& fragment, std::span<const Chain> more) {
    const Schema schema = schema_of(socket, fragment);
    if (schema == Schema::absent)
        return os::cat("the chains of table ", table_text(fragment.table), " are missing");
    if (schema == Schema::other)
        return {};
    std::string missing = missing_in(socket, fragment.table, fragment.chains);
    return missing.empty() ? missing_in(socket, fragment.table, more) : missing;
}

} // namespace nft
