// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>
#include <tuple>

#include "cni/error.h"
#include "os/log.h"
#include "os/text.h"

namespace portmap {

namespace {

/// A mapping as it is written; checked only after every key has been found to be of the right type.
struct WrittenMapping {
    cni::Object object;
    std::int64_t container_port = 0, host_port = 0;
    std::optional<std::int64_t> container_port_end, host_port_end;
    std::string protocol, host_ip;
};

struct Keys {
    std::optional<std::string> backend, external_mark_chain;
    std::optional<std::int64_t> mark_bit;
    std::vector<std::string> conditions_v4, conditions_v6;
    std::vector<WrittenMapping> mappings;
    bool snat = true, masq_all = false;
};

std::vector<WrittenMapping> read_mappings(const cni::Object& config) {
    std::vector<WrittenMapping> mappings;
    const auto runtime = config.object("runtimeConfig");
    if (!runtime)
        return mappings;
    auto objects = runtime->objects("portMappings");
    mappings.reserve(objects.size());
    for (cni::Object& object : objects) {
        mappings.push_back({.object = {},
                            .container_port = object.number("containerPort", 0, INT64_MIN, INT64_MAX),
                            .host_port = object.number("hostPort", 0, INT64_MIN, INT64_MAX),
                            .container_port_end = object.find_number("containerPortEnd", INT64_MIN, INT64_MAX),
                            .host_port_end = object.find_number("hostPortEnd", INT64_MIN, INT64_MAX),
                            .protocol = object.text("protocol"),
                            .host_ip = object.text("hostIP")});
        mappings.back().object = std::move(object);
    }
    return mappings;
}

Keys read_keys(const cni::Object& config) {
    (void)cni::read_net_conf(config); // the keys that all plugins share must be well-typed
    return {.backend = config.find_text("backend"),
            .external_mark_chain = config.find_text("externalSetMarkChain"),
            .mark_bit = config.find_number("markMasqBit", INT64_MIN, INT64_MAX),
            .conditions_v4 = config.texts("conditionsV4"),
            .conditions_v6 = config.texts("conditionsV6"),
            .mappings = read_mappings(config),
            .snat = config.flag("snat", true),
            .masq_all = config.flag("masqAll")};
}

// Nothing is marked here, but a config that the Go suite refuses must not pass unseen.
void check_mark(const Keys& keys) {
    if (keys.mark_bit && keys.external_mark_chain)
        throw cni::Error("Cannot specify externalSetMarkChain and markMasqBit");
    const auto bit = keys.mark_bit.value_or(13);
    if (bit < 0 || bit > 31)
        throw cni::Error("MasqMarkBit must be between 0 and 31");
}

/// The options of `keys` that are written for one of the Go suite's two backends.
std::vector<std::string> options_of(const Keys& keys, Syntax backend) {
    std::vector<std::string> options;
    if (keys.external_mark_chain && backend == Syntax::iptables)
        options.emplace_back("externalSetMarkChain");
    if (syntax_of(keys.conditions_v4) == backend)
        options.emplace_back("conditionsV4");
    if (syntax_of(keys.conditions_v6) == backend)
        options.emplace_back("conditionsV6");
    return options;
}

// Everything is done in native nftables; the key only says in which language the options are written.
void check_backend(const Keys& keys) {
    const auto iptables_options = options_of(keys, Syntax::iptables);
    const auto nftables_options = options_of(keys, Syntax::nftables);
    const std::string backend = keys.backend.value_or(iptables_options.empty() ? "nftables" : "iptables");
    const bool is_iptables = backend == "iptables";
    const auto& foreign = is_iptables ? nftables_options : iptables_options;
    if (!foreign.empty())
        throw cni::Error(os::cat(backend, " backend was requested but configuration contains ",
                                 is_iptables ? "nftables" : "iptables", "-specific options [", os::join(foreign, " "),
                                 "]"));
    if (!is_iptables && backend != "nftables")
        throw cni::Error(os::cat("unrecognized backend ", os::quote(backend)));
}

Protocol read_protocol(const WrittenMapping& written) {
    const std::string name = os::lower(written.protocol);
    for (const Protocol protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp}) {
        if (name == text(protocol))
            return protocol;
    }
    written.object.refuse("protocol", "must be tcp, udp or sctp");
}

std::uint16_t read_port(const WrittenMapping& written, std::string_view key, std::int64_t port) {
    if (port > 65535)
        written.object.refuse(key, "must be an integer from 1 to 65535");
    return static_cast<std::uint16_t>(port);
}

// The kernel can rewrite a range's address and leave the port, or lead all of it to one port; it cannot shift ports.
std::uint16_t read_host_port_end(const WrittenMapping& written) {
    if (!written.host_port_end) {
        if (written.container_port_end)
            written.object.refuse("containerPortEnd", "a range needs hostPortEnd too");
        return read_port(written, "hostPort", written.host_port);
    }
    const std::int64_t end = *written.host_port_end;
    if (end < written.host_port)
        written.object.refuse("hostPortEnd", "must not be below hostPort");
    constexpr const char* keeps_ports = "a range has the same ports on both sides; list ports that change one by one";
    if (end != written.host_port && written.container_port != written.host_port)
        written.object.refuse("containerPort", os::cat("must be ", written.host_port, " like hostPort: ", keeps_ports));
    const std::int64_t container_end = written.container_port + (end - written.host_port);
    if (written.container_port_end.value_or(container_end) != container_end)
        written.object.refuse("containerPortEnd", os::cat("must be ", container_end, ": ", keeps_ports));
    return read_port(written, "hostPortEnd", end);
}

std::optional<inet::Address> read_host_ip(const WrittenMapping& written) {
    if (written.host_ip.empty())
        return std::nullopt;
    const auto address = inet::Address::parse(written.host_ip);
    if (!address)
        written.object.refuse("hostIP", "must be an IPv4 or IPv6 address, or empty for every address of this host");
    if (*address == inet::Address::parse("::1"))
        os::warn("hostIP ::1: nothing will reach this mapping, for Linux routes no IPv6 loopback addresses; use "
                 "127.0.0.1 or an address of the host");
    return address;
}

Mapping check(const WrittenMapping& written) {
    return {.host_port = read_port(written, "hostPort", written.host_port),
            .container_port = read_port(written, "containerPort", written.container_port),
            .host_port_end = read_host_port_end(written),
            .protocol = read_protocol(written),
            .host_ip = read_host_ip(written)};
}

bool same_ports(const Mapping& a, const Mapping& b) {
    return a.host_port == b.host_port && a.host_port_end == b.host_port_end && a.container_port == b.container_port;
}

std::string contradiction(const Mapping& earlier, const Mapping& later) {
    if (!earlier.is_range() && !later.is_range())
        return os::cat("host port ", later.host_port, "/", text(later.protocol),
                       " is mapped twice, to container ports ", earlier.container_port, " and ", later.container_port);
    return os::cat("host ports ", ports_text(earlier.host_port, earlier.host_port_end), " and ",
                   ports_text(later.host_port, later.host_port_end), "/", text(later.protocol), " overlap");
}

// One host port leads to one container port; the Go suite lets the first of two win in silence. Ordered by where they
// begin, mappings that share a port are neighbours.
void refuse_contradictions(const std::vector<Mapping>& mappings, inet::Family family) {
    std::vector<const Mapping*> order;
    order.reserve(mappings.size());
    for (const Mapping& mapping : mappings) {
        if (mapping.applies_to(family))
            order.push_back(&mapping);
    }
    const auto place = [](const Mapping* m) { return std::tuple(m->bound_to(), m->protocol, m->host_port, m); };
    if (!std::ranges::is_sorted(order, {}, place))
        std::ranges::sort(order, {}, place);
    for (std::size_t i = 1; i < order.size(); ++i) {
        const Mapping &a = *order[i - 1], &b = *order[i];
        const bool share_a_port =
            a.protocol == b.protocol && a.bound_to() == b.bound_to() && b.host_port <= a.host_port_end;
        if (share_a_port && !same_ports(a, b))
            throw cni::Error(os::cat(&a < &b ? contradiction(a, b) : contradiction(b, a),
                                     ": remove one of runtimeConfig.portMappings"));
    }
}

std::vector<Mapping> check_mappings(const std::vector<WrittenMapping>& written) {
    for (const WrittenMapping& mapping : written) {
        if (mapping.container_port <= 0)
            throw cni::Error(os::cat("Invalid container port number: ", mapping.container_port));
        if (mapping.host_port <= 0)
            throw cni::Error(os::cat("Invalid host port number: ", mapping.host_port));
    }
    std::vector<Mapping> mappings;
    mappings.reserve(written.size());
    for (const WrittenMapping& mapping : written)
        mappings.push_back(check(mapping));
    for (const inet::Family family : {inet::Family::v4, inet::Family::v6})
        refuse_contradictions(mappings, family);
    return mappings;
}

} // namespace

std::string_view text(Protocol protocol) {
    switch (protocol) {
    case Protocol::tcp:
        return "tcp";
    case Protocol::udp:
        return "udp";
    case Protocol::sctp:
        return "sctp";
    }
    return "";
}

std::string ports_text(std::uint16_t first, std::uint16_t last) {
    return first == last ? std::to_string(first) : os::cat(first, "-", last);
}

std::optional<inet::Address> Mapping::bound_to() const {
    return host_ip && !host_ip->is_unspecified() ? host_ip : std::nullopt;
}

Config parse(const cni::Invocation& call) {
    const Keys keys = cni::prefixed("failed to parse network configuration: ", [&] { return read_keys(call.config); });
    // The Go suite has this prefix twice: one by its library, one by the plugin.
    auto prev_result = cni::prefixed("could not parse prevResult: ", [&] { return call.prev_result(); });
    check_mark(keys);
    check_backend(keys);
    Config config{.snat = keys.snat,
                  .masq_all = keys.masq_all,
                  .conditions_v4 = parse_conditions("conditionsV4", inet::Family::v4, keys.conditions_v4),
                  .conditions_v6 = parse_conditions("conditionsV6", inet::Family::v6, keys.conditions_v6),
                  .mappings = check_mappings(keys.mappings),
                  .prev_result = std::move(prev_result)};
    if (keys.external_mark_chain)
        os::warn("externalSetMarkChain is not jumped to: connections are masqueraded by an nftables rule of our own, "
                 "without a mark");
    call.config.warn_unknown();
    return config;
}

std::optional<Config> parse_leniently(const cni::Invocation& call) {
    try {
        return Config{
            .conditions_v4 = parse_conditions("conditionsV4", inet::Family::v4, call.config.texts("conditionsV4")),
            .conditions_v6 = parse_conditions("conditionsV6", inet::Family::v6, call.config.texts("conditionsV6")),
            .mappings = check_mappings(read_mappings(call.config)),
            .prev_result = {}};
    } catch (const cni::Error&) {
        return std::nullopt;
    }
}

std::size_t count_mappings(const cni::Invocation& call) {
    try {
        const auto runtime = call.config.object("runtimeConfig");
        return runtime ? runtime->list_size("portMappings") : 0;
    } catch (const cni::Error&) {
        return 0;
    }
}

Targets container_addresses(const cni::Result& result, std::string_view ifname) {
    Targets targets;
    for (const cni::IpConfig& ip : result.ips) {
        auto& target = ip.address.address.family() == inet::Family::v4 ? targets.v4 : targets.v6;
        if (target)
            continue;
        const bool known =
            ip.interface && *ip.interface >= 0 && static_cast<std::uint64_t>(*ip.interface) < result.interfaces.size();
        if (known) {
            const cni::Interface& interface = result.interfaces[static_cast<std::size_t>(*ip.interface)];
            if (interface.name != ifname || interface.sandbox.empty())
                continue;
        }
        target = ip.address;
    }
    return targets;
}

std::string host_interface(const cni::Result& result, std::string_view ifname) {
    std::string before;
    for (const cni::Interface& interface : result.interfaces) {
        if (interface.sandbox.empty())
            before = interface.name;
        else if (interface.name == ifname)
            return before;
    }
    return {};
}

} // namespace portmap
