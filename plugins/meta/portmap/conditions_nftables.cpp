// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include "conditions_parse.h"
#include "os/text.h"

namespace portmap {

namespace {

using Read = std::function<Match(std::string_view word)>;

// `[== | !=] value` or `[== | !=] { value, value }`
void read_relation(ConditionReader& reader, std::string_view field, const Read& read) {
    const bool negated = reader.skip("!=");
    if (!negated)
        reader.skip("==");
    std::vector<Match> matches;
    const auto add = [&](std::string_view word) {
        matches.push_back(read(word));
        matches.back().negated = negated;
    };
    if (!reader.skip("{")) {
        add(reader.value_of(field));
    } else {
        do
            add(reader.value_of(field));
        while (reader.skip(","));
        if (!reader.skip("}"))
            reader.refuse("{", "has no \"}\" after its values");
    }
    reader.require(std::move(matches));
}

void read_protocol(ConditionReader& reader, std::string_view field) {
    read_relation(reader, field, [&](std::string_view word) { return reader.protocol(word); });
}

void read_interface(ConditionReader& reader, std::string_view key) {
    const auto field = key == "iifname" ? Match::Field::iifname : Match::Field::oifname;
    read_relation(reader, key, [&](std::string_view word) { return reader.interface(field, word, '*'); });
}

void read_mark(ConditionReader& reader) {
    Mark mark;
    if (reader.skip("&") || reader.skip("and"))
        mark.mask = reader.number(reader.value_of("meta mark &"));
    read_relation(reader, "meta mark", [&](std::string_view word) {
        mark.value = reader.number(word);
        return Match{.field = Match::Field::mark, .negated = false, .value = mark};
    });
}

void read_meta(ConditionReader& reader, std::string_view key) {
    if (key == "mark")
        read_mark(reader);
    else if (key == "iifname" || key == "oifname")
        read_interface(reader, key);
    else if (key == "l4proto")
        read_protocol(reader, "meta l4proto");
    else if (key == "iif" || key == "oif")
        reader.refuse(key, os::cat("not supported; use ", key, "name"));
    else
        reader.refuse_unsupported(os::cat("meta ", key));
}

void read_ip(ConditionReader& reader, std::string_view header) {
    const std::string_view field = reader.value_of(header);
    const std::string name = os::cat(header, " ", field);
    if ((header == "ip") != (reader.family() == inet::Family::v4))
        reader.refuse(name, os::cat("never true here: this list is for IPv", static_cast<unsigned>(reader.family())));
    if (field == "saddr" || field == "daddr") {
        const auto side = field == "saddr" ? Match::Field::saddr : Match::Field::daddr;
        read_relation(reader, name, [&](std::string_view word) { return reader.address(side, word); });
    } else if (name == "ip protocol") {
        read_protocol(reader, name);
    } else {
        reader.refuse_unsupported(name);
    }
}

void read_transport(ConditionReader& reader, std::string_view header) {
    const std::string_view field = reader.value_of(header);
    const std::string name = os::cat(header, " ", field);
    if (field != "sport" && field != "dport")
        reader.refuse_unsupported(name);
    if (header != "th")
        reader.require({reader.protocol(header)});
    const auto side = field == "sport" ? Match::Field::sport : Match::Field::dport;
    read_relation(reader, name, [&](std::string_view word) { return reader.ports(side, word, '-'); });
}

constexpr std::string_view punctuation = "{},&";

bool ends_word(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '"' || c == '=' || c == '!' ||
           punctuation.find(c) != std::string_view::npos;
}

} // namespace

std::vector<std::string> nftables_words(std::string_view text) {
    std::vector<std::string> words;
    while (!(text = os::trim(text)).empty()) {
        std::size_t length = 1;
        if (text.front() == '"') {
            const auto end = std::min(text.find('"', 1), text.size());
            words.emplace_back(text.substr(1, end - 1));
            text.remove_prefix(std::min(end + 1, text.size()));
            continue;
        }
        if (text.starts_with("!=") || text.starts_with("=="))
            length = 2;
        else if (!ends_word(text.front()))
            length = static_cast<std::size_t>(std::ranges::find_if(text, ends_word) - text.begin());
        words.emplace_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    return words;
}

void read_nftables(ConditionReader& reader) {
    const std::string_view word = reader.take();
    if (word == "ip" || word == "ip6")
        read_ip(reader, word);
    else if (word == "tcp" || word == "udp" || word == "sctp" || word == "th")
        read_transport(reader, word);
    else if (word == "meta")
        read_meta(reader, reader.value_of(word));
    else if (word == "mark" || word == "iifname" || word == "oifname" || word == "iif" || word == "oif")
        read_meta(reader, word);
    else
        reader.refuse_unsupported(word);
}

} // namespace portmap
