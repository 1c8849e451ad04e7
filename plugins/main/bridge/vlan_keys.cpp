// SPDX-License-Identifier: Apache-2.0
#include "vlan_keys.h"

#include <algorithm>

#include "cni/error.h"
#include "os/text.h"

namespace bridge {

namespace {

using netlink::PortVlan;

bool is_vlan(std::int64_t number) {
    return number > 0 && number <= netlink::last_vlan;
}

PortVlan range(std::int64_t first, std::int64_t last) {
    return {.first = static_cast<std::uint16_t>(first), .last = static_cast<std::uint16_t>(last)};
}

void add_entry(const VlanKeys::Entry& entry, std::vector<PortVlan>& ranges) {
    if (entry.min && entry.max) {
        if (!is_vlan(*entry.min))
            throw cni::Error("incorrect trunk minID parameter");
        if (!is_vlan(*entry.max))
            throw cni::Error("incorrect trunk maxID parameter");
        if (*entry.max < *entry.min)
            throw cni::Error("minID is greater than maxID in trunk parameter");
        ranges.push_back(range(*entry.min, *entry.max));
    } else if (entry.max) {
        throw cni::Error("minID and maxID should be configured simultaneously, minID is missing");
    } else if (entry.min) {
        throw cni::Error("minID and maxID should be configured simultaneously, maxID is missing");
    }
    if (!entry.id)
        return;
    if (!is_vlan(*entry.id))
        throw cni::Error("incorrect trunk id parameter");
    ranges.push_back(range(*entry.id, *entry.id));
}

// Ranges that overlap or touch are one: a request holds them in few attributes.
std::vector<PortVlan> merged(std::vector<PortVlan> ranges) {
    std::ranges::sort(ranges, {}, &PortVlan::first);
    std::vector<PortVlan> apart;
    for (const PortVlan& next : ranges) {
        if (!apart.empty() && next.first <= apart.back().last + 1)
            apart.back().last = std::max(apart.back().last, next.last);
        else
            apart.push_back(next);
    }
    return apart;
}

} // namespace

VlanKeys read_vlan_keys(const cni::Object& config) {
    const auto any_number = [](const cni::Object& object, std::string_view key) {
        return object.find_number(key, INT64_MIN, INT64_MAX); // the ranges have texts of their own
    };
    VlanKeys keys{.vlan = any_number(config, "vlan").value_or(0),
                  .has_trunk = config.has("vlanTrunk"),
                  .preserve_default = config.flag("preserveDefaultVlan")};
    if (!keys.has_trunk)
        return keys;
    for (const cni::Object& entry : config.objects("vlanTrunk")) {
        if (entry.is_null())
            throw cni::Error(os::cat("key \"vlanTrunk[", keys.trunk.size(),
                                     "]\" is null: must be an object with id, or with minID and maxID"));
        keys.trunk.push_back(
            {.min = any_number(entry, "minID"), .max = any_number(entry, "maxID"), .id = any_number(entry, "id")});
    }
    return keys;
}

Vlans check_vlan_keys(const VlanKeys& keys) {
    if (keys.vlan < 0 || keys.vlan > netlink::last_vlan)
        throw cni::Error(os::cat("invalid VLAN ID ", keys.vlan, " (must be between 0 and 4094)"));
    std::vector<PortVlan> trunk;
    for (const VlanKeys::Entry& entry : keys.trunk)
        add_entry(entry, trunk);
    return {.vlan = static_cast<std::uint16_t>(keys.vlan),
            .trunk = merged(std::move(trunk)),
            .filtering = keys.vlan != 0 || keys.has_trunk,
            .preserve_default = keys.preserve_default};
}

} // namespace bridge
