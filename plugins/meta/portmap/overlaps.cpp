// SPDX-License-Identifier: Apache-2.0
#include "overlaps.h"

#include <algorithm>
#include <map>
#include <span>

#include "nftables/masquerade.h"

namespace portmap {

namespace {

// A look-up takes 3 us, an element of a list 0.3 us.
constexpr std::size_t most_lookups = 32;

std::size_t port_at(const nft::Bytes& key) {
    return key.size() - 4; // the last field, padded to four bytes
}

std::uint16_t port_of(const nft::Bytes& key) {
    return static_cast<std::uint16_t>(key[port_at(key)] << 8 | key[port_at(key) + 1]);
}

std::uint16_t last_port_of(const nft::Element& element) {
    return port_of(element.key_end.empty() ? element.key : element.key_end);
}

std::size_t width(const nft::Element& element) {
    return static_cast<std::size_t>(last_port_of(element)) - port_of(element.key) + 1;
}

bool overlap(const nft::Element& a, const nft::Element& b) {
    return a.key.size() == b.key.size() &&
           std::equal(a.key.begin(), a.key.begin() + static_cast<std::ptrdiff_t>(port_at(a.key)), b.key.begin()) &&
           port_of(a.key) <= last_port_of(b) && port_of(b.key) <= last_port_of(a);
}

std::string replaced(std::string text, std::string_view part, std::string_view by) {
    return text.replace(text.find(part), part.size(), by);
}

// Which sets may hold something that shares a port with an element of `set`, apart from an equal key.
std::vector<std::string> rivals(const std::string& set) {
    if (set.find("range_conditions") != std::string::npos)
        return {set};
    if (set.find("hostranges") != std::string::npos)
        return {set, replaced(set, "hostranges", "hostports")};
    if (set.find("hostports") != std::string::npos)
        return {replaced(set, "hostports", "hostranges")};
    return {};
}

std::vector<nft::Element> look_up_each(nft::Socket& nftables, const std::string& set, const nft::Element& ours) {
    std::vector<nft::Element> found;
    nft::Bytes key = ours.key;
    for (std::size_t port = port_of(ours.key); port <= last_port_of(ours); ++port) {
        key[port_at(key)] = static_cast<std::uint8_t>(port >> 8);
        key[port_at(key) + 1] = static_cast<std::uint8_t>(port & 0xff);
        auto element = nft::find(nftables, nft::shared_table(), set, key);
        if (!element)
            continue;
        port = std::max<std::size_t>(port, last_port_of(*element)); // a range is found by each of its ports
        found.push_back(std::move(*element));
    }
    return found;
}

void find_in(nft::Socket& nftables, const std::string& set, std::span<const nft::Element* const> askers,
             std::vector<nft::Overlap>& overlaps) {
    std::size_t lookups = 0;
    for (const nft::Element* ours : askers)
        lookups += width(*ours);
    const bool by_key = lookups <= most_lookups;
    const auto all = by_key ? std::vector<nft::Element>() : nft::list(nftables, nft::shared_table(), set);
    for (const nft::Element* ours : askers) {
        const auto few = by_key ? look_up_each(nftables, set, *ours) : std::vector<nft::Element>();
        for (const nft::Element& theirs : by_key ? few : all) {
            if (overlap(*ours, theirs))
                overlaps.push_back({.ours = *ours, .theirs = theirs});
        }
    }
}

} // namespace

std::vector<nft::Overlap> find_overlaps(nft::Socket& nftables, const std::vector<nft::Element>& wanted) {
    std::map<std::string, std::vector<const nft::Element*>> askers;
    for (auto ours = wanted.begin(); ours != wanted.end();) {
        const auto end = std::find_if(ours, wanted.end(), [&](const nft::Element& e) { return e.set != ours->set; });
        for (const std::string& set : rivals(ours->set)) {
            std::vector<const nft::Element*>& those = askers[set];
            for (auto one = ours; one != end; ++one)
                those.push_back(&*one);
        }
        ours = end;
    }
    std::vector<nft::Overlap> overlaps;
    for (const auto& [set, those] : askers)
        find_in(nftables, set, those, overlaps);
    return overlaps;
}

} // namespace portmap
