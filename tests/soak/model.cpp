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

Model::Intent Model::intend_ports(Attachment& attachment, const Ports& wanted) {
    const std::lock_guard lock(ports_mutex);
    Intent intent;
    for (int port = wanted.first; port <= wanted.last; ++port) {
        HostPort& entry = ports[port];
        const bool own = !attachment.ports.insert(port).second;
        intent.others += entry.intents - (own ? 1 : 0);
        entry.intents += own ? 0 : 1;
        intent.touched += ++entry.touched;
    }
    return intent;
}

bool Model::may_be_taken(const Ports& wanted, const Intent& intent) {
    const std::lock_guard lock(ports_mutex);
    long touched = 0;
    for (int port = wanted.first; port <= wanted.last; ++port)
        touched += ports[port].touched;
    return intent.others > 0 || touched > intent.touched;
}

// Of two attachments of one container the first one's mappings stay, and the other one waits.
void Model::claim_ports(Attachment& attachment, const Ports& wanted) {
    const Attachment* twice = nullptr;
    {
        const std::lock_guard lock(ports_mutex);
        for (int port = wanted.first; port <= wanted.last; ++port) {
            HostPort& entry = ports[port];
            const bool held = entry.holder != nullptr && entry.holder != &attachment && is_intact(*entry.holder);
            if (held && entry.holder == attachment.companion)
                continue;
            twice = held && is_intact(attachment) ? entry.holder : twice;
            entry.holder = &attachment;
        }
    }
    if (twice != nullptr)
        violation("a host port is held twice: " + std::to_string(wanted.first) + " and on", &attachment, twice);
    attachment.port = wanted;
    forget_ports(attachment, wanted);
}

void Model::release_ports(Attachment& attachment) {
    const Ports left = std::exchange(attachment.port, {});
    const std::lock_guard lock(ports_mutex);
    const bool handed_over = attachment.companion != nullptr && attachment.companion->port == left;
    for (int port = left.first; port != 0 && port <= left.last; ++port)
        if (ports[port].holder == &attachment)
            ports[port].holder = handed_over ? attachment.companion : nullptr;
}

void Model::forget_ports(Attachment& attachment, const Ports& but) {
    const std::lock_guard lock(ports_mutex);
    for (auto at = attachment.ports.begin(); at != attachment.ports.end();) {
        if (*at >= but.first && *at <= but.last) {
            ++at;
            continue;
        }
        HostPort& entry = ports[*at];
        --entry.intents;
        if (entry.holder == &attachment)
            entry.holder = nullptr;
        at = attachment.ports.erase(at);
    }
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
