// SPDX-License-Identifier: Apache-2.0
#include "conntrack/flush.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "os/close_later.h"
#include "os/deadline.h"
#include "os/error.h"
#include "os/netlink_attribute.h"
#include "os/netlink_message.h"

namespace conntrack {

namespace {

using inet::Family;
using os::attribute_in;
using os::number_in;

constexpr std::size_t receive_buffer = std::size_t(64) * 1024;
constexpr time_t patience_seconds = 10; // for one message
constexpr std::chrono::seconds exchange_patience{30};
constexpr int most_tries = 5;
constexpr std::size_t largest_tuple = 512; // the kernel's are about 60 bytes

// What CTA_FILTER is to compare, bits of CTA_FILTER_ORIG_FLAGS; the kernel keeps them out of its public headers.
constexpr std::uint32_t compare_proto_num = 1U << 3;
constexpr std::uint32_t compare_proto_dst_port = 1U << 5;

struct Closer {
    // Flows are flushed after elements are deleted, and while those are being freed this close() would wait as well.
    void operator()(mnl_socket* socket) const noexcept {
        const os::CloseLater second_owner(mnl_socket_get_fd(socket));
        (void)mnl_socket_close(socket);
    }
};
using Socket = std::unique_ptr<mnl_socket, Closer>;

// One side of a tracked flow, and the attributes that name it to the kernel again.
struct Tuple {
    std::optional<inet::Address> src, dst;
    std::uint8_t protocol = 0;
    std::uint16_t sport = 0, dport = 0;
};

struct Flow {
    Family family{};
    Tuple original, reply;
    std::vector<std::uint8_t> original_bytes; ///< payload of CTA_TUPLE_ORIG
    std::optional<std::uint32_t> id;
    std::optional<std::uint16_t> zone;
};

void read_addresses(os::Payload addresses, Tuple& tuple) {
    os::for_each_attribute(addresses, [&](int type, os::Payload address) {
        if (type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC)
            tuple.src = inet::Address::from_bytes(address);
        else if (type == CTA_IP_V4_DST || type == CTA_IP_V6_DST)
            tuple.dst = inet::Address::from_bytes(address);
    });
}

Tuple read_tuple(os::Payload bytes) {
    Tuple tuple;
    read_addresses(attribute_in(bytes, CTA_TUPLE_IP), tuple);
    const os::Payload protocol = attribute_in(bytes, CTA_TUPLE_PROTO);
    tuple.protocol = number_in<std::uint8_t>(attribute_in(protocol, CTA_PROTO_NUM)).value_or(0);
    tuple.sport = number_in<std::uint16_t>(attribute_in(protocol, CTA_PROTO_SRC_PORT)).value_or(0);
    tuple.dport = number_in<std::uint16_t>(attribute_in(protocol, CTA_PROTO_DST_PORT)).value_or(0);
    return tuple;
}

std::optional<Flow> read_flow(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg))
        return std::nullopt;
    const auto* header = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(message));
    const os::Payload attributes = os::attributes_of(message, sizeof(nfgenmsg));
    const os::Payload original = attribute_in(attributes, CTA_TUPLE_ORIG);
    if (original.size() > largest_tuple)
        return std::nullopt;
    Flow flow{.family = header->nfgen_family == AF_INET ? Family::v4 : Family::v6,
              .original = read_tuple(original),
              .reply = read_tuple(attribute_in(attributes, CTA_TUPLE_REPLY)),
              .original_bytes = {original.begin(), original.end()},
              .id = number_in<std::uint32_t>(attribute_in(attributes, CTA_ID)),
              .zone = number_in<std::uint16_t>(attribute_in(attributes, CTA_ZONE))};
    if (!flow.original.src || !flow.original.dst)
        return std::nullopt;
    return flow;
}

bool matches(const Flow& flow, const FlowFilter& filter) {
    return flow.family == filter.family && flow.original.protocol == filter.protocol &&
           flow.original.dport >= filter.dport && flow.original.dport <= filter.dport_end &&
           (!filter.dst || flow.original.dst == filter.dst) &&
           (!filter.reply_src || flow.reply.src == filter.reply_src);
}

// What all filters of one family share, for the kernel to leave out the rest: copying out a flow costs 1.3 us.
// Addresses are not asked for: kernels up to 6.18 at least compare IPv6 ones the wrong way round.
struct Shared {
    std::optional<std::uint8_t> protocol;
    std::optional<std::uint16_t> dport; ///< only with a protocol
};

Shared shared_by(Family family, std::span<const FlowFilter> filters) {
    std::optional<Shared> shared;
    for (const FlowFilter& filter : filters) {
        if (filter.family != family)
            continue;
        const auto dport = filter.dport == filter.dport_end ? std::optional(filter.dport) : std::nullopt;
        if (!shared)
            shared = Shared{.protocol = filter.protocol, .dport = dport};
        if (shared->protocol != filter.protocol)
            return {};
        if (shared->dport != dport)
            shared->dport.reset();
    }
    return shared.value_or(Shared{});
}

// A kernel before 5.8 ignores this and sends every flow.
void put_filter(nlmsghdr* request, const Shared& shared) {
    if (!shared.protocol)
        return;
    nlattr* tuple = mnl_attr_nest_start(request, CTA_TUPLE_ORIG);
    nlattr* protocol = mnl_attr_nest_start(request, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(request, CTA_PROTO_NUM, *shared.protocol);
    if (shared.dport)
        mnl_attr_put_u16(request, CTA_PROTO_DST_PORT, htons(*shared.dport));
    mnl_attr_nest_end(request, protocol);
    mnl_attr_nest_end(request, tuple);
    nlattr* filter = mnl_attr_nest_start(request, CTA_FILTER);
    mnl_attr_put_u32(request, CTA_FILTER_ORIG_FLAGS, compare_proto_num | (shared.dport ? compare_proto_dst_port : 0U));
    mnl_attr_nest_end(request, filter);
}

class Table {
  public:
    Table() : socket_(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC)), buffer_(receive_buffer) {
        if (!socket_ || mnl_socket_bind(socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0)
            throw os::Error(errno, "open", "ctnetlink socket");
        const timeval patience{.tv_sec = patience_seconds, .tv_usec = 0};
        (void)setsockopt(mnl_socket_get_fd(socket_.get()), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }

    /// false: the table changed under the listing.
    template <typename Visit> bool list(Family family, const Shared& shared, Visit&& visit) {
        alignas(8) std::array<char, 256> room{};
        nlmsghdr* request = header(room.data(), IPCTNL_MSG_CT_GET, family, NLM_F_DUMP);
        put_filter(request, shared);
        bool interrupted = false;
        const int err = exchange(request, [&](const nlmsghdr* message) {
            interrupted = interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (const auto flow = read_flow(message))
                visit(*flow);
        });
        if (err != 0)
            throw os::Error(err, "list", "tracked flows");
        return !interrupted;
    }

    /// false: already gone.
    bool remove(const Flow& flow) {
        alignas(8) std::array<char, 1024> room{};
        nlmsghdr* request = header(room.data(), IPCTNL_MSG_CT_DELETE, flow.family, NLM_F_ACK);
        mnl_attr_put(request, CTA_TUPLE_ORIG | NLA_F_NESTED, flow.original_bytes.size(), flow.original_bytes.data());
        if (flow.id)
            mnl_attr_put_u32(request, CTA_ID, htonl(*flow.id));
        if (flow.zone)
            mnl_attr_put_u16(request, CTA_ZONE, htons(*flow.zone));
        const int err = exchange(request, [](const nlmsghdr*) {});
        if (err != 0 && err != ENOENT)
            throw os::Error(err, "delete", "tracked flow");
        return err == 0;
    }

  private:
    nlmsghdr* header(char* room, int type, Family family, int flags) {
        nlmsghdr* message = mnl_nlmsg_put_header(room);
        message->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | type);
        message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        message->nlmsg_seq = ++sequence_;
        auto* extra = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
        extra->nfgen_family = family == Family::v4 ? AF_INET : AF_INET6;
        extra->version = NFNETLINK_V0;
        return message;
    }

    /// Sends, visits what comes, and returns the errno at its end.
    template <typename Visit> int exchange(const nlmsghdr* request, Visit&& visit) {
        while (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0) {
            if (errno != EINTR)
                return errno;
        }
        for (const os::Deadline deadline = os::Deadline::in(exchange_patience); !deadline.passed();) {
            const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
            if (size < 0 && errno == EINTR)
                continue;
            if (size < 0)
                return errno == EAGAIN ? ETIMEDOUT : errno;
            int left = static_cast<int>(size);
            for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data()); os::is_whole(message, left);
                 message = mnl_nlmsg_next(message, &left)) {
                if (message->nlmsg_seq != request->nlmsg_seq)
                    continue;
                if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
                    return mnl_nlmsg_get_payload_len(message) < sizeof(int)
                               ? EBADMSG
                               : os::errno_of(*static_cast<const int*>(mnl_nlmsg_get_payload(message)));
                visit(message);
            }
        }
        return ETIMEDOUT;
    }

    Socket socket_;
    std::vector<char> buffer_;
    std::uint32_t sequence_ = 0;
};

/// The ports that any filter is about: of many filters only these flows are held against each.
std::vector<bool> ports_of(Family family, std::span<const FlowFilter> filters) {
    std::vector<bool> ports(std::size_t{UINT16_MAX} + 1);
    for (const FlowFilter& filter : filters) {
        for (std::size_t port = filter.dport; filter.family == family && port <= filter.dport_end; ++port)
            ports[port] = true;
    }
    return ports;
}

std::vector<Flow> find(Table& table, Family family, std::span<const FlowFilter> filters) {
    const Shared shared = shared_by(family, filters);
    const std::vector<bool> ports = ports_of(family, filters);
    for (int tries = 1;; ++tries) {
        std::vector<Flow> found;
        const bool whole = table.list(family, shared, [&](const Flow& flow) {
            if (ports[flow.original.dport] &&
                std::ranges::any_of(filters, [&](const FlowFilter& filter) { return matches(flow, filter); }))
                found.push_back(flow);
        });
        if (whole || tries == most_tries)
            return found;
    }
}

} // namespace

std::size_t flush(std::span<const FlowFilter> filters, const DestinationTest& is_wanted) {
    if (filters.empty())
        return 0;
    Table table;
    std::map<inet::Address, bool> wanted;
    std::size_t gone = 0;
    for (const Family family : {Family::v4, Family::v6}) {
        if (std::ranges::none_of(filters, [&](const FlowFilter& filter) { return filter.family == family; }))
            continue;
        for (const Flow& flow : find(table, family, filters)) {
            const inet::Address& destination = *flow.original.dst;
            if (is_wanted && !wanted.contains(destination))
                wanted[destination] = is_wanted(destination);
            if (!is_wanted || wanted[destination])
                gone += table.remove(flow) ? 1U : 0U;
        }
    }
    return gone;
}

} // namespace conntrack
