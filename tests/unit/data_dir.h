// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/file.h"
#include "store.h"

namespace host_local {

/// A data directory of its own, gone afterwards.
struct DataDir {
    std::string path = "/tmp/cnative-leases-XXXXXX";

    DataDir() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
    ~DataDir() {
        for (const char* dir : {"/net", "/.cnative", ""}) {
            const std::string name = path + dir;
            if (const os::Fd fd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); fd)
                for (const std::string& file : os::list_dir(fd))
                    ::unlinkat(fd.get(), file.c_str(), 0);
            ::rmdir(name.c_str());
        }
    }
    DataDir(const DataDir&) = delete;
    DataDir& operator=(const DataDir&) = delete;

    std::unique_ptr<Store> open() const { return Store::open(path, "net"); }
    os::Fd network() const { return os::make_dirs(path + "/net", 0755); }
    void put(const std::string& name, std::string_view content) const {
        os::rewrite_file_at(network(), name, content, 0600);
    }
    std::optional<std::string> get(const std::string& name) const { return os::read_file_at(network(), name, 4096); }
    void remove(const std::string& name) const { os::unlink_at(network(), name); }
};

} // namespace host_local
