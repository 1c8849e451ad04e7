// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "netlink/request.h"

namespace netlink {

namespace {

constexpr Handle our_handle = handle(1, 0);

tcmsg header_of(Index link, Handle parent, Handle id = {}) {
    tcmsg header{};
    header.tcm_family = AF_UNSPEC;
    header.tcm_ifindex = static_cast<int>(link);
    header.tcm_parent = static_cast<std::uint32_t>(parent);
    header.tcm_handle = static_cast<std::uint32_t>(id);
    return header;
}

/// Rates from 2^32 on have an attribute beside the 32 bits of old.
std::uint32_t low_bits(std::uint64_t rate) {
    return static_cast<std::uint32_t>(rate);
}

void put_rate64(Message& message, int attribute, std::uint64_t rate) {
    if (rate > UINT32_MAX)
        message.put(attribute, &rate, sizeof rate);
}

template <typename Value> std::optional<Value> get(const nlattr* attribute) {
    Value value{};
    if (attribute == nullptr || nla_len(attribute) < static_cast<int>(sizeof value))
        return std::nullopt;
    std::memcpy(&value, nla_data(attribute), sizeof value);
    return value;
}

std::optional<TokenBucket> read_tbf(nlattr* options) {
    nlattr* attributes[TCA_TBF_MAX + 1] = {};
    if (options == nullptr || nla_parse_nested(attributes, TCA_TBF_MAX, options, nullptr) != 0)
        return std::nullopt;
    const auto parameters = get<tc_tbf_qopt>(attributes[TCA_TBF_PARMS]);
    if (!parameters)
        return std::nullopt;
    return TokenBucket{.rate = get<std::uint64_t>(attributes[TCA_TBF_RATE64]).value_or(parameters->rate.rate),
                       .limit = parameters->limit,
                       .buffer = parameters->buffer};
}

std::optional<std::uint32_t> read_htb_default(nlattr* options) {
    nlattr* attributes[TCA_HTB_MAX + 1] = {};
    if (options == nullptr || nla_parse_nested(attributes, TCA_HTB_MAX, options, nullptr) != 0)
        return std::nullopt;
    const auto init = get<tc_htb_glob>(attributes[TCA_HTB_INIT]);
    return init ? std::optional(init->defcls) : std::nullopt;
}

std::optional<Qdisc> read_qdisc(nlmsghdr* message) {
    nlattr* attributes[TCA_MAX + 1] = {};
    if (message->nlmsg_type != RTM_NEWQDISC || nlmsg_parse(message, sizeof(tcmsg), attributes, TCA_MAX, nullptr) != 0)
        return std::nullopt;
    Qdisc qdisc{.kind = get_text(attributes[TCA_KIND]),
                .id = Handle{static_cast<const tcmsg*>(nlmsg_data(message))->tcm_handle}};
    if (qdisc.kind == "tbf")
        qdisc.tbf = read_tbf(attributes[TCA_OPTIONS]);
    if (qdisc.kind == "htb")
        qdisc.htb_default = read_htb_default(attributes[TCA_OPTIONS]);
    return qdisc;
}

std::optional<HtbClass> read_htb_class(nlmsghdr* message) {
    nlattr *attributes[TCA_MAX + 1] = {}, *options[TCA_HTB_MAX + 1] = {};
    if (message->nlmsg_type != RTM_NEWTCLASS ||
        nlmsg_parse(message, sizeof(tcmsg), attributes, TCA_MAX, nullptr) != 0 ||
        get_text(attributes[TCA_KIND]) != "htb" || attributes[TCA_OPTIONS] == nullptr ||
        nla_parse_nested(options, TCA_HTB_MAX, attributes[TCA_OPTIONS], nullptr) != 0)
        return std::nullopt;
    const auto parameters = get<tc_htb_opt>(options[TCA_HTB_PARMS]);
    if (!parameters)
        return std::nullopt;
    return HtbClass{.id = Handle{static_cast<const tcmsg*>(nlmsg_data(message))->tcm_handle},
                    .rate = get<std::uint64_t>(options[TCA_HTB_RATE64]).value_or(parameters->rate.rate),
                    .ceil = get<std::uint64_t>(options[TCA_HTB_CEIL64]).value_or(parameters->ceil.rate),
                    .buffer = parameters->buffer,
                    .quantum = parameters->quantum};
}

} // namespace

void Rtnl::add_tbf(Index link, const TokenBucket& bucket) {
    Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, header_of(link, way_out, our_handle));
    message.put_text(TCA_KIND, "tbf");
    {
        tc_tbf_qopt parameters{};
        parameters.rate.rate = low_bits(bucket.rate);
        parameters.limit = bucket.limit;
        parameters.buffer = bucket.buffer;
        const Nest options(message, TCA_OPTIONS);
        message.put(TCA_TBF_PARMS, &parameters, sizeof parameters);
        put_rate64(message, TCA_TBF_RATE64, bucket.rate);
    }
    request(socket_.get(), message, {"add tbf to", name_of(link)});
}

void Rtnl::add_htb(Index link, std::uint16_t default_minor) {
    Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, header_of(link, way_out, our_handle));
    message.put_text(TCA_KIND, "htb");
    {
        tc_htb_glob init{};
        init.version = TC_HTB_PROTOVER;
        init.rate2quantum = 10; // tc's own
        init.defcls = default_minor;
        const Nest options(message, TCA_OPTIONS);
        message.put(TCA_HTB_INIT, &init, sizeof init);
    }
    request(socket_.get(), message, {"add htb to", name_of(link)});
}

void Rtnl::add_htb_class(Index link, const HtbClass& htb_class) {
    Message message(RTM_NEWTCLASS, NLM_F_CREATE | NLM_F_EXCL, header_of(link, our_handle, htb_class.id));
    message.put_text(TCA_KIND, "htb");
    {
        tc_htb_opt parameters{};
        parameters.rate.linklayer = parameters.ceil.linklayer = TC_LINKLAYER_ETHERNET; // no rate tables then
        parameters.rate.rate = low_bits(htb_class.rate);
        parameters.ceil.rate = low_bits(htb_class.ceil);
        parameters.buffer = parameters.cbuffer = htb_class.buffer;
        parameters.quantum = htb_class.quantum;
        const Nest options(message, TCA_OPTIONS);
        message.put(TCA_HTB_PARMS, &parameters, sizeof parameters);
        put_rate64(message, TCA_HTB_RATE64, htb_class.rate);
        put_rate64(message, TCA_HTB_CEIL64, htb_class.ceil);
    }
    request(socket_.get(), message, {"add htb class to", name_of(link)});
}

void Rtnl::add_fifo(Index link, Handle parent, const Fifo& fifo) {
    Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, header_of(link, parent));
    message.put_text(TCA_KIND, fifo.counts_bytes ? "bfifo" : "pfifo");
    const tc_fifo_qopt options{.limit = fifo.limit};
    message.put(TCA_OPTIONS, &options, sizeof options);
    request(socket_.get(), message, {"add fifo to", name_of(link)});
}

void Rtnl::add_ingress(Index link) {
    Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, header_of(link, way_in, ingress_handle));
    message.put_text(TCA_KIND, "ingress");
    request(socket_.get(), message, {"add ingress qdisc to", name_of(link)});
}

// ENOENT, for the kernel's own EINVAL.
bool Rtnl::delete_qdisc(Index link, Handle parent) {
    Message message(RTM_DELQDISC, 0, header_of(link, parent));
    return request_unless(socket_.get(), message, {"delete qdisc of", name_of(link)}, ENOENT, EINVAL);
}

// Asked for by its key: a dump would be of every link of the host. The answer comes as an echo; the acknowledgement
// ends the waiting where there is nothing to say.
std::optional<Qdisc> Rtnl::find_qdisc(Index link, Handle parent) {
    Message message(RTM_GETQDISC, NLM_F_ECHO | NLM_F_ACK, header_of(link, parent));
    std::optional<Qdisc> qdisc;
    try {
        query(socket_.get(), message, {"look up qdisc of", name_of(link)},
              [&](nlmsghdr* reply) { qdisc = read_qdisc(reply); });
    } catch (const Error& error) {
        if (error.err() != ENOENT && error.err() != EINVAL)
            throw;
    }
    return qdisc && qdisc->id != Handle{} ? qdisc : std::nullopt;
}

std::vector<HtbClass> Rtnl::htb_classes(Index link) {
    Message message(RTM_GETTCLASS, NLM_F_DUMP, header_of(link, Handle{}));
    std::vector<HtbClass> classes;
    query(
        socket_.get(), message, {"list classes of", name_of(link)},
        [&](nlmsghdr* reply) {
            if (auto htb_class = read_htb_class(reply))
                classes.push_back(*htb_class);
        },
        [&] { classes.clear(); });
    return classes;
}

// On the loopback interface, which every namespace has, and so that nothing comes of it: the kinds that need options
// get none, and the ingress discipline a block of a number that is none. An unknown kind is ENOENT before that.
bool Rtnl::supports_qdisc(const std::string& kind) {
    const auto lo = find_link(std::string("lo"));
    if (!lo)
        return true; // nothing to ask it of
    const Handle parent = kind == "ingress" ? way_in : way_out;
    Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
                    header_of(lo->index, parent, kind == "ingress" ? ingress_handle : Handle{}));
    message.put_text(TCA_KIND, kind);
    if (kind == "ingress")
        message.put_u32(TCA_INGRESS_BLOCK, 0);
    try {
        request(socket_.get(), message, {"probe qdisc", kind});
    } catch (const Error& error) {
        return error.err() != ENOENT;
    }
    (void)delete_qdisc(lo->index, parent); // a kernel before 4.16 knows no blocks
    return true;
}

} // namespace netlink
