// SPDX-License-Identifier: Apache-2.0
#include "invoke.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "world.h"

namespace test {

std::string bin_dir() {
    const char* folder = std::getenv("CNI_BIN_DIR");
    return folder != nullptr ? folder : DEFAULT_BIN_DIR;
}

std::string go_dir() {
    const char* folder = std::getenv("GO_BIN_DIR");
    return folder != nullptr ? folder : "/usr/lib/cni";
}

bool go_has_nftables() {
    return works("CNI_COMMAND=VERSION " + go_dir() + "/bridge </dev/null | grep -qF 1.1.0");
}

json Answer::document() const {
    if (out.empty())
        return nullptr;
    try {
        return json::parse(out);
    } catch (const std::exception& error) {
        throw std::runtime_error("stdout is not one JSON document: " + std::string(error.what()) + ": " + out + err);
    }
}

int Answer::code() const {
    const json answer = document();
    return answer.is_object() ? answer.value("code", 0) : 0;
}

std::string Answer::msg() const {
    const json answer = document();
    return answer.is_object() ? answer.value("msg", "") : "";
}

Answer invoke(const Call& call) {
    std::map<std::string, std::string> environment{{"PATH", std::getenv("PATH")}, {"CNI_COMMAND", call.command},
                                                   {"CNI_CONTAINERID", call.id},  {"CNI_NETNS", call.netns},
                                                   {"CNI_IFNAME", call.ifname},   {"CNI_ARGS", call.args},
                                                   {"CNI_PATH", call.path}};
    for (const auto& [key, value] : call.extra)
        environment[key] = value;
    for (const std::string& key : call.unset)
        environment.erase(key);
    std::vector<std::string> argv = call.wrapper;
    if (const char* launcher = std::getenv("PLUGIN_LAUNCHER"))
        argv.insert(argv.begin(), launcher);
    argv.push_back(bin_dir() + "/" + call.plugin);
    const Output output =
        run(argv, {.input = call.raw.empty() ? call.config.dump() : call.raw, .environment = environment});
    return {.status = output.status, .out = output.out, .err = output.err};
}

json Network::config(std::size_t index, const json& prev, const json& capabilities) const {
    json config = list_["plugins"][index];
    config["name"] = list_["name"];
    config["cniVersion"] = list_["cniVersion"];
    json granted = json::object();
    const json asked = config.value("capabilities", json::object());
    for (const auto& [capability, wanted] : asked.items()) {
        if (wanted == true && capabilities.contains(capability))
            granted[capability] = capabilities[capability];
    }
    if (!granted.empty())
        config["runtimeConfig"] = granted;
    if (!prev.is_null())
        config["prevResult"] = prev;
    return config;
}

Answer Network::add(const std::string& id, const json& capabilities, const std::string& args,
                    const std::string& ifname) {
    Answer answer;
    json prev;
    for (std::size_t i = 0; i < list_["plugins"].size(); ++i) {
        answer = invoke({.plugin = list_["plugins"][i]["type"],
                         .command = "ADD",
                         .config = config(i, prev, capabilities),
                         .id = id,
                         .netns = "/run/netns/" + id,
                         .ifname = ifname,
                         .args = args});
        if (!answer.ok())
            return answer;
        prev = answer.document();
    }
    results[id + " " + ifname] = prev;
    return answer;
}

Answer Network::del(const std::string& id, const json& capabilities, const std::string& args, const std::string& ifname,
                    bool with_netns) {
    const auto cached = results.find(id + " " + ifname);
    const json prev = cached == results.end() ? json() : cached->second;
    Answer answer;
    for (std::size_t i = list_["plugins"].size(); i-- > 0;) {
        answer = invoke({.plugin = list_["plugins"][i]["type"],
                         .command = "DEL",
                         .config = config(i, prev, capabilities),
                         .id = id,
                         .netns = with_netns ? "/run/netns/" + id : "",
                         .ifname = ifname,
                         .args = args});
        if (!answer.ok())
            return answer;
    }
    results.erase(id + " " + ifname);
    return answer;
}

Answer Network::check(const std::string& id, const json& capabilities, const std::string& args,
                      const std::string& ifname) {
    Answer answer;
    for (std::size_t i = 0; i < list_["plugins"].size(); ++i) {
        answer = invoke({.plugin = list_["plugins"][i]["type"],
                         .command = "CHECK",
                         .config = config(i, results[id + " " + ifname], capabilities),
                         .id = id,
                         .netns = "/run/netns/" + id,
                         .ifname = ifname,
                         .args = args});
        if (!answer.ok())
            return answer;
    }
    return answer;
}

Answer Network::gc(const std::vector<std::pair<std::string, std::string>>& valid) {
    json attachments = json::array();
    for (const auto& [id, ifname] : valid)
        attachments.push_back({{"containerID", id}, {"ifname", ifname}});
    Answer first;
    for (std::size_t i = 0; i < list_["plugins"].size(); ++i) {
        json sent = config(i, nullptr, json::object());
        sent["cni.dev/valid-attachments"] = attachments;
        const Answer answer =
            invoke({.plugin = list_["plugins"][i]["type"], .command = "GC", .config = sent, .id = "", .ifname = ""});
        if (first.ok())
            first = answer;
    }
    return first;
}

Answer Network::status() {
    Answer answer;
    for (std::size_t i = 0; i < list_["plugins"].size(); ++i) {
        answer = invoke({.plugin = list_["plugins"][i]["type"],
                         .command = "STATUS",
                         .config = config(i, nullptr, json::object()),
                         .id = "",
                         .ifname = ""});
        if (!answer.ok())
            return answer;
    }
    return answer;
}

json bridge_list(const json& more_bridge_keys, const std::string& version) {
    json bridge = {
        {"type", "bridge"},
        {"bridge", "br0"},
        {"isDefaultGateway", true},
        {"ipMasq", true},
        {"hairpinMode", true},
        {"ipam", {{"type", "host-local"}, {"ranges", {{{{"subnet", "10.9.0.0/24"}}}, {{{"subnet", "fd09::/64"}}}}}}}};
    bridge.update(more_bridge_keys);
    return {{"cniVersion", version}, {"name", "net"}, {"plugins", {bridge}}};
}

json bridge_portmap_list(const json& more_portmap_keys, const std::string& version) {
    json list = bridge_list(json::object(), version);
    json portmap = {{"type", "portmap"}, {"snat", true}, {"capabilities", {{"portMappings", true}}}};
    portmap.update(more_portmap_keys);
    list["plugins"].push_back(portmap);
    return list;
}

std::vector<std::string> leases(const std::string& network, const std::string& data_dir) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir + "/" + network, ignored)) {
        const std::string name = entry.path().filename();
        if (name != "lock" && !name.starts_with("last_reserved_ip."))
            names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
}

} // namespace test
