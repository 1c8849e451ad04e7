// SPDX-License-Identifier: Apache-2.0
#include "elements.h"

#include <algorithm>
#include <charconv>

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

/// Without data; ports and ranges have maps of their own.
nft::Element host_side(std::string_view stem, std::string_view range_stem, const Mapping& mapping, const Words& words) {
    const std::string_view kind = mapping.is_range() ? range_stem : stem;
    nft::Element side =
        element(name(os::cat(mapping.bound_to() ? "hostip_" : "", kind), words), host_key(mapping, mapping.host_port));
    if (mapping.is_range())
        side.key_end = host_key(mapping, mapping.host_port_end);
    return side;
}

nft::Element data_side(const Mapping& mapping, const Words& words) {
    return host_side("hostports", "hostranges", mapping, words);
}

nft::Element condition_side(const Mapping& mapping, const Words& words) {
    return host_side("conditions", "range_conditions", mapping, words);
}

nft::Bytes endpoint(const inet::Address& address, std::uint16_t port) {
    nft::Bytes data;
    nft::append_address(data, address);
    nft::append_port(data, port);
    return data;
}

void add_elements(std::vector<nft::Element>& elements, const Config& config, const Words& words,
                  const inet::Address& container) {
    const auto add = [&](nft::Element added) -> nft::Element& {
        elements.push_back(std::move(added));
        return elements.back();
    };
    for (const Mapping& mapping : config.mappings) {
        nft::Element data = data_side(mapping, words);
        if (!mapping.applies_to(words.family))
            continue;
        data.data = mapping.is_range() ? nft::key_of(container) : endpoint(container, mapping.container_port);
        add(std::move(data));
        if (const Conditions& conditions = config.conditions(words.family); !conditions.empty())
            add(condition_side(mapping, words)).jump = condition_chain_name(conditions);
    }
    if (config.snat)
        add(element(name(config.masq_all ? "masq_all" : "hairpin", words), nft::key_of(container)));
}

/// 32 bits of a hash, of which there are several.
std::uint32_t digest(std::string_view text, std::size_t number) {
    constexpr std::size_t digits = 8;
    const std::string hash = os::sha512_hex(text).substr(number * digits, digits);
    std::uint32_t value = 0;
    std::from_chars(hash.data(), hash.data() + hash.size(), value, 16);
    return value;
}

} // namespace

std::vector<nft::Element> elements(const Config& config, const Targets& targets, const std::string& owner) {
    std::vector<nft::Element> elements;
    elements.reserve(config.mappings.size() * 2 + 2);
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
    for (const Words& words : {ipv4, ipv6}) {
        const auto& target = target_of(targets, words);
        if (!target)
            continue;
        for (const Mapping& mapping : config.mappings) {
            if (!mapping.applies_to(words.family))
                continue;
            keys.push_back(data_side(mapping, words));
            if (!config.conditions(words.family).empty())
                keys.push_back(condition_side(mapping, words));
        }
        for (const std::string_view stem : {"hairpin", "masq_all"})
            keys.push_back(element(name(stem, words), nft::key_of(target->address)));
    }
    return keys;
}

nft::Element record(std::span<const nft::Element> possible_keys, const std::string& owner) {
    std::uint64_t keys = 0;
    for (const nft::Element& each : possible_keys) {
        keys = os::hash_bytes(std::as_bytes(std::span(each.set.data(), each.set.size())), keys);
        keys = os::hash_bytes(std::as_bytes(std::span(each.key)), keys);
        keys = os::hash_bytes(std::as_bytes(std::span(each.key_end)), keys);
    }
    nft::Element record = element(mapped_attachments, {});
    nft::append_mark(record.key, digest(owner, 0));
    nft::append_mark(record.key, digest(owner, 1));
    nft::append_mark(record.data, static_cast<std::uint32_t>(keys));
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
    const bool is_range = element.set.find("hostranges") != std::string::npos;
    if (element.set.empty() || (!is_range && element.set.find("hostports") == std::string::npos))
        return std::nullopt;
    const std::size_t address_size = element.set.back() == '4' ? 4 : 16;
    const std::size_t key_address = element.set.starts_with("hostip") ? address_size : 0;
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
