// SPDX-License-Identifier: Apache-2.0
#include "cni/args.h"

#include <algorithm>
#include <vector>

#include "cni/error.h"
#include "os/text.h"

namespace cni {

namespace {

constexpr std::string_view ignore_unknown = "IgnoreUnknown";

bool parse_bool(std::string_view pair, std::string_view value) {
    const std::string word = os::lower(value);
    if (word == "1" || word == "true")
        return true;
    if (word == "0" || word == "false")
        return false;
    throw Error(os::cat("ARGS: error parsing value of pair ", os::quote(pair),
                        ": boolean unmarshal error: invalid input ", word));
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
        const auto parts = os::split(pair, '=');
        if (parts.size() != 2)
            throw Error(os::cat("ARGS: invalid pair ", os::quote(pair)));
        const std::string_view key = parts[0], value = parts[1];
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

std::optional<Object> args_in(const Object& config) {
    const auto args = config.object("args");
    return args ? args->object("cni") : std::nullopt;
}

} // namespace cni
