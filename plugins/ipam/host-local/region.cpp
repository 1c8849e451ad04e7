// SPDX-License-Identifier: Apache-2.0
#include "region.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unistd.h>

namespace host_local {

void read_exactly(int file, std::uint64_t offset, std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t size = ::pread(file, out.data(), out.size(), static_cast<off_t>(offset));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            throw Unusable();
        out = out.subspan(static_cast<std::size_t>(size));
        offset += static_cast<std::uint64_t>(size);
    }
}

void write_exactly(int file, std::uint64_t offset, std::span<const std::byte> data) {
    while (!data.empty()) {
        const ssize_t size = ::pwrite(file, data.data(), data.size(), static_cast<off_t>(offset));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            throw Unusable();
        data = data.subspan(static_cast<std::size_t>(size));
        offset += static_cast<std::uint64_t>(size);
    }
}

void Region::to_memory() {
    if (in_memory())
        return;
    std::vector<std::byte> all(size_);
    read_exactly(file_, offset_, all);
    memory_ = std::move(all);
    file_ = -1;
}

void Region::fill_window(std::size_t at) {
    memory_.resize(std::min(window_size, size_ - at));
    window_at_ = at;
    try {
        read_exactly(file_, offset_ + at, memory_);
    } catch (...) {
        memory_.clear();
        throw;
    }
}

void Region::read(std::size_t at, std::span<std::byte> out) {
    if (!in_memory() && (at < window_at_ || at + out.size() > window_at_ + memory_.size()))
        fill_window(at);
    const std::size_t start = in_memory() ? at : at - window_at_;
    std::memcpy(out.data(), memory_.data() + start, out.size());
}

void Region::write(std::size_t at, std::span<const std::byte> data) {
    if (in_memory()) {
        std::memcpy(memory_.data() + at, data.data(), data.size());
        return;
    }
    write_exactly(file_, offset_ + at, data);
    const std::size_t first = std::max(at, window_at_);
    const std::size_t end = std::min(at + data.size(), window_at_ + memory_.size());
    if (first < end)
        std::memcpy(memory_.data() + (first - window_at_), data.data() + (first - at), end - first);
}

} // namespace host_local
