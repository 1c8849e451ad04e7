// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <vector>

namespace host_local {

/// The index cannot be used: damage, a full or broken disk, a version of another time. Never fatal: the store
/// then reads the directory.
class Unusable : public std::exception {
  public:
    [[nodiscard]] const char* what() const noexcept override { return "the lease index cannot be used"; }
};

/// A stretch of the index file, or of memory. The file is read and written a few hundred bytes at a time and
/// never mapped, so that what a disk does is an errno here (Unusable), not a SIGBUS.
class Region {
  public:
    /// In memory, all zero.
    explicit Region(std::size_t size) : memory_(size), size_(size) {}
    /// In `file`, which must stay open.
    Region(int file, std::uint64_t offset, std::size_t size) : file_(file), offset_(offset), size_(size) {}

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool in_memory() const { return file_ < 0; }
    /// Leaves the file as it is; changes from here on are in memory only.
    void to_memory();

    void read(std::size_t at, std::span<std::byte> out);
    void write(std::size_t at, std::span<const std::byte> data);
    [[nodiscard]] std::span<const std::byte> bytes() const { return memory_; } ///< in memory only

  private:
    static constexpr std::size_t window_size = 1024;

    void fill_window(std::size_t at);

    std::vector<std::byte> memory_; ///< everything, or the window of the file that was read last
    std::size_t window_at_ = 0;
    int file_ = -1;
    std::uint64_t offset_ = 0;
    std::size_t size_;
};

/// Exactly that many bytes, else Unusable.
void read_exactly(int file, std::uint64_t offset, std::span<std::byte> out);
void write_exactly(int file, std::uint64_t offset, std::span<const std::byte> data);

} // namespace host_local
