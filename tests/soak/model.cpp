// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <chrono>
#include <cstdio>
#include <utility>

namespace soak {

void Gate::lock_shared() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !alone_ && waiting_ == 0; });
    ++inside_;
}

void Gate::unlock_shared() {
    const std::lock_guard lock(mutex_);
    --inside_;
    changed_.notify_all();
}

void Gate::lock() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [&] { return !alone_ && inside_ == 0; });
    --waiting_;
    alone_ = true;
}

void Gate::unlock() {
    const std::lock_guard lock(mutex_);
    alone_ = false;
    changed_.notify_all();
}

std::string Attachment::owner() const {
    return network->name + "/" + id + "/" + ifname;
}

Attachment& Model::attach(Network& network, const std::string& id, const std::string& netns) {
    network.attachments.push_back(std::make_unique<Attachment>());
    Attachment& attachment = *network.attachments.back();
    attachment.network = &network;
    attachment.id = id;
    attachment.netns = netns;
    return attachment;
}

bool Model::is_intact(const Attachment& attachment) const {
    return attachment.flushes % 2 == 0 && attachment.flushes == flushes;
}

void Model::set_state(Attachment& attachment, State state) {
    Network& network = *attachment.network;
    if (attachment.state == State::absent && state != State::absent) {
        ++network.possible;
        ++network.started;
    }
    if (attachment.state != State::absent && state == State::absent) {
        forget_ports(attachment);
        --network.possible;
    }
    if (state == State::absent)
        attachment.maybe_finished = false;
    attachment.state = state;
}

void Model::note(Attachment& attachment, const std::string& event) {
    static const auto begin = std::chrono::steady_clock::now();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    const std::lock_guard lock(note_mutex_);
    attachment.history.push_back(std::to_string(ms.count()) + " ms " + event);
    if (attachment.history.size() > 24)
        attachment.history.pop_front();
}

void Model::claim_addresses(Attachment& attachment, const json& result) {
    attachment.addresses.clear();
    Network& network = *attachment.network;
    const json& ips = result.at("ips");
    if (ips.size() != network.sets)
        violation("a result with " + std::to_string(ips.size()) + " addresses", &attachment);
    for (const json& ip : ips) {
        const std::string text = ip.at("address");
        const std::string address = text.substr(0, text.find('/'));
        const Attachment* other = nullptr;
        {
            const std::lock_guard lock(network.mutex);
            Attachment*& holder = network.holders[address];
            if (holder != nullptr)
                other = holder;
            holder = &attachment;
        }
        if (other != nullptr)
            violation("address " + address + " is held twice", &attachment, other);
        attachment.addresses.push_back(address);
    }
}

void Model::release_addresses(Attachment& attachment) {
    const std::lock_guard lock(attachment.network->mutex);
    for (const std::string& address : attachment.addresses)
        if (attachment.network->holders[address] == &attachment)
            attachment.network->holders[address] = nullptr;
    attachment.addresses.clear();
}

Model::Intent Model::intend_port(Attachment& attachment, int port) {
    const std::lock_guard lock(ports_mutex);
    HostPort& entry = ports[port];
    const bool own = !attachment.ports.insert(port).second;
    const Intent intent{.others = entry.intents - (own ? 1 : 0), .touched = entry.touched + 1};
    if (!own)
        ++entry.intents;
    ++entry.touched;
    return intent;
}

bool Model::may_be_taken(int port, const Intent& intent) {
    const std::lock_guard lock(ports_mutex);
    return intent.others > 0 || ports[port].touched > intent.touched;
}

// Of two attachments of one container the first one's mappings stay, and the other one waits.
void Model::claim_port(Attachment& attachment, int port) {
    const Attachment* other = nullptr;
    {
        const std::lock_guard lock(ports_mutex);
        HostPort& entry = ports[port];
        if (entry.holder != nullptr && entry.holder != &attachment && is_intact(*entry.holder))
            other = entry.holder;
        if (other == nullptr || other != attachment.companion)
            entry.holder = &attachment;
    }
    if (other != nullptr && other != attachment.companion && is_intact(attachment))
        violation("host port " + std::to_string(port) + " is held twice", &attachment, other);
    attachment.port = port;
    forget_ports(attachment, port);
}

void Model::release_port(Attachment& attachment) {
    const int port = std::exchange(attachment.port, 0);
    const std::lock_guard lock(ports_mutex);
    if (port == 0 || ports[port].holder != &attachment)
        return;
    const bool handed_over = attachment.companion != nullptr && attachment.companion->port == port;
    ports[port].holder = handed_over ? attachment.companion : nullptr;
}

void Model::forget_ports(Attachment& attachment, int but) {
    const std::lock_guard lock(ports_mutex);
    for (auto at = attachment.ports.begin(); at != attachment.ports.end();) {
        if (*at == but) {
            ++at;
            continue;
        }
        HostPort& entry = ports[*at];
        --entry.intents;
        if (entry.holder == &attachment)
            entry.holder = nullptr;
        at = attachment.ports.erase(at);
    }
    if (attachment.port != but)
        attachment.port = 0;
}

void Model::violation(const std::string& what, const Attachment* attachment, const Attachment* other) {
    const std::lock_guard lock(print_mutex_);
    ++violations;
    std::printf("FAIL %s\n", what.c_str());
    for (const Attachment* one : {attachment, other}) {
        if (one == nullptr)
            continue;
        std::printf("  what happened to %s:\n", one->owner().c_str());
        for (const std::string& event : one->history)
            std::printf("    %s\n", event.c_str());
    }
    (void)std::fflush(stdout);
}

} // namespace soak
