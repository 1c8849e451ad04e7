// SPDX-License-Identifier: Apache-2.0
#include "cni/json_read.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <nlohmann/json.hpp>

#include "cni/error.h"
#include "cni/json_write.h"
#include "os/text.h"

namespace cni::json {

namespace {

constexpr std::string_view unexpected_end = "unexpected end of JSON input";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::size_t longest_reason = 160, escape_length = 6, usual_members = 4;

[[noreturn]] void fail(std::string_view why) {
    throw Error(Code::decoding_failure, std::string(why));
}

/// `position` counts the bytes read, the offending one included.
[[noreturn]] void fail_at(std::string_view text, std::size_t position, std::string_view why) {
    const std::string_view read = text.substr(0, position > 0 ? position - 1 : 0);
    const std::size_t line = 1 + static_cast<std::size_t>(std::ranges::count(read, '\n'));
    const std::size_t line_begin = read.rfind('\n') + 1; // npos + 1 is 0
    fail(os::cat(why, " at line ", line, " column ", read.size() - line_begin + 1));
}

/// The value of the escape "\uXXXX" at `at`; nothing when there is none.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
    if (at + escape_length > text.size() || text[at] != '\\' || text[at + 1] != 'u')
        return std::nullopt;
    unsigned unit = 0;
    const char* const end = text.data() + at + escape_length;
    return std::from_chars(text.data() + at + 2, end, unit, 16).ptr == end ? std::optional(unit) : std::nullopt;
}

/// Half of a surrogate pair becomes U+FFFD, as with Go's decoder; nlohmann would refuse it. Returns the bytes done.
std::size_t mend_escape(std::string& text, std::size_t at) {
    const auto is = [](const std::optional<unsigned>& unit, unsigned kind) {
        return unit && (*unit & 0xfc00U) == kind;
    };
    constexpr unsigned high = 0xd800, low = 0xdc00;
    const auto unit = escaped_unit(text, at);
    if (is(unit, high) && is(escaped_unit(text, at + escape_length), low))
        return 2 * escape_length;
    if (!is(unit, high) && !is(unit, low))
        return 2;
    text.replace(at + 2, 4, "fffd");
    return escape_length;
}

/// What nlohmann must not see. The tree is freed and printed by recursion, so depth is bounded before there is a tree;
/// a NUL byte would be the end of the document to it, and a byte order mark nothing.
void prepare(std::string& text) {
    if (text.starts_with(byte_order_mark))
        fail_at(text, 1, "invalid character U+FEFF (byte order mark) looking for beginning of value");
    unsigned depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                i += mend_escape(text, i) - 1;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > most_levels)
                fail_at(text, i + 1, os::cat("more than ", most_levels, " levels of nesting"));
        } else if (depth > 0 && (c == '}' || c == ']')) {
            --depth;
        } else if (c == '\0') {
            fail_at(text, i + 1, "a NUL byte outside of a string");
        }
    }
}

/// "[json.exception…] parse error at line 1, column 2: <reason>" without what we say ourselves.
std::string reason_of(std::string_view what) {
    if (what.find("unexpected end of input") != std::string_view::npos)
        return std::string(unexpected_end);
    for (const std::string_view before : {": ", "] "}) {
        if (const auto at = what.find(before); at != std::string_view::npos) {
            what.remove_prefix(at + before.size());
            break;
        }
    }
    return valid_utf8(what.substr(0, longest_reason));
}

/// Takes nlohmann's events and builds our tree.
class Builder {
  public:
    explicit Builder(std::pmr::memory_resource& memory) : memory_(&memory) {}
    bool null() { return add(std::monostate()); }
    bool boolean(bool flag) { return add(flag); }
    bool number_integer(std::int64_t number) { return add(number); }
    bool number_unsigned(std::uint64_t number) {
        return number <= INT64_MAX ? add(static_cast<std::int64_t>(number)) : add(Number{os::cat(number)});
    }
    bool number_float(double, const std::string& text) { return add(Number{text}); }
    bool string(std::string& text) { return add(std::move(text)); }
    static bool binary(std::vector<std::uint8_t>&) { return false; } // not in JSON text
    bool start_object(std::size_t) { return open(Map(memory_)); }
    bool start_array(std::size_t) { return open(List(memory_)); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool key(std::string& key) {
        Map& map = std::get<Map>(open_.back()->value);
        if (map.empty())
            map.reserve(usual_members);
        map.push_back({std::move(key), {}});
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
        position_ = position;
        reason_ = reason_of(error.what());
        return false;
    }

    Node root;
    [[nodiscard]] std::size_t position() const { return position_; }
    [[nodiscard]] const std::string& reason() const { return reason_; }

  private:
    /// Where the next value belongs.
    Node& place() {
        if (open_.empty())
            return root;
        if (auto* const list = std::get_if<List>(&open_.back()->value))
            return list->emplace_back();
        return std::get<Map>(open_.back()->value).back().value;
    }
    template <typename Value> bool add(Value value) {
        place().value = std::move(value);
        return true;
    }
    // A container's own place does not move while it is open: nothing is added beside it.
    template <typename Container> bool open(Container container) {
        Node& node = place();
        node.value = std::move(container);
        open_.push_back(&node);
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    std::pmr::memory_resource* memory_;
    std::vector<Node*> open_;
    std::size_t position_ = 0;
    std::string reason_;
};

std::string compact_list(const List& list) {
    std::string out = "[";
    for (const Node& item : list)
        out += os::cat(&item == &list.front() ? "" : ",", compact(item));
    return out += ']';
}

std::string compact_map(const Map& map) {
    std::string out = "{";
    for (const Member& member : map)
        out += os::cat(&member == &map.front() ? "" : ",", literal(member.key), ":", compact(member.value));
    return out += '}';
}

} // namespace

Node parse(std::string_view text, std::pmr::memory_resource& memory) {
    if (text.size() > most_bytes)
        fail(os::cat("input is larger than ", most_bytes, " bytes"));
    if (os::trim(text).empty())
        fail(unexpected_end);
    std::string valid = valid_utf8(text);
    prepare(valid);
    Builder builder(memory);
    if (!nlohmann::json::sax_parse(valid.begin(), valid.end(), &builder))
        fail_at(valid, std::min(builder.position(), valid.size() + 1), builder.reason());
    return std::move(builder.root);
}

std::string compact(const Node& node) {
    if (const auto* const flag = node.as<bool>())
        return *flag ? "true" : "false";
    if (const auto* const number = node.as<std::int64_t>())
        return os::cat(*number);
    if (const auto* const number = node.as<Number>())
        return number->text;
    if (const auto* const text = node.as<std::string>())
        return literal(*text);
    if (const auto* const list = node.as<List>())
        return compact_list(*list);
    if (const auto* const map = node.as<Map>())
        return compact_map(*map);
    return "null";
}

} // namespace cni::json
