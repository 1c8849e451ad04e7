// SPDX-License-Identifier: Apache-2.0
// GC, and the comparison of what is there with what should be.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "chain.h"
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

/// The kinds of queueing disciplines on the host, by link.
std::map<std::string, std::set<std::string>> disciplines() {
    std::map<std::string, std::set<std::string>> found;
    for (const json& discipline : json::parse(test::sh("tc -j qdisc show")))
        found[discipline.at("dev")].insert(discipline.at("kind"));
    return found;
}

/// bandwidth's ifbs, by owner.
std::multimap<std::string, std::string> ifbs_of(const Network& network) {
    std::multimap<std::string, std::string> ifbs;
    for (const json& link : json::parse(test::sh("ip -j link show type ifb"))) {
        const std::string alias = link.value("ifalias", "");
        if (alias.starts_with("cnative:" + network.name + "/"))
            ifbs.emplace(alias.substr(8, alias.find(';') - 8), link.at("ifname"));
    }
    return ifbs;
}

void audit_limits(Soak& soak, Network& network) {
    auto ifbs = ifbs_of(network);
    auto kinds = disciplines();
    for (const auto& attachment : network.attachments) {
        const auto own = ifbs.equal_range(attachment->owner());
        const auto count = std::distance(own.first, own.second);
        if (attachment->state == State::absent && count != 0)
            soak.model.violation("an ifb without an owner", attachment.get());
        if (attachment->state == State::held) {
            const std::string veth = attachment->result["interfaces"][1]["name"];
            if (count != 1 || !kinds[own.first->second].contains("tbf"))
                soak.model.violation("its ifb or the limit there is not there", attachment.get());
            if (!kinds[veth].contains("tbf") || !kinds[veth].contains("ingress"))
                soak.model.violation("the limits of its veth are not there", attachment.get());
        }
        ifbs.erase(attachment->owner());
    }
    for (const auto& [owner, name] : ifbs)
        soak.model.violation("nobody's ifb: " + owner, nullptr);
}

void audit_saved_states(Soak& soak, Network& network) {
    const std::string folder = "/run/cni/tuning/", claims = folder + ".cnative/" + network.name + "/";
    std::set<std::string> claimed;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(claims, ignored))
        claimed.insert(entry.path().filename());
    for (const auto& attachment : network.attachments) {
        const std::string name = attachment->id + "_" + attachment->ifname + ".json";
        const bool claim = claimed.erase(name) != 0, state = std::filesystem::exists(folder + name);
        const bool torn = std::filesystem::exists(folder + "." + name + ".new");
        if (attachment->state == State::held && (!claim || !state))
            soak.model.violation("its saved state is not there", attachment.get());
        if (attachment->state == State::absent && (claim || state || torn))
            soak.model.violation("a saved state without an owner", attachment.get());
    }
    for (const std::string& name : claimed)
        soak.model.violation("nobody's saved state: " + network.name + "/" + name, nullptr);
}

json valid_attachments(const Network& network) {
    json valid = json::array();
    for (const auto& attachment : network.attachments)
        if (attachment->state == State::held)
            valid.push_back({{"containerID", attachment->id}, {"ifname", attachment->ifname}});
    return valid;
}

} // namespace

void collect_garbage(Soak& soak, Network& network, Random& random) {
    const std::lock_guard alone(network.gate);
    ++soak.counts.gcs;
    const bool chain = network.is_chain();
    const json valid = valid_attachments(network);
    for (json& config : chain ? chain_of(network) : std::vector<json>{network.config}) {
        config["cniVersion"] = "1.1.0"; // GC is not older
        config["cni.dev/valid-attachments"] = valid;
        const std::string plugin = chain ? config["type"].get<std::string>() : "host-local";
        const Outcome outcome = run({.program = soak.bin + "/" + plugin,
                                     .command = "GC",
                                     .config = config.dump(),
                                     .disturbance = maybe(random, 15, chain ? longest_us : 4000)});
        soak.counts.killed += outcome.signalled ? 1 : 0;
        soak.counts.terminated += outcome.says("SIGTERM") ? 1 : 0;
        for (const auto& attachment : network.attachments)
            soak.model.note(*attachment, plugin + " GC: " + outcome.text());
        if (outcome.is_ended_on_purpose())
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
    if (!network.is_chain())
        return;
    audit_ruleset(soak, network);
    audit_links(soak, network);
    if (network.behind.empty())
        return;
    audit_limits(soak, network);
    audit_saved_states(soak, network);
}

} // namespace soak
