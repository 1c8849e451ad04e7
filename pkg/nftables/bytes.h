// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>

namespace nft {

/// The bytes of a set's key or of a map's value. In place and never on the heap: a container may have hundreds of
/// elements with three of these each.
class Bytes {
  public:
    static constexpr std::size_t capacity = 32; // two interface names, which is the longest; the kernel takes 64

    Bytes() = default;
    explicit Bytes(std::size_t zeros) { resize(zeros); }
    explicit Bytes(std::span<const std::uint8_t> bytes) { append(bytes); }
    Bytes(std::initializer_list<std::uint8_t> bytes) : Bytes(std::span(bytes.begin(), bytes.size())) {}

    /// Throws std::length_error beyond the capacity, as do the others that grow it. What is added is zero.
    void resize(std::size_t size) {
        if (size > capacity)
            throw std::length_error("more bytes than nf_tables takes for a key or value");
        if (size > size_)
            std::fill(bytes_.begin() + size_, bytes_.begin() + size, std::uint8_t{0});
        size_ = static_cast<std::uint8_t>(size);
    }
    void append(std::span<const std::uint8_t> bytes) {
        const std::size_t at = size_;
        resize(at + bytes.size());
        std::ranges::copy(bytes, bytes_.begin() + at);
    }
    void push_back(std::uint8_t byte) { append({&byte, 1}); }

    [[nodiscard]] const std::uint8_t* data() const { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] const std::uint8_t* begin() const { return bytes_.data(); }
    [[nodiscard]] const std::uint8_t* end() const { return bytes_.data() + size_; }
    [[nodiscard]] std::uint8_t back() const { return bytes_.at(size_ - std::size_t{1}); }
    [[nodiscard]] std::uint8_t& operator[](std::size_t at) { return bytes_[at]; }
    [[nodiscard]] std::uint8_t operator[](std::size_t at) const { return bytes_[at]; }

    friend bool operator==(const Bytes& a, const Bytes& b) { return std::ranges::equal(a, b); }
    friend auto operator<=>(const Bytes& a, const Bytes& b) {
        return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
    }

  private:
    std::uint8_t size_ = 0;
    std::array<std::uint8_t, capacity> bytes_; // those from size_ on are nobody's
};

} // namespace nft
