// SPDX-License-Identifier: Apache-2.0
#include "cni/args.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cni/error.h"
#include "os/text.h"

namespace cni {

namespace {

constexpr std::string_view ignore_unknown = "IgnoreUnknown";

/// Key and value, both empty when `pair` does not hold exactly one "=".
std::pair<std::string_view, std::string_view> split_pair(std::string_view pair) {
    const auto parts = os::split(pair, '=');
    return parts.size() == 2 ? std::pair(parts[0], parts[1]) : std::pair<std::string_view, std::string_view>();
}

bool is_pair(std::string_view pair) {
    return std::ranges::count(pair, '=') == 1;
}

bool parse_bool(std::string_view pair, std::string_view value) {
    const std::string word = os::lower(value);
    if (word == "1" || word == "true")
        return true;
    if (word == "0" || word == "false")
        return false;
    throw Error(os::cat("ARGS: error parsing value of pair ", os::quote(pair),
                        ": boolean unmarshal error: invalid input ", value));
}

std::string quote_all(const std::vector<std::string_view>& pairs) {
    std::vector<std::string> quoted;
    for (const std::string_view pair : pairs)
        quoted.push_back(os::quote(pair));
    return os::join(quoted, " ");
}

} // namespace

std::map<std::string, std::string> parse_args(std::string_view args, std::initializer_list<std::string_view> known) {
    std::map<std::string, std::string> values;
    std::vector<std::string_view> unknown;
    bool ignoring = false;
    if (args.empty())
        return values;
    for (const std::string_view pair : os::split(args, ';')) {
        if (!is_pair(pair))
            throw Error(os::cat("ARGS: invalid pair ", os::quote(pair)));
        const auto [key, value] = split_pair(pair);
        if (key == ignore_unknown) {
            ignoring = parse_bool(pair, value);
        } else if (std::ranges::find(known, key) == known.end()) {
            unknown.push_back(pair);
        } else {
            values.insert_or_assign(std::string(key), std::string(value));
        }
    }
    // Judged at the end: IgnoreUnknown may stand behind what it excuses.
    if (!unknown.empty() && !ignoring)
        throw Error(os::cat("ARGS: unknown args [", quote_all(unknown), "]"));
    return values;
}

std::map<std::string, std::string> parse_args_leniently(std::string_view args) {
    std::map<std::string, std::string> values;
    for (const std::string_view pair : os::split(args, ';')) {
        const auto [key, value] = split_pair(pair);
        if (!key.empty())
            values.insert_or_assign(std::string(key), std::string(value));
    }
    return values;
}

} // namespace cni
