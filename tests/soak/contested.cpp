// SPDX-License-Identifier: Apache-2.0
// What the specification forbids a runtime, and what happens when it gives up waiting: a DEL while the ADD still runs,
// two DELs at once, a GC by a list that was made before an ADD began. What such a call answers cannot be said; that it
// answers, that a DEL afterwards works and leaves nothing, and that GC spares whom its list names can.
#include <chrono>
#include <functional>
#include <thread>

#include "chain.h"
#include "world.h"

namespace soak {

namespace {

void pause(Random& random, std::int64_t longest) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % static_cast<std::uint64_t>(longest)));
}

/// `one` here, `other` a little later in a thread of its own.
void at_once(Random& random, const std::function<void()>& one, const std::function<void(Random&)>& other) {
    const std::jthread thread([&other, seed = random()] {
        Random own(seed);
        pause(own, 2 * longest_us);
        other(own);
    });
    one();
}

/// The result of the chain's ADD; nothing when one of its plugins does not get through.
json set_up(Soak& soak, Attachment& attachment, const json& ports, Random& random, int disturbed) {
    json result;
    for (const json& config : chain_of(*attachment.network, ports)) {
        const Outcome outcome =
            call(soak, attachment, "ADD", with_result(config, result), maybe(random, disturbed, longest_us));
        if (!outcome.ok())
            return nullptr;
        result = json::parse(outcome.out);
    }
    return result;
}

void del_during_add(Soak& soak, Attachment& attachment, const json& ports, Random& random) {
    at_once(
        random, [&] { (void)set_up(soak, attachment, ports, random, 10); },
        [&](Random& own) { (void)tear_down(soak, attachment, ports, nullptr, own, 10); });
}

/// As when a container ends while it is being made: a namespace is gone as soon as nobody holds it.
void namespace_gone(Soak& soak, Attachment& attachment, const json& ports, Random& random) {
    at_once(
        random, [&] { (void)set_up(soak, attachment, ports, random, 10); },
        [&](Random&) { test::sh("umount -l " + attachment.netns + " && rm " + attachment.netns); });
    (void)tear_down(soak, attachment, ports, nullptr, random, 10);
    test::sh("touch " + attachment.netns + " && unshare --net=" + attachment.netns + " ip link set lo up");
}

void two_dels(Soak& soak, Attachment& attachment, const json& ports, Random& random) {
    const json result = set_up(soak, attachment, ports, random, 0);
    const auto del = [&](Random& any) { (void)tear_down(soak, attachment, ports, result, any, 0); };
    at_once(
        random, [&] { del(random); }, del);
}

/// As a runtime does it: the list first, and the calls when it gets round to them.
void late_gc(Soak& soak, Network& network, Random& random) {
    json valid = json::array();
    {
        const std::lock_guard lock(network.mutex);
        ++network.gcs_begun, ++network.gcs_running;
        for (const auto& attachment : network.attachments)
            if (attachment->listed)
                valid.push_back({{"containerID", attachment->id}, {"ifname", attachment->ifname}});
    }
    pause(random, 2 * longest_us);
    for (json& config : chain_of(network)) {
        config["cniVersion"] = "1.1.0";
        config["cni.dev/valid-attachments"] = valid;
        const std::string plugin = config["type"];
        const Outcome outcome = run({.program = soak.bin + "/" + plugin, .command = "GC", .config = config.dump()});
        if (!outcome.ok())
            soak.model.violation("a late GC of " + plugin + " fails: " + outcome.text(), nullptr);
    }
    const std::lock_guard lock(network.mutex);
    --network.gcs_running;
}

/// The attachment is there for a while, and no GC that knows of it may touch it.
json stay(Soak& soak, Attachment& attachment, const json& ports, Random& random) {
    Network& network = *attachment.network;
    long begun = 0;
    bool calm = false;
    {
        const std::lock_guard lock(network.mutex);
        begun = network.gcs_begun, calm = network.gcs_running == 0;
    }
    attachment.flushes = soak.model.flushes;
    const json result = set_up(soak, attachment, ports, random, 0);
    {
        const std::lock_guard lock(network.mutex);
        calm = calm && network.gcs_begun == begun;
        attachment.listed = !result.is_null();
    }
    if (result.is_null() && calm)
        soak.model.violation("an ADD fails that nothing disturbs", &attachment);
    for (int times = 0; attachment.listed && times < 3; ++times) {
        pause(random, longest_us);
        for (const json& config : chain_of(network, ports))
            if (!call(soak, attachment, "CHECK", with_result(config, result)).ok() && calm &&
                soak.model.is_intact(attachment))
                soak.model.violation("a CHECK of what every GC knows of fails", &attachment);
    }
    const std::lock_guard lock(network.mutex);
    attachment.listed = false;
    return result;
}

} // namespace

void operate_contested(Soak& soak, Attachment& attachment, Random& random) {
    ++soak.counts.races;
    const int first = attachment.private_port;
    json ports = mapping({.first = first, .last = first});
    ports.push_back(mapping({.first = first + 1, .last = first + 4})[0]);
    const auto dice = random() % 100;
    json result;
    soak.model.set_state(attachment, State::unknown);
    if (dice < 10)
        namespace_gone(soak, attachment, ports, random);
    else if (dice < 35)
        del_during_add(soak, attachment, ports, random);
    else if (dice < 55)
        two_dels(soak, attachment, ports, random);
    else if (dice < 90)
        result = stay(soak, attachment, ports, random);
    else
        late_gc(soak, *attachment.network, random);
    if (tear_down(soak, attachment, ports, chance(random, 50) ? result : json(), random, 0))
        soak.model.set_state(attachment, State::absent);
}

} // namespace soak
