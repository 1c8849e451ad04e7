// SPDX-License-Identifier: Apache-2.0
// host-local: addresses out of configured ranges, each lease a file in the host's data directory.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "allocator.h"
#include "cni/error.h"
#include "cni/invocation.h"
#include "cni/result.h"
#include "cni/run.h"
#include "config.h"
#include "lease_files.h"
#include "os/error.h"
#include "os/text.h"
#include "os/undo.h"
#include "ranges.h"
#include "resolv_conf.h"
#include "store.h"

namespace {

using namespace host_local;

/// Releases each of these, whatever happens to the others.
void release_all(Store& store, const std::vector<inet::Address>& addresses, const std::string& owner) {
    cni::Errors errors;
    for (const inet::Address& address : addresses)
        errors.collect([&] { store.release(address, owner); });
    errors.throw_if_any();
}

/// The leases one ADD has made: the undo list gives back exactly these, not what the container had before.
struct Taken {
    std::string data_dir, network, owner;
    std::vector<inet::Address> addresses;

    void give_back() const {
        if (addresses.empty())
            return;
        if (const auto store = Store::open_existing(data_dir, network))
            release_all(*store, addresses, owner);
    }
};

/// Takes the first requested address that lies in the set off the list.
std::optional<inet::Address> take_requested(std::vector<inet::Address>& requested, const RangeSet& set) {
    const auto at = std::find_if(requested.begin(), requested.end(), [&](const auto& a) { return set.contains(a); });
    if (at == requested.end())
        return std::nullopt;
    const inet::Address address = *at;
    requested.erase(at);
    return address;
}

cni::IpConfig allocate(Store& store, const Config& config, std::size_t index, const Owner& owner,
                       std::vector<inet::Address>& requested, Taken& taken) {
    const RangeSet& set = config.sets[index];
    auto address = take_requested(requested, set);
    if (address)
        reserve_requested(store, set, owner, *address);
    else
        address = reserve_next(store, set, index, owner);
    taken.addresses.push_back(*address);
    store.set_last_reserved(index, *address);

    const Range& range = *set.range_of(*address);
    return {.interface = std::nullopt, .address = {*address, range.subnet.length}, .gateway = range.gateway};
}

/// `action` for range set number `index`; what goes wrong with files keeps its code.
template <typename Action> auto for_range(std::size_t index, Action&& action) {
    return cni::prefixed(os::cat("failed to allocate for range ", index, ": "), [&] {
        try {
            return action();
        } catch (const os::Error&) {
            throw cni::current_error();
        }
    });
}

void refuse_left_over(const std::vector<inet::Address>& requested) {
    if (requested.empty())
        return;
    std::string message = "failed to allocate all requested IPs:";
    for (const inet::Address& address : requested)
        message += " " + address.text();
    throw cni::Error(std::move(message));
}

cni::Result add(const cni::Invocation& call, os::Undo& undo) {
    const Config config = read_config(call);
    cni::Result result;
    if (!config.resolv_conf.empty())
        result.dns = read_resolv_conf(config.resolv_conf);

    const Owner owner{call.container_id, call.ifname};
    const auto taken = std::make_shared<Taken>(Taken{config.data_dir, call.network, owner.text(), {}});
    taken->addresses.reserve(config.sets.size());
    undo.push("leases of " + call.owner(), [taken] { taken->give_back(); });

    const auto store = Store::open(config.data_dir, call.network);
    std::vector<inet::Address> requested = config.requested;
    for (std::size_t i = 0; i < config.sets.size(); ++i)
        result.ips.push_back(for_range(i, [&] { return allocate(*store, config, i, owner, requested, *taken); }));
    refuse_left_over(requested);
    result.routes = config.routes;
    return result;
}

void del(const cni::Invocation& call) {
    const auto store = Store::open_existing(data_dir_leniently(call), call.network);
    if (!store)
        return;
    // A lease that names no interface may be any interface's: only when there is none that does.
    const Owner owner{call.container_id, call.ifname};
    if (const auto leases = store->leases_of(owner.text()); !leases.empty())
        return release_all(*store, leases, owner.text());
    release_all(*store, store->leases_of(owner.legacy_text()), owner.legacy_text());
}

void check(const cni::Invocation& call) {
    const Config config = read_config(call);
    const Owner owner{call.container_id, call.ifname};
    const auto store = Store::open_existing(config.data_dir, call.network);
    if (!store || (store->leases_of(owner.text()).empty() && store->leases_of(owner.legacy_text()).empty()))
        throw cni::Error("host-local: Failed to find address added by container " + call.container_id);
}

/// What the lease files of valid attachments can say, sorted.
std::vector<std::string> valid_owner_texts(const cni::Invocation& call) {
    std::vector<std::string> texts;
    for (cni::Attachment& attachment : call.valid_attachments()) {
        const Owner owner{std::move(attachment.container_id), std::move(attachment.ifname)};
        texts.push_back(owner.text());
        texts.push_back(owner.legacy_text());
    }
    std::sort(texts.begin(), texts.end());
    return texts;
}

void gc(const cni::Invocation& call) {
    const std::vector<std::string> valid = valid_owner_texts(call);
    const auto store = Store::open_existing(data_dir_leniently(call), call.network);
    if (!store)
        return;

    cni::Errors errors;
    std::vector<inet::Address> foreign;
    for (const inet::Address& address : store->all_leases())
        errors.collect([&] {
            const auto file = store->lease(address);
            if (file)
                file->require_read();
            if (file && file->foreign)
                foreign.push_back(address);
            else if (file && !std::binary_search(valid.begin(), valid.end(), file->owner))
                store->release(address, file->owner);
        });
    store->warn_of_foreign(foreign);
    errors.throw_if_any();
}

/// `dir` itself, or where it would have to be made.
void check_writable(const std::string& dir) {
    std::string path = dir;
    while (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        const int err = errno;
        if (err != ENOENT || path == "/" || path == ".")
            throw cni::Error(cni::Code::not_available,
                             os::cat("data directory ", dir, " is not writable: ", path, ": ", os::errno_text(err),
                                     "; make it so, or name another by \"dataDir\""));
        const std::size_t slash = path.find_last_of('/');
        path = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    }
}

void status(const cni::Invocation& call) {
    const Config config = read_config(call);
    check_writable(os::cat(config.data_dir, "/", call.network));
    const auto store = Store::open_existing(config.data_dir, call.network);
    for (const RangeSet& set : config.sets)
        if (store && is_exhausted(*store, set))
            throw cni::Error(cni::Code::not_available,
                             os::cat("range set ", set.text(), " of network ", call.network, " is exhausted: all ",
                                     set.size_text(),
                                     " addresses are leased; remove containers, or add to \"ranges\""));
}

} // namespace

int main(int argc, char** argv) {
    return cni::run({.name = "host-local", .add = add, .del = del, .check = check, .gc = gc, .status = status}, argc,
                    argv);
}
