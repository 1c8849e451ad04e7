// SPDX-License-Identifier: Apache-2.0
#include "own.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "config.h"
#include "elements.h"
#include "nftables/masquerade.h"
#include "nftables/owned.h"
#include "waiting.h"
#include "words.h"

namespace portmap {

namespace {

// A look-up takes 3 us, an element of a list 0.3 us, to ask for the sizes 20 us.
constexpr std::size_t many_mappings = 16, listed_for_one = 8;

void keep_own(std::vector<nft::Element>& elements, const std::string& owner) {
    std::erase_if(elements, [&](const nft::Element& element) { return element.owner != owner; });
}

/// Nothing when the lists are longer than that, or the kernel does not say how long they are, or they may lack
/// something.
std::optional<std::vector<nft::Element>> list_own_if_short(nft::Socket& nftables, const std::string& owner,
                                                           std::size_t longest) {
    const std::uint32_t generation = nftables.generation();
    const auto sizes = nft::set_sizes(nftables, nft::shared_table());
    const auto sets = owned_sets();
    std::size_t all = 0;
    for (const std::string& set : sets) {
        const auto size = sizes.find(set);
        if (size == sizes.end())
            return std::nullopt;
        all += size->second;
    }
    if (all > longest)
        return std::nullopt;
    std::vector<nft::Element> own;
    own.reserve(all);
    for (const std::string& set : sets) {
        const std::size_t before = own.size();
        if (sizes.at(set) != 0)
            (void)nft::append_list(nftables, nft::shared_table(), set, own);
        const auto listed = std::span(own).subspan(before);
        if (listed.size() != sizes.at(set) || !nft::has_each_once(listed))
            return std::nullopt;
    }
    if (nftables.generation() != generation)
        return std::nullopt;
    keep_own(own, owner);
    return own;
}

/// Keys of all that this attachment can have, by what config and prevResult tell; nothing when the record says that ADD
/// was told something else.
std::optional<std::vector<nft::Element>> told_keys(const cni::Invocation& call, const nft::Element& record,
                                                   bool with_companions) {
    const auto config = parse_leniently(call);
    const auto result = call.prev_result_leniently();
    if (!config || !result)
        return std::nullopt;
    const Targets targets = container_addresses(*result, call.ifname);
    if (portmap::record(*config, targets, record.owner).data != record.data)
        return std::nullopt;
    auto keys = possible_keys(*config, targets);
    keys.push_back(record);
    if (with_companions) {
        std::ranges::move(waiting_keys(*config, targets, record.owner), std::back_inserter(keys));
        keys.push_back(companion_key(record.owner));
    }
    return keys;
}

} // namespace

std::vector<nft::Element> list_own(nft::Socket& nftables, const std::string& owner) {
    std::vector<nft::Element> own;
    for (const std::string& set : owned_sets()) {
        auto listed = nft::list(nftables, nft::shared_table(), set);
        keep_own(listed, owner);
        std::ranges::move(listed, std::back_inserter(own));
    }
    return own;
}

std::optional<nft::Element> find_record(nft::Socket& nftables, const std::string& owner) {
    const nft::Element key = record_key(owner);
    auto record = nft::find(nftables, nft::shared_table(), key.set, key.key);
    return record && record->owner == owner ? std::move(record) : std::nullopt;
}

std::string missing_record(nft::Socket& nftables, const nft::Element& key) {
    if (nft::is_owned(nftables, nft::shared_table(), key))
        return {};
    return os::cat("the record of ", key.owner, " is not in ", key.set == companions ? "set " : "map ", key.set,
                   " of table inet cnative");
}

std::vector<nft::Element> find_own(nft::Socket& nftables, const cni::Invocation& call, const nft::Element& record,
                                   bool with_companions) {
    if (const std::size_t mappings = count_mappings(call); mappings > many_mappings) {
        if (auto own = list_own_if_short(nftables, record.owner, listed_for_one * mappings))
            return std::move(*own);
    }
    auto keys = told_keys(call, record, with_companions);
    if (!keys)
        return list_own(nftables, record.owner);
    nft::keep_one_of_each(*keys);
    return nft::find_owned(nftables, nft::shared_table(), *keys, record.owner);
}

} // namespace portmap
