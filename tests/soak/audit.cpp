// SPDX-License-Identifier: Apache-2.0
// GC, and the comparison of what is there with what should be.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "model.h"
#include "world.h"

namespace soak {

namespace {

bool is_lease(const std::string& name) {
    return name != "lock" && !name.starts_with("last_reserved_ip.");
}

std::string content_of(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void audit_leases(Soak& soak, Network& network) {
    const std::string folder = "/var/lib/cni/networks/" + network.name;
    std::map<std::string, std::string> files;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
        if (is_lease(entry.path().filename()))
            files[entry.path().filename()] = content_of(entry.path());
    for (const auto& attachment : network.attachments) {
        for (const std::string& address : attachment->addresses)
            if (!files.contains(address) || files[address] != attachment->lease_text())
                soak.model.violation("the lease of " + address + " is not there: " + files[address], attachment.get());
        const auto own =
            std::ranges::count_if(files, [&](const auto& f) { return f.second == attachment->lease_text(); });
        if (attachment->state == State::held && static_cast<std::size_t>(own) != network.sets)
            soak.model.violation("more leases than it should have: " + std::to_string(own), attachment.get());
        if (attachment->state == State::absent && own != 0)
            soak.model.violation("a lease that its owner does not know", attachment.get());
        if (attachment->state != State::absent)
            std::erase_if(files, [&](const auto& f) { return f.second == attachment->lease_text(); });
    }
    const auto torn = std::erase_if(files, [](const auto& f) { return f.second.empty(); });
    if (static_cast<int>(torn) > network.torn)
        soak.model.violation("network " + network.name + " has " + std::to_string(torn) + " empty leases", nullptr);
    for (const auto& [name, content] : files)
        soak.model.violation("nobody's lease " + name + " in " + network.name + ": " + content, nullptr);
}

const Attachment* find(const Network& network, const std::string& owner) {
    for (const auto& attachment : network.attachments)
        if (attachment->owner() == owner)
            return attachment.get();
    return nullptr;
}

/// Every owner in the ruleset's comments, where a note may stand behind it and a blank, and how often.
void collect_comments(const json& node, std::map<std::string, int>& comments) {
    if (node.is_object() && node.contains("comment") && node["comment"].is_string()) {
        const auto comment = node["comment"].get<std::string>();
        ++comments[comment.substr(0, comment.find(' '))];
    }
    if (node.is_structured())
        for (const json& part : node)
            collect_comments(part, comments);
}

void audit_elements(Soak& soak, Network& network) {
    std::map<std::string, int> comments;
    collect_comments(json::parse(test::sh("nft -j list ruleset")), comments);
    for (const auto& [owner, count] : comments) {
        if (!owner.starts_with(network.name + "/"))
            continue;
        const Attachment* attachment = find(network, owner);
        if (attachment == nullptr || attachment->state == State::absent)
            soak.model.violation("elements without an owner: " + owner, attachment);
    }
}

void audit_links(Soak& soak, Network& network) {
    std::size_t unnamed = 0, unknown = 0;
    std::set<std::string> finished;
    for (const json& link : json::parse(test::sh("ip -j link show type veth"))) {
        const std::string alias = link.value("ifalias", "");
        const std::string owner = alias.substr(0, alias.find(';')).substr(std::min<std::size_t>(alias.size(), 8));
        unnamed += alias.empty() ? 1 : 0;
        if (!alias.starts_with("cnative:" + network.name + "/"))
            continue;
        const Attachment* attachment = find(network, owner);
        if (attachment == nullptr || attachment->state == State::absent)
            soak.model.violation("a link without an owner: " + owner, attachment);
        if (alias.find(';') == std::string::npos && !finished.insert(owner).second)
            soak.model.violation("two links of one owner: " + owner, attachment);
    }
    for (const auto& other : soak.model.networks)
        unknown += static_cast<std::size_t>(
            std::ranges::count_if(other->attachments, [](const auto& a) { return a->state == State::unknown; }));
    if (unnamed > unknown)
        soak.model.violation("links of nobody: " + std::to_string(unnamed), nullptr);
    for (const auto& attachment : network.attachments)
        if (attachment->state == State::held && !finished.contains(attachment->owner()))
            soak.model.violation("its link is not there", attachment.get());
}

/// Of the plugins behind portmap: bandwidth's ifbs and tuning's saved states.
void audit_behind(Soak& soak, Network& network) {
    std::map<std::string, int> ifbs;
    for (const json& link : json::parse(test::sh("ip -j link show type ifb"))) {
        const std::string alias = link.value("ifalias", "");
        if (alias.starts_with("cnative:" + network.name + "/"))
            ++ifbs[alias.substr(8, alias.find(';') - 8)];
    }
    for (const auto& attachment : network.attachments) {
        const bool saved = std::filesystem::exists("/run/cni/tuning/" + attachment->id + "_eth0.json");
        const int own = ifbs[attachment->owner()];
        if (attachment->state == State::held && (!saved || own != 1))
            soak.model.violation("its ifb or its saved state is not there", attachment.get());
        if (attachment->state == State::absent && (saved || own != 0))
            soak.model.violation("an ifb or a saved state without an owner", attachment.get());
        ifbs.erase(attachment->owner());
    }
    for (const auto& [owner, count] : ifbs)
        soak.model.violation("nobody's ifb: " + owner, nullptr);
}

json valid_attachments(const Network& network) {
    json valid = json::array();
    for (const auto& attachment : network.attachments)
        if (attachment->state == State::held)
            valid.push_back({{"containerID", attachment->id}, {"ifname", "eth0"}});
    return valid;
}

} // namespace

void collect_garbage(Soak& soak, Network& network, Random& random) {
    const std::lock_guard alone(network.gate);
    ++soak.counts.gcs;
    const bool chain = !network.portmap.is_null();
    const json valid = valid_attachments(network);
    std::vector<json> configs = {network.config};
    if (chain)
        configs.push_back(network.portmap);
    configs.insert(configs.end(), network.behind.begin(), network.behind.end());
    for (json& config : configs) {
        config["cniVersion"] = "1.1.0"; // GC is not older
        config["cni.dev/valid-attachments"] = valid;
        const std::string plugin = chain ? config["type"].get<std::string>() : "host-local";
        const Outcome outcome = run({.program = soak.bin + "/" + plugin,
                                     .command = "GC",
                                     .config = config.dump(),
                                     .disturbance = maybe(random, 15, chain ? 40'000 : 4000)});
        soak.counts.killed += outcome.signalled ? 1 : 0;
        soak.counts.terminated += outcome.says("SIGTERM") ? 1 : 0;
        for (const auto& attachment : network.attachments)
            soak.model.note(*attachment, plugin + " GC: " + outcome.text());
        if (outcome.signalled || (outcome.sent && outcome.says("SIGTERM")))
            return;
        if (!outcome.ok())
            return soak.model.violation("a GC fails: " + outcome.text(), nullptr);
    }
    for (const auto& attachment : network.attachments)
        if (attachment->state == State::unknown)
            soak.model.set_state(*attachment, State::absent);
    network.torn = 0;
}

void audit(Soak& soak, Network& network) {
    const std::lock_guard alone(network.gate);
    ++soak.counts.audits;
    audit_leases(soak, network);
    if (network.portmap.is_null())
        return;
    audit_elements(soak, network);
    audit_links(soak, network);
    if (!network.behind.empty())
        audit_behind(soak, network);
}

} // namespace soak
