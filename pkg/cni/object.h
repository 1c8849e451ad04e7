// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cni {

namespace json {
struct Node;
}

/// A cursor on one object of a JSON document that knows its key path, so that an error names the key
/// ("ipam.ranges[0][1].subnet"), what was found there and what is allowed. The JSON library stays behind it.
///
/// Keys match whatever their ASCII letter case, as with Go's decoder; the last of several wins, and an object adds to
/// the one before it; null counts as absent. Integers must be written as integers. Every getter marks its key as known;
/// a wrong type or value throws Error(999) with a message of the form
///   key "mtu" is a string ("big"): must be an integer from 0 to 65535
class Object {
  public:
    /// Parses one whole document: at most 4 MiB, 64 levels, nothing behind it. Invalid UTF-8 becomes U+FFFD.
    /// Throws Error(decoding_failure) with line and column; empty input is "unexpected end of JSON input".
    /// A document that is null reads as an empty object; another non-object is a decoding_failure.
    [[nodiscard]] static Object parse(std::string_view json);
    Object(); ///< empty

    /// The same object as it is after Go has decoded it into a map and encoded that again, which it does to a
    /// prevResult: in it and below, 2.0 and 1e3 are integers.
    [[nodiscard]] Object reencoded() const;

    [[nodiscard]] bool has(std::string_view key) const; ///< there and not null
    [[nodiscard]] bool flag(std::string_view key, bool fallback = false) const;
    [[nodiscard]] std::string text(std::string_view key, std::string_view fallback = {}) const;
    [[nodiscard]] std::optional<std::string> find_text(std::string_view key) const;
    [[nodiscard]] std::int64_t number(std::string_view key, std::int64_t fallback, std::int64_t min,
                                      std::int64_t max) const;
    [[nodiscard]] std::optional<std::int64_t> find_number(std::string_view key, std::int64_t min,
                                                          std::int64_t max) const;
    /// Up to 2^64 - 1.
    [[nodiscard]] std::optional<std::uint64_t> find_unsigned(std::string_view key) const;
    [[nodiscard]] std::optional<Object> object(std::string_view key) const;
    /// Elements of a list of objects (a null element is an empty object); absent: empty.
    [[nodiscard]] std::vector<Object> objects(std::string_view key) const;
    [[nodiscard]] bool is_null() const; ///< such a null element
    /// A list of lists of objects (host-local's ranges).
    [[nodiscard]] std::vector<std::vector<Object>> object_lists(std::string_view key) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
    /// An object of texts whose keys are names, not keys of ours: as written, for there letter case counts, in the
    /// order of the document. A null is "".
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> named_texts(std::string_view key) const;
    [[nodiscard]] std::size_t list_size(std::string_view key) const; ///< 0 for what is no list
    [[nodiscard]] std::vector<std::string> keys() const;             ///< as written

    /// "ipam.ranges[0][1].subnet" for key "subnet".
    [[nodiscard]] std::string path(std::string_view key) const;
    /// Throws: key "<path>" is <what was found>: <why>.
    [[noreturn]] void refuse(std::string_view key, std::string_view why) const;
    /// Marks a key as known without reading it (another plugin's or the runtime's).
    void accept(std::string_view key) const;
    /// The same, and whatever is in it.
    void accept_all(std::string_view key) const;
    /// A line on stderr for every key here and below that no getter asked for, with the nearest known name.
    /// Objects nobody opened are not descended into.
    void warn_unknown() const;
    /// The value as compact JSON ("null" when absent).
    [[nodiscard]] std::string dump(std::string_view key) const;

  private:
    struct Document;
    struct KnownKeys;
    Object(std::shared_ptr<Document> document, const json::Node* node, const json::Node* page, std::string path,
           bool reencoded = false);
    [[nodiscard]] std::optional<std::int64_t> integer(const json::Node& node) const;
    [[nodiscard]] const json::Node* find(std::string_view key) const;
    [[nodiscard]] const json::Node* look_up(std::string_view key) const;
    [[nodiscard]] const json::Node* united(std::string_view key, const json::Node* last) const;
    [[nodiscard]] std::vector<Object> objects_in(const json::Node& list, const std::string& path) const;
    std::shared_ptr<Document> document_; ///< the tree and the book of known keys, shared by all cursors on it
    const json::Node* node_ = nullptr;
    KnownKeys* known_ = nullptr; ///< of the document's book
    std::string path_;
    bool reencoded_ = false;
};

} // namespace cni
