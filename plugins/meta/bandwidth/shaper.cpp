// SPDX-License-Identifier: Apache-2.0
#include "shaper.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/if_ether.h>

#include "cni/error.h"
#include "os/log.h"
#include "os/text.h"

namespace bandwidth {

namespace {

using netlink::Handle;
using netlink::handle;

constexpr std::uint16_t shaped_minor = 48, unshaped_minor = 1; // of the Go suite's version that had subnets
constexpr Handle our_qdisc = handle(1, 0), shaped_class = handle(1, shaped_minor),
                 unshaped_class = handle(1, unshaped_minor);
constexpr std::uint64_t unlimited_rate = 100'000'000'000;
constexpr std::uint32_t unlimited_packets = 1000;
constexpr std::uint32_t most_a_turn = 200'000; // bytes; more is nothing to htb, which says so in the kernel's log
constexpr std::uint16_t ip_priority = 16, ip6_priority = 15; // each protocol has to have its own

std::uint32_t ticks(std::uint64_t microseconds) {
    return static_cast<std::uint32_t>(microseconds * netlink::ticks_a_millisecond / 1000);
}

std::uint16_t default_minor(const Subnets& subnets) {
    return subnets.shaped.empty() ? shaped_minor : unshaped_minor;
}

netlink::HtbClass limited_class(const netlink::TokenBucket& bucket) {
    const auto turn = std::clamp<std::uint64_t>(bucket.rate / 10, 1500, most_a_turn);
    return {.id = shaped_class,
            .rate = bucket.rate,
            .ceil = 2 * bucket.rate, // without effect: there is no class above to borrow from
            .buffer = bucket.buffer,
            .quantum = static_cast<std::uint32_t>(turn)};
}

// With a bucket of 10 ms: from an empty one htb would wake up for each packet.
netlink::HtbClass unlimited_class() {
    return {.id = unshaped_class,
            .rate = unlimited_rate,
            .ceil = unlimited_rate,
            .buffer = ticks(10'000),
            .quantum = most_a_turn};
}

// The queues of the classes are set, for by default they hold as many packets as the link's own: an ifb has none.
void add_classes(netlink::Rtnl& host, netlink::Index link, const netlink::TokenBucket& bucket, const Subnets& subnets,
                 FarEnd far_end) {
    host.add_htb(link, default_minor(subnets));
    host.add_htb_class(link, limited_class(bucket));
    host.add_fifo(link, shaped_class, {.counts_bytes = true, .limit = bucket.limit});
    host.add_htb_class(link, unlimited_class());
    host.add_fifo(link, unshaped_class, {.limit = unlimited_packets});
    for (const netlink::Filter& filter : subnet_filters(subnets, far_end))
        host.add_filter(link, filter);
}

void add_shape(netlink::Rtnl& host, netlink::Index link, const Limit& limit, const Subnets& subnets, FarEnd far_end) {
    const netlink::TokenBucket bucket = token_bucket(limit);
    if (subnets.empty())
        host.add_tbf(link, bucket);
    else
        add_classes(host, link, bucket, subnets, far_end);
}

/// Left by an ADD that was killed, or by one that nobody undid.
bool is_ours(const std::optional<netlink::Qdisc>& qdisc) {
    return qdisc && (qdisc->kind == "tbf" || qdisc->kind == "htb") && qdisc->id == our_qdisc;
}

// Another program's way in may have filters that keep the container in its bounds.
bool is_our_way_in(netlink::Rtnl& host, netlink::Index link) {
    const auto qdisc = host.find_qdisc(link, netlink::way_in);
    if (!qdisc || qdisc->kind != "ingress")
        return false;
    return std::ranges::all_of(host.filters(link, netlink::ingress_handle), [](const netlink::Filter& filter) {
        return filter.protocol == ETH_P_ALL && filter.keys.empty() && filter.redirect_to;
    });
}

/// `add`, and again when what is in its way is ours.
template <typename Add, typename IsOurs>
void add_or_replace(netlink::Rtnl& host, netlink::Index link, Handle parent, Add add, IsOurs is_ours) {
    try {
        add();
    } catch (const netlink::Error& error) {
        if (error.err() != EEXIST || !is_ours())
            throw;
        host.delete_qdisc(link, parent);
        add();
    }
}

[[noreturn]] void fail(std::string_view operation, const netlink::Error& error) {
    throw cni::Error(os::cat(operation, ": ", os::errno_alone(error)));
}

// A bucket too small for a packet lets none through: with a large burst at a low rate the ticks do not fit 32 bits.
void warn_of_small_bucket(const netlink::Link& link, const Limit& limit) {
    const netlink::TokenBucket bucket = token_bucket(limit);
    const std::uint64_t bytes = bucket.buffer / netlink::ticks_a_millisecond * bucket.rate / 1000;
    if (bytes < link.mtu && limit.burst / 8 >= link.mtu)
        os::warn(os::cat("a burst of ", limit.burst, " bits at ", limit.rate, " bits a second is more than the kernel ",
                         "can count; it takes ", bytes, " bytes, and drops larger packets: choose a smaller burst"));
}

void check_bucket(const netlink::TokenBucket& found, const netlink::TokenBucket& wanted) {
    if (found.rate != wanted.rate)
        throw cni::Error("Rate doesn't match");
    if (found.limit != wanted.limit)
        throw cni::Error("Limit doesn't match");
    if (found.buffer != wanted.buffer)
        throw cni::Error("Buffer doesn't match");
}

void check_classes(netlink::Rtnl& host, const netlink::Link& link, const netlink::TokenBucket& wanted) {
    const auto classes = host.htb_classes(link.index);
    if (classes.size() != 2)
        throw cni::Error(
            os::cat("Number of htb classes does not match for device ", link.name, " (", classes.size(), " != 2)"));
    for (const netlink::HtbClass& found : classes) {
        const netlink::HtbClass expected = found.id == shaped_class ? limited_class(wanted) : unlimited_class();
        if (found.id != expected.id || found.rate != expected.rate)
            throw cni::Error("Rate doesn't match");
        if (found.buffer != expected.buffer)
            throw cni::Error("Buffer doesn't match");
    }
}

void check_filters(netlink::Rtnl& host, const netlink::Link& link, const Subnets& subnets, FarEnd far_end) {
    const auto found = host.filters(link.index, our_qdisc);
    for (const netlink::Filter& filter : subnet_filters(subnets, far_end)) {
        if (std::ranges::find(found, filter) == found.end())
            throw cni::Error(os::cat("a filter of device ", link.name, " for ",
                                     subnets.shaped.empty() ? "unshapedSubnets" : "shapedSubnets", " is missing"));
    }
}

std::uint32_t word_at(std::span<const std::uint8_t> bytes, std::size_t at) {
    return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 | std::uint32_t{bytes[at + 2]} << 8 |
           bytes[at + 3];
}

std::vector<netlink::U32Key> keys_of(const inet::Prefix& subnet, FarEnd far_end) {
    const bool v4 = subnet.address.family() == inet::Family::v4;
    const int source = v4 ? 12 : 8;
    const int first = far_end == FarEnd::source ? source : source + (v4 ? 4 : 16);
    std::vector<netlink::U32Key> keys;
    for (unsigned bit = 0; bit < subnet.length; bit += 32) {
        const unsigned set = std::min(32U, subnet.length - bit);
        keys.push_back({.offset = first + static_cast<int>(bit / 8),
                        .mask = UINT32_MAX << (32 - set),
                        .value = word_at(subnet.address.bytes(), bit / 8)});
    }
    return keys;
}

} // namespace

// As its compiler on x86-64 has it: what does not fit 32 bits loses its upper bits.
netlink::TokenBucket token_bucket(const Limit& limit) {
    const std::uint64_t rate = limit.rate / 8;
    const auto burst = static_cast<std::uint32_t>(limit.burst / 8);
    const std::uint64_t microseconds = rate == 0 ? 0 : std::uint64_t{burst} * 1'000'000 / rate;
    const auto in_25_ms = static_cast<std::uint64_t>(static_cast<double>(rate) * 25'000.0 / 1'000'000.0);
    return {.rate = rate,
            .limit = static_cast<std::uint32_t>(in_25_ms) + burst,
            .buffer = ticks(static_cast<std::uint32_t>(microseconds))};
}

std::vector<netlink::Filter> subnet_filters(const Subnets& subnets, FarEnd far_end) {
    const bool shaped = !subnets.shaped.empty();
    std::vector<netlink::Filter> filters;
    for (const inet::Prefix& subnet : shaped ? subnets.shaped : subnets.unshaped) {
        const bool v4 = subnet.address.family() == inet::Family::v4;
        filters.push_back({.parent = our_qdisc,
                           .priority = v4 ? ip_priority : ip6_priority,
                           .protocol = static_cast<std::uint16_t>(v4 ? ETH_P_IP : ETH_P_IPV6),
                           .class_id = shaped ? shaped_class : unshaped_class,
                           .keys = keys_of(subnet, far_end)});
    }
    return filters;
}

void shape(netlink::Rtnl& host, const netlink::Link& link, const Limit& limit, const Subnets& subnets, FarEnd far_end) {
    warn_of_small_bucket(link, limit);
    try {
        add_or_replace(
            host, link.index, netlink::way_out, [&] { add_shape(host, link.index, limit, subnets, far_end); },
            [&] { return is_ours(host.find_qdisc(link.index, netlink::way_out)); });
    } catch (const netlink::Error& error) {
        fail("create qdisc", error);
    }
}

void check_shape(netlink::Rtnl& host, const netlink::Link& link, const Limit& limit, const Subnets& subnets,
                 FarEnd far_end) {
    const auto qdisc = host.find_qdisc(link.index, netlink::way_out);
    const netlink::TokenBucket wanted = token_bucket(limit);
    if (!qdisc || qdisc->kind != (subnets.empty() ? "tbf" : "htb"))
        throw cni::Error("Failed to find qdisc");
    if (subnets.empty())
        return check_bucket(qdisc->tbf.value_or(netlink::TokenBucket{}), wanted);
    if (qdisc->htb_default != default_minor(subnets))
        throw cni::Error("Default class does not match");
    check_classes(host, link, wanted);
    check_filters(host, link, subnets, far_end);
}

void redirect(netlink::Rtnl& host, const netlink::Link& link, const netlink::Link& target) {
    try {
        add_or_replace(
            host, link.index, netlink::way_in, [&] { host.add_ingress(link.index); },
            [&] { return is_our_way_in(host, link.index); });
    } catch (const netlink::Error& error) {
        fail("create ingress qdisc", error);
    }
    try {
        host.add_filter(link.index, {.parent = netlink::ingress_handle,
                                     .priority = 1,
                                     .protocol = ETH_P_ALL,
                                     .class_id = unshaped_class,
                                     .redirect_to = target.index});
    } catch (const netlink::Error& error) {
        fail("add filter", error);
    }
}

bool is_redirected(netlink::Rtnl& host, const netlink::Link& link, const netlink::Link& target) {
    if (!host.find_qdisc(link.index, netlink::way_in))
        return false;
    return std::ranges::any_of(host.filters(link.index, netlink::ingress_handle), [&](const netlink::Filter& filter) {
        return filter.keys.empty() && filter.redirect_to == target.index;
    });
}

void unshape(const std::string& link) {
    netlink::Rtnl host;
    const auto found = host.find_link(link);
    if (found && is_ours(host.find_qdisc(found->index, netlink::way_out)))
        host.delete_qdisc(found->index, netlink::way_out);
}

void stop_redirecting(const std::string& link) {
    netlink::Rtnl host;
    const auto found = host.find_link(link);
    if (found && is_our_way_in(host, found->index))
        host.delete_qdisc(found->index, netlink::way_in);
}

} // namespace bandwidth
