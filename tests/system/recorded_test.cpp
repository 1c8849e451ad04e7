// SPDX-License-Identifier: Apache-2.0
// What container runtimes were seen to send, call by call, sent again.
#include <doctest/doctest.h>

#include <fstream>

#include "invoke.h"
#include "world.h"

using namespace test;

namespace {

/// Names that differ from run to run, made equal.
json without_chance(json value) {
    if (value.is_array()) {
        for (json& one : value)
            one = without_chance(one);
    } else if (value.is_object()) {
        for (auto& [key, one] : value.items()) {
            if (key == "mac")
                one = "a MAC";
            else if (key == "name" && one.is_string() && one.get<std::string>().starts_with("veth"))
                one = "a veth";
            else
                one = without_chance(one);
        }
    }
    return value;
}

/// Recordings tell paths of namespaces that are no more, and names of host veths; here they are ours.
class Sandboxes {
  public:
    explicit Sandboxes(World& world) : world_(&world) {}

    json moved_here(std::string line) {
        const json call = json::parse(line);
        const std::string theirs = call["netns"];
        if (theirs.find('/') != std::string::npos) {
            std::string& here = namespaces_[{call["id"], theirs}];
            if (here.empty())
                here = world_->netns("n" + std::to_string(namespaces_.size()));
            replace_all(line, theirs, here);
        }
        for (const auto& [there, here] : veths_)
            replace_all(line, there, here);
        return json::parse(line);
    }

    /// bandwidth looks for the veth that the result before it names.
    void learn(const json& theirs, const json& ours) {
        const json none = json::array();
        const json interfaces = theirs.value("interfaces", none), own = ours.value("interfaces", none);
        for (std::size_t i = 0; i < interfaces.size() && i < own.size(); ++i) {
            const std::string name = interfaces[i]["name"];
            if (name.starts_with("veth"))
                veths_[name] = own[i]["name"];
        }
    }

  private:
    static void replace_all(std::string& line, const std::string& there, const std::string& here) {
        for (std::size_t at = 0; (at = line.find(there, at)) != std::string::npos; at += here.size())
            line.replace(at, there.size(), here);
    }

    World* world_;
    std::map<std::pair<std::string, std::string>, std::string>
        namespaces_; ///< apptainer has one path for all containers
    std::map<std::string, std::string> veths_;
};

void replay(const json& recorded, Sandboxes& sandboxes) {
    const std::string plugin = recorded["plugin"], command = recorded["cmd"];
    CAPTURE(recorded.dump());
    const Answer answer = invoke({.plugin = plugin,
                                  .command = command,
                                  .config = recorded["stdin"],
                                  .id = recorded["id"],
                                  .netns = recorded["netns"],
                                  .ifname = recorded["ifname"],
                                  .args = recorded["args"]});
    CHECK_MESSAGE(answer.status == recorded["rc"].get<int>(), answer.out);
    if (command == "ADD" && plugin == "bridge" && answer.ok())
        sandboxes.learn(recorded["stdout"], answer.document());
    if (command == "ADD" && plugin == "loopback") // the Go suite's forgets what its version asks for
        CHECK(answer.document()["ips"][1]["address"] == recorded["stdout"]["ips"][1]["address"]);
    else if (command == "ADD")
        CHECK(without_chance(answer.document()) == without_chance(recorded["stdout"]));
    else if (command == "VERSION")
        CHECK(answer.document()["supportedVersions"].size() >= recorded["stdout"]["supportedVersions"].size());
    else
        CHECK(answer.out.empty());
}

} // namespace

TEST_CASE("recorded: what containerd, its CRI service, podman and apptainer sent gets the same results, and nothing is "
          "left") {
    for (const std::string client : {"ctr-containerd-1.6", "cri-containerd-1.6", "ctr-containerd-2.1",
                                     "cri-containerd-2.1", "podman-4.3", "apptainer-1.4"}) {
        CAPTURE(client);
        World world;
        Sandboxes sandboxes(world);
        std::ifstream calls(SOURCE_DIR "/tests/system/recorded/" + client + ".jsonl");
        int count = 0;
        for (std::string line; std::getline(calls, line);) {
            const json recorded = sandboxes.moved_here(line);
            // bridge calls host-local; the other plugins only hand the result on.
            const std::string plugin = recorded["plugin"];
            const bool is_ours = plugin == "bridge" || plugin == "portmap" || plugin == "firewall" ||
                                 plugin == "loopback" || plugin == "tuning" || plugin == "bandwidth";
            if (!is_ours)
                continue;
            replay(recorded, sandboxes);
            ++count;
        }
        CHECK(count >= 12);
        CHECK(sh("find /var/lib/cni/networks -name .cnative -prune -o -type f ! -name lock ! -name "
                 "'last_reserved_ip.*' -print") == "");
        CHECK(sh("ip -o link show type veth") == "");
        CHECK(sh("ip -o link show type ifb; find /run/cni -type f 2>/dev/null || true") == "");
        CHECK(sh("nft list ruleset | grep 'comment.*/eth' || true") == "");
    }
}
