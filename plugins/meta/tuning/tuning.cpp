// SPDX-License-Identifier: Apache-2.0
// tuning: changes sysctls and attributes of the interface that the plugins before it made, and DEL puts the attributes
// back. README.md has the keys.

#include "allow_list.h"
#include "cni/run.h"
#include "config.h"
#include "endpoint/host_veth.h"
#include "netlink/rtnl.h"
#include "netns/netns.h"
#include "os/log.h"
#include "os/text.h"
#include "saved_states.h"
#include "sysctls.h"

using tuning::Config;
using tuning::LinkState;
using tuning::SavedStates;

namespace {

cni::Result require_prev_result(const cni::Invocation& call) {
    auto result = call.prev_result();
    if (!result)
        throw cni::Error("Required prevResult missing");
    return std::move(*result);
}

// The Go suite's text is the bare errno; which of the attributes it was goes to stderr.
void make(const tuning::Change& change, netlink::Rtnl& container, netlink::Index link) {
    try {
        change.make(container, link);
    } catch (const netlink::Error& error) {
        os::warn(os::cat("the ", change.what, " cannot be changed: ", error.what()));
        throw cni::Error(os::errno_text(error.err()));
    }
}

/// Puts the attributes back as far as link and namespace are still there. Every one is tried; false when one was not
/// possible. Throws when it cannot even begin for want of descriptors or memory.
bool restore(const cni::Invocation& call, const LinkState& state) {
    bool complete = true;
    try {
        const auto sandbox = netns::Netns::find(call.netns);
        if (!sandbox)
            return true;
        netlink::Rtnl container = netlink::Rtnl::in(*sandbox);
        const auto link = container.find_link(call.ifname);
        netlink::Rtnl host;
        if (!link || endpoint::is_of_other(host, *link, call.owner()))
            return true;
        // Only what is not as it was: a link that took no MAC takes its own as little.
        for (const tuning::Change& change : tuning::changes_to(difference(state, state_of(*link, state)))) {
            try {
                change.make(container, link->index);
            } catch (const netlink::Error& error) {
                os::warn(os::cat("failed to restore ", change.what, ": ", error.what()));
                complete = false;
            }
        }
    } catch (const os::Error& error) {
        if (error.is_shortage())
            throw;
        os::warn(os::cat("failed to restore ", call.ifname, ": ", error.what()));
        complete = false;
    }
    return complete;
}

// Saved first, then changed: wherever this is killed, DEL finds what to restore.
void change_link(const cni::Invocation& call, const Config& config, os::Undo& undo) {
    netlink::Rtnl container = netlink::Rtnl::in(netns::Netns::open(call.netns));
    const auto link = container.find_link(call.ifname);
    if (!link)
        throw cni::Error(os::cat("failed to get ", os::quote(call.ifname), ": Link not found"));
    const LinkState found = tuning::state_of(*link, config.link);
    SavedStates states = SavedStates::make(config.data_dir);
    const auto saved = states.load(call); // by an ADD that was killed, after which the link is no original
    undo.push(os::cat("attributes of ", call.ifname), [=, first = !saved, dir = config.data_dir] {
        if (!restore(call, found))
            throw cni::Error("not all could be restored");
        if (auto remembered = SavedStates::find(dir); remembered && first)
            remembered->forget(call);
    });
    states.save(call, saved ? tuning::merged(*saved, found) : found);
    for (const tuning::Change& change : tuning::changes_to(config.link))
        make(change, container, link->index);
}

cni::Result add(const cni::Invocation& call, os::Undo& undo) {
    const Config config = tuning::parse(call);
    tuning::check_allowed(config.sysctls);
    cni::Result result = require_prev_result(call);
    const auto sysctls = tuning::targets(config.sysctls, call.ifname);
    tuning::require_mac(config);

    tuning::set(sysctls, call.netns, undo);
    if (!config.link.empty())
        change_link(call, config, undo);
    for (cni::Interface& interface : result.interfaces) {
        if (config.link.mac && interface.name == call.ifname)
            interface.mac = config.mac_text;
    }
    return result;
}

// A chain is torn down whatever has become of its interface: what cannot be restored, at the second try either, is told
// but fails nothing. Nobody will ask again, so the file goes. A shortage of our own is another matter: the next DEL may
// do better.
void del(const cni::Invocation& call) {
    auto states = SavedStates::find(tuning::data_dir_leniently(call));
    if (!states)
        return;
    const auto state = states->load(call);
    if (state && !restore(call, *state))
        (void)restore(call, *state);
    states->forget(call);
}

template <typename Value>
void compare(const cni::Invocation& call, std::string_view what, std::optional<Value> wanted, Value found) {
    if (wanted && *wanted != found)
        throw cni::Error(os::cat("Error: Tuning configured ", what, " of ", call.ifname, " is ", *wanted,
                                 ", current value is ", found));
}

std::string_view text(bool on) {
    return on ? "true" : "false";
}

void check_link(const cni::Invocation& call, const Config& config) {
    const auto link = netlink::Rtnl::in(netns::Netns::open(call.netns)).find_link(call.ifname);
    if (!link)
        throw cni::Error(os::cat("Cannot find container link ", call.ifname));
    const LinkState& wanted = config.link;
    if (!config.mac_text.empty() && wanted.mac != link->mac)
        compare(call, "Ethernet", std::optional(config.mac_text), link->mac.text());
    if (const bool promisc = wanted.promisc.has_value(); promisc != link->is_promisc())
        throw cni::Error(os::cat("Error: Tuning link ", call.ifname, " configured promisc is ", text(promisc),
                                 ", current value is ", int{link->is_promisc()}));
    if (wanted.mtu != 0)
        compare(call, "MTU", std::optional(wanted.mtu), link->mtu);
    if (wanted.allmulti)
        compare(call, "all-multicast mode", std::optional(text(*wanted.allmulti)), text(link->is_allmulti()));
    compare(call, "Transmit Queue Length", wanted.tx_queue_length, link->tx_queue_length);
}

void check(const cni::Invocation& call) {
    const Config config = tuning::parse(call);
    (void)require_prev_result(call);
    tuning::check(tuning::targets(config.sysctls, call.ifname), call.netns);
    check_link(call, config);
}

void gc(const cni::Invocation& call) {
    if (auto states = SavedStates::find(tuning::data_dir_leniently(call)))
        states->forget_others(call.network, call.valid_attachments());
}

void status(const cni::Invocation& call) {
    const Config config = tuning::parse(call);
    tuning::require_mac(config);
    try {
        tuning::check_allowed(config.sysctls);
    } catch (const cni::Error& error) {
        throw cni::Error(cni::Code::not_available, error.message());
    }
}

} // namespace

int main(int argc, char** argv) {
    return cni::run({.name = "tuning",
                     .add = add,
                     .del = del,
                     .check = check,
                     .gc = gc,
                     .status = status,
                     .licences = "Apache-2.0; contains libnl (LGPL-2.1), JSON for Modern C++ (MIT)"},
                    argc, argv);
}
