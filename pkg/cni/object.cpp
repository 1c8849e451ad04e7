// SPDX-License-Identifier: Apache-2.0
#include "cni/object.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "cni/error.h"
#include "cni/json_read.h"
#include "cni/nearest.h"
#include "os/log.h"
#include "os/text.h"

namespace cni {

using json::List;
using json::Map;
using json::Node;

namespace {

constexpr std::size_t most_shown = 40;
constexpr unsigned most_warnings = 20;

/// The first characters of a found value, for a message.
std::string shorten(std::string_view text) {
    if (text.size() <= most_shown)
        return std::string(text);
    std::size_t end = most_shown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80)
        --end;
    return os::cat(text.substr(0, end), "…");
}

std::string describe(const Node* node) {
    if (node == nullptr || node->is_null())
        return "missing";
    if (const auto* const flag = node->as<bool>())
        return *flag ? "a boolean (true)" : "a boolean (false)";
    if (const auto* const text = node->as<std::string>())
        return os::cat("a string (", os::quote(shorten(*text)), ")");
    if (node->as<List>() != nullptr)
        return "a list";
    if (node->as<Map>() != nullptr)
        return "an object";
    return os::cat("a number (", shorten(json::compact(*node)), ")");
}

[[noreturn]] void refuse_at(const std::string& path, const Node* node, std::string_view why) {
    throw Error(os::cat("key ", os::quote(path), " is ", describe(node), ": ", why));
}

std::string range_words(std::int64_t min, std::int64_t max) {
    if (min == INT64_MIN && max == INT64_MAX)
        return "must be an integer";
    if (min == INT64_MIN)
        return os::cat("must be an integer of at most ", max);
    if (max == INT64_MAX)
        return os::cat("must be an integer of at least ", min);
    return os::cat("must be an integer from ", min, " to ", max);
}

/// nullptr for null and absent, else the value as the wanted type. `path` is called to say where, when it is none: a
/// config may have thousands of values.
template <typename T, typename Path> const T* expect(const Path& path, const Node* node, std::string_view why) {
    if (node == nullptr || node->is_null())
        return nullptr;
    const T* const value = node->as<T>();
    if (value == nullptr)
        refuse_at(path(), node, why);
    return value;
}

// No name, path or address holds a NUL, and system calls would see only what is before it.
template <typename Path> const std::string* expect_text(const Path& path, const Node* node) {
    const auto* const text = expect<std::string>(path, node, "must be a string");
    if (text != nullptr && text->find('\0') != std::string::npos)
        refuse_at(path(), node, "must not hold a NUL byte");
    return text;
}

bool same_folded(std::string_view a, std::string_view b) {
    const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::equal(a, b, {}, fold, fold);
}

std::string below(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : os::cat(path, ".", key);
}

std::string element(const std::string& path, std::size_t index) {
    return os::cat(path, "[", index, "]");
}

} // namespace

/// What was asked of an object.
struct Object::KnownKeys {
    struct Key {
        std::string name;
        bool whole = false; ///< what is in it is somebody else's
    };
    std::vector<Key> keys;

    void mark(std::string_view name, bool whole = false);
    [[nodiscard]] const Key* find(std::string_view name) const;
};

struct Object::Document {
    explicit Document(std::string_view text) : root(json::parse(text, memory)) {}

    std::pmr::monotonic_buffer_resource memory{1024}; // bytes at first
    Node root;
    std::map<const Node*, KnownKeys> book; ///< of opened objects; those of one list share the list's page
    std::map<const Node*, Node> unions;    ///< objects that come several times, by the last of them

    [[nodiscard]] const KnownKeys* page_of(const Node* node) const;
    void warn_unknown(const Node& node, const KnownKeys* known, const std::string& path, unsigned& left) const;
};

void Object::KnownKeys::mark(std::string_view name, bool whole) {
    const auto found = std::ranges::find(keys, name, &Key::name);
    if (found == keys.end()) {
        keys.push_back({std::string(name), whole});
    } else {
        found->whole = found->whole || whole;
    }
}

const Object::KnownKeys::Key* Object::KnownKeys::find(std::string_view name) const {
    const auto found = std::ranges::find_if(keys, [&](const Key& known) { return same_folded(known.name, name); });
    return found == keys.end() ? nullptr : &*found;
}

namespace {

void warn_about(const std::string& path, const std::string& key, const auto& known_keys) {
    std::vector<std::string> names;
    for (const auto& known : known_keys)
        names.push_back(known.name);
    const auto meant = nearest(key, names);
    os::warn(os::cat("unknown key ", os::quote(below(path, shorten(key))), " is ignored",
                     meant ? os::cat("; did you mean ", os::quote(below(path, *meant)), "?") : ""));
}

} // namespace

const Object::KnownKeys* Object::Document::page_of(const Node* node) const {
    const auto page = book.find(node);
    return page == book.end() ? nullptr : &page->second;
}

void Object::Document::warn_unknown(const Node& node, const KnownKeys* known, const std::string& path,
                                    unsigned& left) const {
    if (const auto* const list = node.as<List>()) {
        for (std::size_t i = 0; i < list->size(); ++i)
            warn_unknown((*list)[i], page_of(&node), element(path, i), left);
    }
    const auto* const map = node.as<Map>();
    if (map == nullptr || known == nullptr)
        return;
    for (const json::Member& member : *map) {
        const auto* const key = known->find(member.key);
        if (key != nullptr && !key->whole) {
            warn_unknown(member.value, page_of(&member.value), below(path, member.key), left);
        } else if (key == nullptr && left > 0) {
            --left;
            warn_about(path, member.key, known->keys);
        }
    }
}

Object Object::parse(std::string_view json) {
    auto document = std::make_shared<Document>(json);
    const Node& root = document->root;
    if (!root.is_null() && root.as<Map>() == nullptr)
        throw Error(Code::decoding_failure, os::cat("the document is ", describe(&root), ": must be an object"));
    return {std::move(document), &root, &root, {}};
}

Object::Object() = default;

Object::Object(std::shared_ptr<Document> document, const Node* node, const Node* page, std::string path, bool reencoded)
    : document_(std::move(document)), node_(node), known_(&document_->book[page]), path_(std::move(path)),
      reencoded_(reencoded) {}

Object Object::reencoded() const {
    Object copy = *this;
    copy.reencoded_ = true;
    return copy;
}

// The last one that is not null counts, as when Go's decoder goes over the same field again.
const Node* Object::look_up(std::string_view key) const {
    const Map* const map = node_ == nullptr ? nullptr : node_->as<Map>();
    if (map == nullptr)
        return nullptr;
    for (auto member = map->rbegin(); member != map->rend(); ++member) {
        if (!member->value.is_null() && same_folded(member->key, key))
            return &member->value;
    }
    return nullptr;
}

// An object that comes again adds to what came before, as Go's decoder fills the same struct twice.
const Node* Object::united(std::string_view key, const Node* last) const {
    std::vector<const Map*> parts;
    for (const json::Member& member : *node_->as<Map>()) {
        if (const Map* const part = member.value.as<Map>(); part != nullptr && same_folded(member.key, key))
            parts.push_back(part);
    }
    if (parts.size() < 2)
        return last;
    Map sum;
    for (const Map* const part : parts) {
        for (const json::Member& member : *part) // one by one: a range's insertion costs every executable 1.5 KB
            sum.push_back(member);
    }
    return &document_->unions.try_emplace(last, Node{std::move(sum)}).first->second;
}

const Node* Object::find(std::string_view key) const {
    accept(key);
    return look_up(key);
}

bool Object::is_null() const {
    return node_ != nullptr && node_->is_null();
}

bool Object::has(std::string_view key) const {
    return find(key) != nullptr;
}

bool Object::flag(std::string_view key, bool fallback) const {
    const auto* const value = expect<bool>([&] { return path(key); }, find(key), "must be true or false");
    return value == nullptr ? fallback : *value;
}

std::optional<std::string> Object::find_text(std::string_view key) const {
    const std::string* const value = expect_text([&] { return path(key); }, find(key));
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::string Object::text(std::string_view key, std::string_view fallback) const {
    return find_text(key).value_or(std::string(fallback));
}

std::optional<std::int64_t> Object::integer(const Node& node) const {
    if (const auto* const value = node.as<std::int64_t>())
        return *value;
    constexpr double most = 1LL << 53; // beyond, a double may be another number than was written
    const auto* const number = reencoded_ ? node.as<json::Number>() : nullptr;
    const double value = number == nullptr ? 0.5 : std::strtod(number->text.c_str(), nullptr);
    if (!(value >= -most && value <= most) || static_cast<double>(static_cast<std::int64_t>(value)) != value)
        return std::nullopt;
    return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> Object::find_number(std::string_view key, std::int64_t min, std::int64_t max) const {
    const Node* const node = find(key);
    if (node == nullptr)
        return std::nullopt;
    const auto value = integer(*node);
    if (!value || *value < min || *value > max)
        refuse_at(path(key), node, range_words(min, max));
    return value;
}

std::int64_t Object::number(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max) const {
    return find_number(key, min, max).value_or(fallback);
}

std::optional<std::uint64_t> Object::find_unsigned(std::string_view key) const {
    const Node* const node = find(key);
    if (node == nullptr)
        return std::nullopt;
    if (const auto* const number = node->as<std::int64_t>(); number != nullptr && *number >= 0)
        return static_cast<std::uint64_t>(*number);
    if (const auto* const number = node->as<json::Number>()) {
        if (const auto value = os::parse_uint(number->text))
            return value;
    }
    refuse_at(path(key), node, os::cat("must be an integer from 0 to ", UINT64_MAX));
}

std::optional<Object> Object::object(std::string_view key) const {
    const Node* const node = find(key);
    if (expect<Map>([&] { return path(key); }, node, "must be an object") == nullptr)
        return std::nullopt;
    const Node* const whole = united(key, node);
    return Object(document_, whole, whole, path(key), reencoded_);
}

std::vector<Object> Object::objects_in(const Node& list, const std::string& path) const {
    std::vector<Object> found;
    found.reserve(list.as<List>()->size());
    for (const Node& item : *list.as<List>()) {
        std::string item_path = element(path, found.size());
        (void)expect<Map>([&] { return item_path; }, &item, "must be an object");
        found.push_back(Object(document_, &item, &list, std::move(item_path), reencoded_));
    }
    return found;
}

std::vector<Object> Object::objects(std::string_view key) const {
    const Node* const node = find(key);
    if (expect<List>([&] { return path(key); }, node, "must be a list of objects") == nullptr)
        return {};
    return objects_in(*node, path(key));
}

std::vector<std::vector<Object>> Object::object_lists(std::string_view key) const {
    const Node* const node = find(key);
    const auto* const list = expect<List>([&] { return path(key); }, node, "must be a list of lists of objects");
    std::vector<std::vector<Object>> found;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        std::string item_path = element(path(key), i);
        const Node& item = (*list)[i];
        const bool given = expect<List>([&] { return item_path; }, &item, "must be a list of objects") != nullptr;
        found.push_back(given ? objects_in(item, item_path) : std::vector<Object>());
    }
    return found;
}

std::vector<std::string> Object::texts(std::string_view key) const {
    const auto* const list = expect<List>([&] { return path(key); }, find(key), "must be a list of strings");
    std::vector<std::string> found;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const std::string* const text = expect_text([&] { return element(path(key), i); }, &(*list)[i]);
        found.push_back(text == nullptr ? std::string() : *text);
    }
    return found;
}

std::vector<std::pair<std::string, std::string>> Object::named_texts(std::string_view key) const {
    accept_all(key);
    const auto names = object(key);
    const Map* const map = names ? names->node_->as<Map>() : nullptr;
    std::vector<std::pair<std::string, std::string>> found;
    for (std::size_t i = 0; map != nullptr && i < map->size(); ++i) {
        const json::Member& member = (*map)[i];
        const std::string* const text = expect_text([&] { return names->path(member.key); }, &member.value);
        found.emplace_back(member.key, text == nullptr ? std::string() : *text);
    }
    return found;
}

std::size_t Object::list_size(std::string_view key) const {
    const Node* const node = find(key);
    const auto* const list = node == nullptr ? nullptr : node->as<List>();
    return list == nullptr ? 0 : list->size();
}

std::vector<std::string> Object::keys() const {
    std::vector<std::string> names;
    const Map* const map = node_ == nullptr ? nullptr : node_->as<Map>();
    if (map != nullptr) {
        for (const json::Member& member : *map)
            names.push_back(member.key);
    }
    return names;
}

std::string Object::path(std::string_view key) const {
    return below(path_, key);
}

void Object::refuse(std::string_view key, std::string_view why) const {
    refuse_at(path(key), look_up(key), why);
}

void Object::accept(std::string_view key) const {
    if (known_ != nullptr)
        known_->mark(key);
}

void Object::accept_all(std::string_view key) const {
    if (known_ != nullptr)
        known_->mark(key, true);
}

void Object::warn_unknown() const {
    unsigned left = most_warnings;
    if (document_)
        document_->warn_unknown(*node_, known_, path_, left);
}

std::string Object::dump(std::string_view key) const {
    const Node* const node = find(key);
    return node == nullptr ? "null" : json::compact(*node);
}

} // namespace cni
