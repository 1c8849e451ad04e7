// SPDX-License-Identifier: Apache-2.0
// host-local: config, resolv.conf, and a data dir in which one file is anything.
#include <array>
#include <string>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "allocator.h"
#include "config.h"
#include "fuzz.h"
#include "os/file.h"
#include "resolv_conf.h"
#include "store.h"

namespace {

inet::Address ip(std::string_view text) {
    return inet::Address::parse(text).value();
}

// One directory a process, in memory; removed at its end.
class Directory {
  public:
    Directory() { fuzz::must(::mkdtemp(path_.data()) != nullptr, "there is a directory"); }
    ~Directory() {
        clear();
        for (const char* folder : {"/net", "/.cnative", ""})
            ::rmdir((path_ + folder).c_str());
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    void clear() const {
        for (const char* folder : {"/net", "/.cnative"}) {
            const os::Fd fd(::open((path_ + folder).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            if (!fd)
                continue;
            for (const std::string& file : os::list_dir(fd))
                ::unlinkat(fd.get(), file.c_str(), 0);
        }
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_ = "/dev/shm/cnative-fuzz-XXXXXX";
};

} // namespace

FUZZ_TARGET(host_local) {
    fuzz::survive([&] {
        const cni::Invocation call = fuzz::call_of(input);
        (void)host_local::data_dir_leniently(call);
        const auto config = host_local::read_config(call);
        for (const auto& set : config.sets) {
            fuzz::must(!set.ranges.empty(), "no range set is empty");
            (void)set.text();
            for (const auto& range : set.ranges)
                fuzz::must(range.start <= range.end && range.contains(range.end), "a range has its ends");
            (void)host_local::round_robin(set, set.ranges.front().start);
        }
    });
}

FUZZ_TARGET(resolv_conf) {
    (void)host_local::parse_resolv_conf(fuzz::text_of(input));
}

FUZZ_TARGET(lease) {
    static const Directory directory;
    constexpr std::array<const char*, 4> names{"10.1.0.2", "last_reserved_ip.0", "fd00::2", "lock"};
    const unsigned choice = fuzz::take_byte(input);
    directory.clear();
    (void)host_local::address_of(fuzz::text_of(input));
    const os::Fd folder = os::make_dirs(directory.path() + "/net", 0755);
    os::rewrite_file_at(folder, names[choice % names.size()], fuzz::text_of(input), 0600);
    fuzz::survive([&] {
        const auto set = host_local::complete_set({{.subnet = inet::Prefix::parse("10.1.0.0/29"),
                                                    .mapped_subnet = {},
                                                    .start = {},
                                                    .end = {},
                                                    .gateway = {}}});
        const auto store = host_local::Store::open(directory.path(), "net");
        const host_local::Owner owner{.container_id = "c1", .ifname = "eth0"};
        (void)store->leases_of(owner.text());
        if (const auto lease = store->lease(ip("10.1.0.2")))
            (void)host_local::describe_owner(lease->owner);
        fuzz::survive([&] { (void)host_local::reserve_next(*store, set, 0, owner); });
        (void)store->give_up_dead(set);
    });
}
