// SPDX-License-Identifier: Apache-2.0
#include "dbus/message.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace dbus {

namespace {

enum Type : std::uint8_t { method_call = 1, method_return = 2, error = 3 };
enum Field : std::uint8_t {
    path = 1,
    interface = 2,
    member = 3,
    error_name = 4,
    reply_serial = 5,
    destination = 6,
    signature = 8
};
constexpr std::uint8_t version = 1;
constexpr char native_order = std::endian::native == std::endian::little ? 'l' : 'B';

/// Values one behind the other, each at a multiple of its size from the start.
class Writer {
  public:
    void byte(std::uint8_t value) { out_ += static_cast<char>(value); }
    void align(std::size_t to) { out_.resize((out_.size() + to - 1) / to * to); }
    void number(std::uint32_t value) {
        align(sizeof value);
        out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(std::string_view value) {
        number(static_cast<std::uint32_t>(value.size()));
        out_ += value;
        byte(0);
    }
    void type(std::string_view value) { // a signature: its length is one byte
        byte(static_cast<std::uint8_t>(value.size()));
        out_ += value;
        byte(0);
    }
    void field(Field name, std::string_view kind, std::string_view value) {
        align(8);
        byte(name);
        type(kind);
        kind == "g" ? type(value) : text(value);
    }
    [[nodiscard]] std::string& bytes() { return out_; }

  private:
    std::string out_;
};

/// The same in the other direction, of bytes that may be anything. After the first value that is not there whole all
/// further ones are empty, and ok() is false.
class Reader {
  public:
    Reader(std::span<const std::uint8_t> bytes, bool swapped) : bytes_(bytes), swapped_(swapped) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t at() const { return at_; }
    void align(std::size_t to) { (void)take((to - at_ % to) % to); }
    std::uint8_t byte() {
        const auto found = take(1);
        return found.empty() ? std::uint8_t{0} : found[0];
    }
    std::uint32_t number() {
        align(sizeof(std::uint32_t));
        std::uint32_t value = 0;
        const auto found = take(sizeof value);
        std::ranges::copy(found, reinterpret_cast<std::uint8_t*>(&value));
        return swapped_ ? __builtin_bswap32(value) : value;
    }
    std::string text() { return string_of(number()); }
    std::string type() { return string_of(byte()); }

  private:
    std::span<const std::uint8_t> take(std::size_t size) {
        if (!ok_ || size > bytes_.size() - at_) {
            ok_ = false;
            return {};
        }
        at_ += size;
        return bytes_.subspan(at_ - size, size);
    }
    std::string string_of(std::size_t size) {
        const auto found = take(size);
        std::string value(found.begin(), found.end());
        (void)take(1); // the NUL behind it
        return value;
    }

    std::span<const std::uint8_t> bytes_;
    bool swapped_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

/// The parts of a header that are the same in every message.
struct Start {
    std::uint8_t type = 0;
    std::uint32_t body = 0, fields = 0;
};

std::optional<Start> read_start(Reader& reader) {
    reader.byte(); // the byte order, looked at before
    Start start{.type = reader.byte()};
    reader.byte(); // flags
    const bool known = reader.byte() == version;
    start.body = reader.number();
    reader.number(); // its serial number
    start.fields = reader.number();
    if (!known || !reader.ok() || start.body > most_bytes || start.fields > most_bytes)
        return std::nullopt;
    return start;
}

/// Nothing for bytes in no known order.
std::optional<Reader> reader_of(std::span<const std::uint8_t> message) {
    if (message.size() < header_start || (message[0] != 'l' && message[0] != 'B'))
        return std::nullopt;
    return Reader(message, message[0] != native_order);
}

std::size_t body_at(const Start& start) {
    return (header_start + start.fields + 7) / 8 * 8;
}

/// A header field's value when it is of a type that method answers have; all others end the reading.
struct Value {
    std::string text;
    std::uint32_t number = 0;
};
std::optional<Value> read_value(Reader& reader) {
    const std::string kind = reader.type();
    Value value;
    if (kind == "s" || kind == "o")
        value.text = reader.text();
    else if (kind == "g")
        value.text = reader.type();
    else if (kind == "u")
        value.number = reader.number();
    else
        return std::nullopt;
    return reader.ok() ? std::optional(value) : std::nullopt;
}

} // namespace

std::string encode(const Call& call, std::uint32_t serial) {
    Writer body, fields, message;
    for (const std::string& argument : call.arguments)
        body.text(argument);
    fields.field(path, "o", call.path);
    fields.field(interface, "s", call.interface);
    fields.field(member, "s", call.member);
    fields.field(destination, "s", call.destination);
    if (!call.arguments.empty())
        fields.field(signature, "g", std::string(call.arguments.size(), 's'));

    constexpr std::uint8_t no_flags = 0;
    message.byte(static_cast<std::uint8_t>(native_order));
    message.byte(method_call);
    message.byte(no_flags);
    message.byte(version);
    message.number(static_cast<std::uint32_t>(body.bytes().size()));
    message.number(serial);
    message.number(static_cast<std::uint32_t>(fields.bytes().size()));
    message.bytes() += fields.bytes(); // at 16: what is aligned within is aligned here
    message.align(8);
    return message.bytes() + body.bytes();
}

std::optional<std::size_t> size_of(std::span<const std::uint8_t> bytes) {
    auto reader = reader_of(bytes);
    const auto start = reader ? read_start(*reader) : std::nullopt;
    if (!start)
        return std::nullopt;
    const std::size_t size = body_at(*start) + start->body;
    return size <= most_bytes ? std::optional(size) : std::nullopt;
}

std::optional<Reply> decode(std::span<const std::uint8_t> message) {
    auto reader = reader_of(message);
    const auto start = reader ? read_start(*reader) : std::nullopt;
    if (!start || body_at(*start) + start->body != message.size() ||
        (start->type != method_return && start->type != error))
        return std::nullopt;
    Reply reply;
    std::string types;
    while (reader->at() < header_start + start->fields) {
        reader->align(8);
        const std::uint8_t field = reader->byte();
        const auto value = read_value(*reader);
        if (!value)
            return std::nullopt;
        if (field == reply_serial)
            reply.serial = value->number;
        else if (field == error_name)
            reply.error = value->text;
        else if (field == signature)
            types = value->text;
    }
    if (start->type == error && reply.error.empty())
        return std::nullopt; // the specification demands one
    reader->align(8);
    if (types.starts_with('s'))
        reply.text = reader->text();
    else if (types.starts_with('b'))
        reply.flag = reader->number() != 0;
    return reader->ok() ? std::optional(std::move(reply)) : std::nullopt;
}

} // namespace dbus
