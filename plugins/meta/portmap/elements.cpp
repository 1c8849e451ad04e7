// SPDX-License-Identifier: Apache-2.0
#include "elements.h"

#include <algorithm>
#include <utility>

#include "os/hash.h"
#include "words.h"

namespace portmap {

namespace {

using inet::Family;

nft::Element element(std::string set, nft::Bytes key) {
    return {.set = std::move(set), .key = std::move(key), .data = {}, .jump = {}, .owner = {}};
}

nft::Bytes host_key(const Mapping& mapping, std::uint16_t port) {
    nft::Bytes key;
    if (const auto address = mapping.bound_to())
        nft::append_address(key, *address);
    nft::append_proto(key, static_cast<std::uint8_t>(mapping.protocol));
    nft::append_port(key, port);
    return key;
}

/// The sets of one kind and family: ports and ranges have sets of their own, and so have those of one host address.
/// Named once, for a container may have hundreds of mappings.
class HostSide {
  public:
    HostSide(std::string_view ports, std::string_view ranges, const Words& words)
        : ports_{name(ports, words), name(os::cat("hostip_", ports), words)}, ranges_{name(ranges, words),
                                                                                      name(os::cat("hostip_", ranges),
                                                                                           words)} {}

    /// Without data.
    [[nodiscard]] nft::Element of(const Mapping& mapping) const {
        const Names& names = mapping.is_range() ? ranges_ : ports_;
        nft::Element side =
            element(mapping.bound_to() ? names.bound : names.open, host_key(mapping, mapping.host_port));
        if (mapping.is_range())
            side.key_end = host_key(mapping, mapping.host_port_end);
        return side;
    }

  private:
    struct Names {
        std::string open, bound;
    };
    Names ports_, ranges_;
};

HostSide data_side(const Words& words) {
    return {"hostports", "hostranges", words};
}

HostSide condition_side(const Words& words) {
    return {"conditions", "range_conditions", words};
}

nft::Bytes endpoint(const inet::Address& address, std::uint16_t port) {
    nft::Bytes data;
    nft::append_address(data, address);
    nft::append_port(data, port);
    return data;
}

void add_elements(std::vector<nft::Element>& elements, const Config& config, const Words& words,
                  const inet::Address& container) {
    const HostSide data = data_side(words), condition = condition_side(words);
    const Conditions& conditions = config.conditions(words.family);
    const std::string chain = conditions.empty() ? std::string() : condition_chain_name(conditions);
    for (const Mapping& mapping : config.mappings) {
        if (!mapping.applies_to(words.family))
            continue;
        elements.push_back(data.of(mapping));
        elements.back().data =
            mapping.is_range() ? nft::key_of(container) : endpoint(container, mapping.container_port);
        if (!conditions.empty()) {
            elements.push_back(condition.of(mapping));
            elements.back().jump = chain;
        }
    }
    if (config.snat)
        elements.push_back(element(name(config.masq_all ? "masq_all" : "hairpin", words), nft::key_of(container)));
}

template <typename Each> void for_each_possible_key(const Config& config, const Targets& targets, const Each& each) {
    for (const Words& words : {ipv4, ipv6}) {
        const auto& target = target_of(targets, words);
        if (!target)
            continue;
        const HostSide data = data_side(words), condition = condition_side(words);
        for (const Mapping& mapping : config.mappings) {
            if (!mapping.applies_to(words.family))
                continue;
            each(data.of(mapping));
            if (!config.conditions(words.family).empty())
                each(condition.of(mapping));
        }
        for (const std::string_view stem : {"hairpin", "masq_all"})
            each(element(name(stem, words), nft::key_of(target->address)));
    }
}

/// Of keys, one after the other.
std::uint64_t hash_further(std::uint64_t hash, const nft::Element& key) {
    hash = os::hash_bytes(std::as_bytes(std::span(key.set.data(), key.set.size())), hash);
    hash = os::hash_bytes(std::as_bytes(std::span(key.key)), hash);
    return os::hash_bytes(std::as_bytes(std::span(key.key_end)), hash);
}

} // namespace

std::vector<nft::Element> elements(const Config& config, const Targets& targets, const std::string& owner) {
    std::vector<nft::Element> elements;
    elements.reserve(config.mappings.size() * 2 + 4); // and what a caller adds
    for (const Words& words : {ipv4, ipv6}) {
        if (const auto& target = target_of(targets, words))
            add_elements(elements, config, words, target->address);
    }
    nft::keep_one_of_each(elements);
    for (nft::Element& each : elements)
        each.owner = owner;
    return elements;
}

nft::Element localnet_guard(std::string_view device) {
    nft::Element guard = element(localnet, {});
    nft::append_ifname(guard.key, device);
    guard.owner = "portmap";
    return guard;
}

std::vector<nft::Element> possible_keys(const Config& config, const Targets& targets) {
    std::vector<nft::Element> keys;
    keys.reserve(config.mappings.size() * 2 + 5); // two families, or one with conditions, and what stands once
    for_each_possible_key(config, targets, [&](nft::Element key) { keys.push_back(std::move(key)); });
    return keys;
}

nft::Element record(const Config& config, const Targets& targets, const std::string& owner) {
    std::uint64_t keys = 0;
    for_each_possible_key(config, targets, [&](const nft::Element& key) { keys = hash_further(keys, key); });
    nft::Element record = record_key(owner);
    nft::append_mark(record.data, static_cast<std::uint32_t>(keys));
    return record;
}

nft::Element record_key(const std::string& owner) {
    nft::Element record = element(mapped_attachments, nft::key_of_owner(owner));
    record.owner = owner;
    return record;
}

std::vector<std::string> owned_sets() {
    std::vector<std::string> sets;
    for (const Words& words : {ipv4, ipv6}) {
        for (const std::string_view stem :
             {"hostports", "hostip_hostports", "conditions", "hostip_conditions", "hostranges", "hostip_hostranges",
              "range_conditions", "hostip_range_conditions", "hairpin", "masq_all"})
            sets.push_back(name(stem, words));
    }
    for (const Words& words : {ipv4, ipv6})
        sets.push_back(name(waiting, words));
    sets.emplace_back(companions);
    sets.emplace_back(mapped_attachments);
    return sets;
}

std::string Mapped::host_side() const {
    const bool is_v6 = bound_to && bound_to->family() == Family::v6;
    const std::string address = bound_to ? os::cat(is_v6 ? "[" : "", bound_to->text(), is_v6 ? "]:" : ":") : "";
    return os::cat(address, ports_text(host_port, host_port_end), "/", text(protocol));
}

Mapped shared_ports(Mapped ours, const Mapped& theirs) {
    ours.host_port = std::max(ours.host_port, theirs.host_port);
    ours.host_port_end = std::min(ours.host_port_end, theirs.host_port_end);
    return ours;
}

std::optional<Mapped> read_mapped(const nft::Element& element) {
    constexpr std::string_view bound = "hostip_", ranges = "hostranges", ports = "hostports";
    std::string_view kind = element.set;
    const bool is_bound = kind.starts_with(bound);
    kind.remove_prefix(is_bound ? bound.size() : 0);
    const bool is_range = kind.starts_with(ranges);
    if (!is_range && !kind.starts_with(ports))
        return std::nullopt;
    const std::size_t address_size = element.set.back() == '4' ? 4 : 16;
    const std::size_t key_address = is_bound ? address_size : 0;
    if (element.key.size() != key_address + 8 || element.data.size() != address_size + (is_range ? 0 : 4) ||
        element.key_end.size() != (is_range ? element.key.size() : 0))
        return std::nullopt;
    const auto port = [](const nft::Bytes& bytes, std::size_t at) {
        return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
    };
    const auto address = [&](const nft::Bytes& bytes) {
        return inet::Address::from_bytes(std::span(bytes).first(address_size));
    };
    const std::uint16_t first = port(element.key, key_address + 4);
    return Mapped{.bound_to = key_address != 0 ? address(element.key) : std::nullopt,
                  .protocol = static_cast<Protocol>(element.key[key_address]),
                  .host_port = first,
                  .host_port_end = is_range ? port(element.key_end, key_address + 4) : first,
                  .container = address(element.data).value_or(inet::Address()),
                  .container_port = is_range ? first : port(element.data, address_size)};
}

std::optional<OwnerName> read_owner(std::string_view owner) {
    const auto parts = os::split(owner, '/');
    if (parts.size() != 3)
        return std::nullopt;
    return OwnerName{.network = parts[0], .container_id = parts[1]};
}

} // namespace portmap
