// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "conditions_parse.h"
#include "os/text.h"

namespace portmap {

namespace {

enum class Kind : std::uint8_t {
    source,
    destination,
    in,
    out,
    protocol,
    mark,
    sport,
    dport,
    module,
    comment,
    dst_type
};

struct Option {
    std::string_view name;
    Kind kind;
};

constexpr Option options[] = {
    {"-s", Kind::source},
    {"--source", Kind::source},
    {"--src", Kind::source},
    {"--src-range", Kind::source},
    {"-d", Kind::destination},
    {"--destination", Kind::destination},
    {"--dst", Kind::destination},
    {"--dst-range", Kind::destination},
    {"-i", Kind::in},
    {"--in-interface", Kind::in},
    {"-o", Kind::out},
    {"--out-interface", Kind::out},
    {"-p", Kind::protocol},
    {"--protocol", Kind::protocol},
    {"--proto", Kind::protocol},
    {"--mark", Kind::mark},
    {"--sport", Kind::sport},
    {"--source-port", Kind::sport},
    {"--sports", Kind::sport},
    {"--source-ports", Kind::sport},
    {"--dport", Kind::dport},
    {"--destination-port", Kind::dport},
    {"--dports", Kind::dport},
    {"--destination-ports", Kind::dport},
    {"-m", Kind::module},
    {"--match", Kind::module},
    {"--comment", Kind::comment},
    {"--dst-type", Kind::dst_type},
};

// The modules that the options above need; naming one says nothing by itself.
constexpr std::string_view modules[] = {"tcp", "udp", "sctp", "multiport", "mark", "iprange", "comment", "addrtype"};

Match read_mark(const ConditionReader& reader, std::string_view value) {
    const auto slash = value.find('/');
    Mark mark{.value = reader.number(value.substr(0, slash))};
    if (slash != std::string_view::npos)
        mark.mask = reader.number(value.substr(slash + 1));
    return {.field = Match::Field::mark, .negated = false, .value = mark};
}

Match read_value(const ConditionReader& reader, Kind kind, std::string_view value) {
    switch (kind) {
    case Kind::source:
        return reader.address(Match::Field::saddr, value);
    case Kind::destination:
        return reader.address(Match::Field::daddr, value);
    case Kind::in:
        return reader.interface(Match::Field::iifname, value, '+');
    case Kind::out:
        return reader.interface(Match::Field::oifname, value, '+');
    case Kind::mark:
        return read_mark(reader, value);
    case Kind::sport:
        return reader.ports(Match::Field::sport, value, ':');
    case Kind::dport:
        return reader.ports(Match::Field::dport, value, ':');
    default:
        return reader.protocol(value);
    }
}

// True when the option limits nothing: the traffic at hand always meets it.
bool says_nothing(const ConditionReader& reader, Kind kind, bool negated, std::string_view value) {
    switch (kind) {
    case Kind::module:
        if (std::ranges::find(modules, value) == std::end(modules))
            reader.refuse_unsupported(os::cat("-m ", value));
        return true;
    case Kind::comment:
        return true;
    case Kind::dst_type: // only what is addressed to this host comes here
        if (negated || value != "LOCAL")
            reader.refuse_unsupported(os::cat(negated ? "! " : "", "--dst-type ", value));
        return true;
    case Kind::protocol:
        return !negated && (value == "all" || value == "0");
    default:
        return false;
    }
}

} // namespace

std::vector<std::string> iptables_words(std::span<const std::string> tokens) {
    std::vector<std::string> words;
    for (const std::string& token : tokens) {
        const auto equals = token.find('=');
        if (token.starts_with("--") && equals != std::string::npos) {
            words.push_back(token.substr(0, equals));
            words.push_back(token.substr(equals + 1));
        } else if (!token.empty()) {
            words.push_back(token);
        }
    }
    return words;
}

void read_iptables(ConditionReader& reader) {
    const bool negated = reader.skip("!");
    const std::string_view name = reader.value_of("!");
    const auto* option = std::ranges::find(options, name, &Option::name);
    if (option == std::end(options))
        reader.refuse_unsupported(name);
    const std::string_view value = reader.value_of(name);
    if (says_nothing(reader, option->kind, negated, value))
        return;
    std::vector<Match> matches;
    for (const std::string_view one : os::split(value, ',')) {
        matches.push_back(read_value(reader, option->kind, one));
        matches.back().negated = negated;
    }
    reader.require(std::move(matches));
}

} // namespace portmap
