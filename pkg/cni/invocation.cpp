// SPDX-License-Identifier: Apache-2.0
#include "cni/invocation.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "cni/error.h"
#include "os/sha512.h"
#include "os/text.h"

namespace cni {

namespace {

constexpr std::size_t longest_owner = 128; // an nft comment holds no more
constexpr std::string_view valid_key = "cni.dev/valid-attachments";
constexpr std::string_view early_valid_key = "cni.dev/attachments"; // an early SPEC had it so; libcni sends both

std::string short_hash(std::string_view text) {
    return os::sha512_hex(text).substr(0, 16);
}

std::vector<Attachment> read_attachments(const Object& config, std::string_view key) {
    std::vector<Attachment> attachments;
    for (const Object& attachment : config.objects(key))
        attachments.push_back({attachment.text("containerID"), attachment.text("ifname")});
    return attachments;
}

} // namespace

std::string owner(std::string_view network, std::string_view container_id, std::string_view ifname) {
    std::string name = os::cat(network, "/", container_id, "/", ifname);
    if (name.size() <= longest_owner)
        return name;
    return os::cat("#", short_hash(network), "-", short_hash(os::cat(ifname, ":", container_id)));
}

// No part of a name holds a slash, so the first one ends the network's.
OwnersOf::OwnersOf(std::string_view network)
    : plain_(os::cat(network, "/")), hashed_(os::cat("#", short_hash(network), "-")) {}

bool OwnersOf::contain(std::string_view name) const {
    return name.starts_with(plain_) || name.starts_with(hashed_);
}

std::optional<Result> Invocation::prev_result() const {
    const auto document = config.object("prevResult");
    if (!document)
        return std::nullopt;
    return prefixed("could not parse prevResult: ", [&] { return Result::read(document->reencoded(), version); });
}

std::optional<Result> Invocation::prev_result_leniently() const {
    try {
        return prev_result();
    } catch (const Error&) {
        return std::nullopt;
    }
}

std::vector<Attachment> Invocation::valid_attachments() const {
    return read_attachments(config, config.has(valid_key) ? valid_key : early_valid_key);
}

std::vector<std::string> Invocation::valid_owners() const {
    std::vector<std::string> owners;
    for (const Attachment& attachment : valid_attachments())
        owners.push_back(cni::owner(network, attachment.container_id, attachment.ifname));
    std::ranges::sort(owners);
    return owners;
}

std::function<bool(const std::string&)> Invocation::stale_owners() const {
    return [ours = OwnersOf(network), valid = valid_owners()](const std::string& owner) {
        return ours.contain(owner) && !std::ranges::binary_search(valid, owner);
    };
}

// Their contents are the runtime's, or free by the SPEC.
void accept_runtime_keys(const Object& config) {
    for (const std::string_view key : {"cniVersion", "cniVersions", "name", "type", "ipam", "dns", "disableCheck",
                                       "disableGC", "loadOnlyInlinedPlugins"})
        config.accept(key);
    for (const std::string_view key :
         {std::string_view("args"), std::string_view("runtimeConfig"), std::string_view("prevResult"),
          std::string_view("capabilities"), valid_key, early_valid_key})
        config.accept_all(key);
}

NetConf read_net_conf(const Object& config) {
    for (const std::string_view key : {"cniVersion", "name", "type"})
        (void)config.text(key);
    if (const auto capabilities = config.object("capabilities")) {
        for (const std::string& capability : capabilities->keys())
            (void)capabilities->flag(capability);
    }
    (void)config.object("prevResult");
    for (const std::string_view key : {valid_key, early_valid_key})
        (void)read_attachments(config, key);
    config.accept_all("ipam"); // the IPAM plugin knows its keys

    NetConf conf;
    if (const auto ipam = config.object("ipam"))
        conf.ipam_type = ipam->text("type");
    if (const auto dns = config.object("dns")) {
        conf.dns = read_dns(*dns);
        conf.dns_set = dns->has("nameservers") || dns->has("search") || dns->has("options") || !conf.dns.domain.empty();
    }
    return conf;
}

} // namespace cni
