// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni/object.h"
#include "cni/result.h"

namespace cni {

/// One (container, interface) pair of `cni.dev/valid-attachments`.
struct Attachment {
    std::string container_id, ifname;
};

/// Who owns a thing: the one name that all our kernel state carries, as nft comment and as link alias.
/// "network/container/ifname", or when that is longer than 128 bytes (what an nft comment holds)
/// "#<16 hex>-<16 hex>" of sha512(network) and sha512(ifname:container), the Go suite's two hashes.
[[nodiscard]] std::string owner(std::string_view network, std::string_view container_id, std::string_view ifname);

/// The owner names of the attachments of one network, present or past.
class OwnersOf {
  public:
    explicit OwnersOf(std::string_view network);
    [[nodiscard]] bool contain(std::string_view name) const;

  private:
    std::string plain_, hashed_; ///< how they begin
};

/// One call, checked before a plugin sees it: every name valid, version negotiated.
struct Invocation {
    std::string command;      ///< ADD DEL CHECK GC STATUS
    std::string container_id; ///< empty for GC and STATUS, like netns and ifname
    std::string netns;        ///< as given; may be empty for DEL
    std::string ifname;
    std::string args; ///< CNI_ARGS
    std::string path; ///< CNI_PATH
    std::string raw_stdin;
    std::string version; ///< of the config; "0.1.0" when it names none
    std::string network; ///< the config's `name`
    Object config;

    [[nodiscard]] std::string owner() const { return cni::owner(network, container_id, ifname); }
    /// Nothing when the config has none; Error(999) `could not parse prevResult: …`.
    [[nodiscard]] std::optional<Result> prev_result() const;
    /// The same, a broken one counts as none: for DEL.
    [[nodiscard]] std::optional<Result> prev_result_leniently() const;
    /// `cni.dev/valid-attachments`, else `cni.dev/attachments`; neither: empty, nothing is valid.
    [[nodiscard]] std::vector<Attachment> valid_attachments() const;
    /// owner() of each of them, sorted.
    [[nodiscard]] std::vector<std::string> valid_owners() const;
    /// What a GC may remove: true for the owner names of this network that no valid attachment has.
    [[nodiscard]] std::function<bool(const std::string& owner)> stale_owners() const;
};

/// Marks as known what runtimes and libcni put beside a plugin's own keys; run() does it for every call.
void accept_runtime_keys(const Object& config);

/// The keys that every main and meta plugin type-checks (the Go suite's NetConf): cniVersion, name, type,
/// capabilities, ipam.type, dns, args, runtimeConfig, prevResult's being an object, the two attachment lists.
struct NetConf {
    std::string ipam_type;
    Dns dns;
    bool dns_set = false; ///< a list is there, even empty, or a domain: replaces the IPAM plugin's whole
};
[[nodiscard]] NetConf read_net_conf(const Object& config);

} // namespace cni
