// SPDX-License-Identifier: Apache-2.0
#include "waiting.h"

#include <algorithm>
#include <map>
#include <utility>

#include "nftables/masquerade.h"
#include "overlaps.h"
#include "own.h"
#include "rules.h"
#include "words.h"

namespace portmap {

namespace {

/// Of a home, what it says apart from the veth pair, of which there is one for each network.
std::string_view namespace_of(std::string_view home) {
    std::size_t end = 0;
    for (int blanks = 0; blanks < 4 && end != std::string_view::npos; ++blanks)
        end = home.find(' ', end == 0 ? 0 : end + 1);
    return home.substr(0, end);
}

/// The element of the conditions map that belongs to one of a data map.
nft::Element conditions_of(const nft::Element& data) {
    nft::Element conditions{.set = data.set, .key = data.key, .key_end = data.key_end, .owner = data.owner};
    for (const auto& [map, its] : {std::pair<std::string_view, std::string_view>("hostports", "conditions"),
                                   {"hostranges", "range_conditions"}}) {
        if (const auto at = conditions.set.find(map); at != std::string::npos)
            conditions.set.replace(at, map.size(), its);
    }
    return conditions;
}

nft::Element key_of(const Mapped& mapped, const std::string& owner) {
    const Words& words = mapped.container.family() == inet::Family::v4 ? ipv4 : ipv6;
    nft::Element key{.set = name(waiting, words), .key = nft::key_of_owner(owner), .owner = owner};
    nft::append_address(key.key, mapped.bound_to.value_or(inet::Address::any(words.family)));
    nft::append_proto(key.key, static_cast<std::uint8_t>(mapped.protocol));
    nft::append_port(key.key, mapped.host_port);
    return key;
}

/// The last port and the chain of the conditions, if any, are in the comment.
nft::Element as_waiting(const nft::Element& data, const Mapped& mapped, const std::string& chain) {
    nft::Element waits = key_of(mapped, data.owner);
    nft::append_address(waits.data, mapped.container);
    nft::append_port(waits.data, mapped.container_port);
    waits.note = os::cat(mapped.host_port_end, chain.empty() ? "" : " ", chain);
    return waits;
}

std::uint16_t port_at(const nft::Bytes& bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

/// The mapping that waits, with the address it leads to.
std::optional<std::pair<Mapping, inet::Address>> read_waiting(const nft::Element& waits) {
    constexpr std::size_t owner_size = 8;
    const std::size_t size = waits.set.ends_with('4') ? 4 : 16;
    const auto last = os::parse_uint(waits.note.substr(0, waits.note.find(' ')), 65535);
    if (!waits.set.starts_with(waiting) || waits.key.size() != owner_size + size + 8 || waits.data.size() != size + 4 ||
        !last)
        return std::nullopt;
    const auto bound = inet::Address::from_bytes(std::span(waits.key).subspan(owner_size, size));
    const auto container = inet::Address::from_bytes(std::span(waits.data).first(size));
    if (!bound || !container)
        return std::nullopt;
    return std::pair(Mapping{.host_port = port_at(waits.key, owner_size + size + 4),
                             .container_port = port_at(waits.data, size),
                             .host_port_end = static_cast<std::uint16_t>(*last),
                             .protocol = static_cast<Protocol>(waits.key[owner_size + size]),
                             .host_ip = *bound},
                     *container);
}

/// What waits for a place, of one container but not of those who leave, by owner.
std::map<std::string, std::vector<nft::Element>> waiting_behind(nft::Socket& nftables, const Asker& leaving,
                                                                const nft::OwnerTest& is_leaving) {
    std::map<std::string, std::vector<nft::Element>> found;
    for (const Words& words : {ipv4, ipv6}) {
        for (nft::Element& waits : nft::list(nftables, nft::shared_table(), name(waiting, words))) {
            if (!is_leaving(waits.owner) && is_of_container(nftables, leaving, waits.owner))
                found[waits.owner].push_back(std::move(waits));
        }
    }
    return found;
}

/// Whose place is somebody else's goes on waiting.
void remove_what_is_live(nft::Socket& nftables, std::vector<nft::Element> waits, const std::string& owner) {
    std::erase_if(waits, [&](const nft::Element& one) {
        const auto live = as_live(one);
        return live.empty() || nft::find_owned(nftables, nft::shared_table(), std::span(live).first(1), owner).empty();
    });
    nft::remove_owned(nftables, nft::shared_table(), std::move(waits), owner);
}

} // namespace

bool is_of_container(nft::Socket& nftables, const Asker& asker, const std::string& owner) {
    const auto ours = read_owner(asker.owner), theirs = read_owner(owner);
    if (ours && theirs)
        return ours->container_id == theirs->container_id;
    const auto record = find_record(nftables, owner);
    return owner == asker.owner ||
           (record && !asker.home.empty() && namespace_of(record->note) == namespace_of(asker.home));
}

void wait_behind(const nft::Element& ours, const nft::Element& theirs, std::vector<nft::Element>& missing) {
    const auto mapped = read_mapped(ours);
    if (!mapped)
        return;
    const nft::Element conditions = conditions_of(ours);
    const auto twin = std::ranges::find_if(missing, [&](const auto& e) { return nft::same_place(e, conditions); });
    missing.push_back(as_waiting(ours, *mapped, twin == missing.end() ? std::string() : twin->jump));
    std::erase_if(missing, [&](const nft::Element& e) { return nft::same_place(e, conditions); });
    for (const std::string& owner : {ours.owner, theirs.owner}) {
        if (!nft::contains(missing, companion_key(owner)))
            missing.push_back(companion_key(owner));
    }
}

std::vector<nft::Element> as_live(const nft::Element& waits) {
    const auto read = read_waiting(waits);
    if (!read)
        return {};
    const auto& [mapping, container] = *read;
    const inet::Prefix target{.address = container,
                              .length = static_cast<std::uint8_t>(inet::bits(container.family()))};
    const bool v4 = container.family() == inet::Family::v4;
    auto live =
        elements({.snat = false, .mappings = {mapping}},
                 {.v4 = v4 ? std::optional(target) : std::nullopt, .v6 = v4 ? std::nullopt : std::optional(target)},
                 waits.owner);
    if (const auto blank = waits.note.find(' '); blank != std::string::npos && !live.empty()) {
        live.push_back(conditions_of(live.front()));
        live.back().jump = waits.note.substr(blank + 1);
    }
    return live;
}

nft::Element companion_key(const std::string& owner) {
    return {.set = companions, .key = nft::key_of_owner(owner), .owner = owner};
}

bool has_companions(nft::Socket& nftables, const std::string& owner) {
    const nft::Element key = companion_key(owner);
    return nft::find(nftables, nft::shared_table(), key.set, key.key).has_value();
}

std::vector<nft::Element> waiting_keys(const Config& config, const Targets& targets, const std::string& owner) {
    std::vector<nft::Element> keys;
    for (const nft::Element& element : elements(config, targets, owner)) {
        if (const auto mapped = read_mapped(element))
            keys.push_back(key_of(*mapped, owner));
    }
    nft::keep_one_of_each(keys);
    return keys;
}

std::vector<nft::Element> waiting_places(nft::Socket& nftables, const Asker& asker,
                                         const std::vector<nft::Element>& keys) {
    std::vector<nft::Element> places;
    for (const nft::Element& waits : nft::find_owned(nftables, nft::shared_table(), keys, asker.owner)) {
        auto live = as_live(waits);
        if (live.empty())
            continue;
        auto holders = find_overlaps(nftables, {live.front()});
        if (auto same = nft::find(nftables, nft::shared_table(), live.front().set, live.front().key))
            holders.push_back({.ours = live.front(), .theirs = std::move(*same)});
        if (std::ranges::any_of(holders, [&](const nft::Overlap& one) {
                return one.theirs.owner != asker.owner && is_of_container(nftables, asker, one.theirs.owner);
            }))
            std::ranges::move(live, std::back_inserter(places));
    }
    return places;
}

std::string missing_of_waiting(nft::Socket& nftables, const nft::Element& ours, const std::string& holder) {
    const auto mapped = read_mapped(ours);
    if (!mapped)
        return {};
    for (const nft::Element& key : {key_of(*mapped, ours.owner), companion_key(ours.owner), companion_key(holder)}) {
        if (std::string missing = missing_record(nftables, key); !missing.empty())
            return missing;
    }
    return {};
}

std::vector<nft::Element> hand_over(nft::Socket& nftables, const Asker& leaving, const nft::OwnerTest& is_leaving) {
    const nft::Fragment base = fragment();
    std::vector<nft::Element> given;
    const auto on_taken = [&](const nft::Element&, const nft::Element& theirs) {
        if (theirs.owner == leaving.owner)
            given.push_back(theirs);
        return theirs.owner == leaving.owner;
    };
    const auto drop_conditions = [](const nft::Element& ours, const nft::Element&, std::vector<nft::Element>& missing) {
        std::erase_if(missing, [&](const auto& e) { return nft::same_place(e, conditions_of(ours)); });
    };
    for (auto& [owner, waits] : waiting_behind(nftables, leaving, is_leaving)) {
        nft::Wanted wanted{.fragment = &base, .find_overlaps = find_overlaps, .instead = drop_conditions};
        for (const nft::Element& one : waits)
            std::ranges::move(as_live(one), std::back_inserter(wanted.elements));
        nft::keep_one_of_each(wanted.elements);
        nft::create_owned(nftables, std::move(wanted), on_taken);
        remove_what_is_live(nftables, std::move(waits), owner);
    }
    return given;
}

} // namespace portmap
