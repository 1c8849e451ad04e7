// SPDX-License-Identifier: Apache-2.0
// The lease index against plain models, under random operations, restarts, kills and damage.
#include "index.h"
#include "used_addresses.h"

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/text.h"

using namespace host_local;

namespace {

constexpr const char* boot = "8f1c6a55-3f4d-4b8e-9a57-3f7d0a6a1c11";
constexpr const char* index_file = "net.index";

inet::Address ip(std::string_view text) {
    return inet::Address::parse(text).value();
}

/// A directory that is gone afterwards, with the few files these tests put there.
struct Directory {
    std::string path = "/tmp/cnative-index-XXXXXX";
    os::Fd fd;

    Directory() {
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        fd = os::open_dir(path);
    }
    ~Directory() {
        for (const std::string& name : os::list_dir(fd))
            os::unlink_at(fd, name);
        ::rmdir(path.c_str());
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    os::Fd open() const { return os::Fd(::openat(fd.get(), index_file, O_RDWR | O_CLOEXEC)); }
    std::string content() const { return os::read_file_at(fd, index_file, std::size_t{1} << 26).value(); }
    void write(const std::string& content) const { os::rewrite_file_at(fd, index_file, content, 0600); }
};

struct Random {
    std::mt19937_64 engine;
    std::uint64_t below(std::uint64_t bound) { return engine() % bound; }
};

/// A few hundred addresses around places where carries happen, the ends of both address spaces included.
inet::Address any_address(Random& random) {
    static constexpr const char* bases[] = {
        "10.0.0.240", "10.0.255.200",         "255.255.255.190",
        "0.0.0.0",    "fd00::ffff:ffff:ffc0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffc0",
        "fd00::"};
    return *ip(bases[random.below(std::size(bases))]).plus(random.below(60));
}

std::optional<inet::Address> model_next_free(const std::set<inet::Address>& used, inet::Address at,
                                             const inet::Address& last) {
    while (used.count(at) > 0 && at != last)
        at = at.next().value();
    return used.count(at) > 0 ? std::nullopt : std::optional(at);
}

using Model = std::map<inet::Address, std::pair<std::string, bool>>; // address → owner, of an earlier boot

void check_equal(Index& index, const Model& model, Random& random) {
    CHECK(index.leases() == model.size());
    std::map<std::string, std::set<inet::Address>> by_owner;
    std::uint64_t nobodys = 0, earlier = 0;
    for (const auto& [address, lease] : model) {
        by_owner[lease.first].insert(address);
        nobodys += lease.first.empty() ? 1 : 0;
        earlier += lease.second ? 1 : 0;
    }
    CHECK(index.nobodys() == nobodys);
    CHECK(index.earlier_boot() == earlier);
    CHECK(index.earlier_boot_leases().size() == earlier);
    for (const auto& [owner, addresses] : by_owner) {
        std::set<inet::Address> found;
        for (const Lease& lease : index.leases_of(owner))
            found.insert(lease.address);
        if (!owner.empty())
            CHECK(found == addresses);
    }
    std::set<inet::Address> used;
    for (const auto& [address, lease] : model)
        used.insert(address);
    for (int i = 0; i < 20; ++i) {
        const inet::Address first = any_address(random);
        const inet::Address last = first.plus(random.below(80)).value_or(first);
        CHECK(index.next_free(first, last) == model_next_free(used, first, last));
    }
}

void change(Index& index, Model& model, Random& random, bool with_restart_bits) {
    const inet::Address address = any_address(random);
    if (const auto at = model.find(address); at != model.end()) {
        index.remove(at->second.first, address);
        model.erase(at);
        return;
    }
    const std::uint64_t who = random.below(40);
    const std::string owner = who == 0 ? "" : os::cat("c", who, "\r\neth0");
    const bool earlier = with_restart_bits && !owner.empty() && random.below(4) == 0;
    index.add(owner, {.address = address, .born = 7, .earlier_boot = earlier});
    model[address] = {owner, earlier};
}

/// What a Stamp looks like is nobody's business but stamp()'s.
Stamp stamp(std::int64_t n) {
    return {.device = 1, .inode = 2, .seconds = n, .nanoseconds = 3};
}

} // namespace

TEST_CASE("used addresses: the next free one is found through full levels of the tree") {
    UsedAddresses used;
    // A whole /15 less one address at the end: two levels of full nodes.
    inet::Address at = ip("10.4.0.0");
    for (std::uint32_t i = 0; i < (2U << 16) - 1; ++i, at = *at.next())
        REQUIRE(used.insert(at));
    CHECK(used.next_free(ip("10.4.0.0"), ip("10.5.255.255")) == ip("10.5.255.255"));
    CHECK(used.next_free(ip("10.4.3.7"), ip("10.255.0.0")) == ip("10.5.255.255"));
    CHECK_FALSE(used.next_free(ip("10.4.0.0"), ip("10.5.255.254")));
    CHECK(used.insert(ip("10.5.255.255")));
    CHECK(used.next_free(ip("10.4.0.0"), ip("10.255.0.0")) == ip("10.6.0.0"));
    CHECK(used.next_free(ip("10.3.255.255"), ip("10.255.0.0")) == ip("10.3.255.255"));

    CHECK(used.erase(ip("10.4.128.9")));
    CHECK_FALSE(used.erase(ip("10.4.128.9")));
    CHECK(used.next_free(ip("10.4.0.0"), ip("10.255.0.0")) == ip("10.4.128.9"));
    for (at = ip("10.4.0.0"); at <= ip("10.5.255.255"); at = *at.next())
        used.erase(at);
    CHECK(used.nodes().count() == 0);
}

TEST_CASE("used addresses: the ends of the address spaces") {
    UsedAddresses used;
    CHECK(used.next_free(ip("255.255.255.255"), ip("255.255.255.255")) == ip("255.255.255.255"));
    used.insert(ip("255.255.255.255"));
    CHECK_FALSE(used.next_free(ip("255.255.255.255"), ip("255.255.255.255")));
    const inet::Address last = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    for (inet::Address at = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fe00"); at != last; at = *at.next())
        used.insert(at);
    CHECK(used.next_free(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fe00"), last) == last);
    used.insert(last);
    CHECK_FALSE(used.next_free(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fe00"), last));
    CHECK(used.next_free(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fdff"), last));
}

TEST_CASE("index equals a model under random operations, saved and opened again in between") {
    const Directory directory;
    Random random{std::mt19937_64(20240711)};
    Model model;
    Index index(nullptr);
    for (std::int64_t round = 1; round <= 150; ++round) {
        index.begin_change();
        for (std::uint64_t i = random.below(80); i > 0; --i)
            change(index, model, random, true);
        check_equal(index, model, random);
        index.save(directory.fd, index_file, stamp(round), boot);
        if (random.below(3) > 0)
            index = Index::load(directory.open());
        CHECK(index.describes(stamp(round), boot));
        CHECK_FALSE(index.describes(stamp(round + 1), boot));
        CHECK_FALSE(index.describes(stamp(round), "another boot"));
        check_equal(index, model, random);
    }
}

TEST_CASE("index grows from a file and shrinks again") {
    const Directory directory;
    Index index(nullptr);
    index.save(directory.fd, index_file, stamp(1), boot);
    index = Index::load(directory.open());
    const inet::Address first = ip("fd00::1");
    for (std::uint64_t i = 0; i < 5000; ++i)
        index.add(os::cat("c", i, "\r\neth0"), {.address = *first.plus(i)});
    index.save(directory.fd, index_file, stamp(2), boot);
    CHECK(directory.content().size() > 8192 * sizeof(OwnerSlot));

    index = Index::load(directory.open());
    CHECK(index.next_free(first, ip("fd00::ffff:ffff")) == first.plus(5000));
    index.begin_change();
    for (std::uint64_t i = 0; i < 5000; ++i) {
        const auto leases = index.leases_of(os::cat("c", i, "\r\neth0"));
        REQUIRE(leases.size() == 1);
        CHECK(leases[0].address == first.plus(i));
        index.remove(os::cat("c", i, "\r\neth0"), leases[0].address);
    }
    CHECK(index.leases() == 0);
    CHECK(index.nobodys() == 0);
    CHECK(index.next_free(first, first) == first);
}

TEST_CASE("index: adding a lease again changes nothing") {
    Index index(nullptr);
    const Lease lease{.address = ip("10.1.2.3"), .earlier_boot = true};
    for (int i = 0; i < 3; ++i)
        index.add("c1\r\neth0", lease);
    CHECK(index.leases() == 1);
    CHECK(index.earlier_boot() == 1);
    index.remove("c1\r\neth0", lease.address);
    index.remove("c1\r\neth0", lease.address);
    CHECK(index.leases() == 0);
    CHECK(index.earlier_boot() == 0);
}

TEST_CASE("index: a process killed at any write leaves a file that is not believed") {
    const Directory directory;
    Random random{std::mt19937_64(7)};
    Model model;
    Index index(nullptr);
    for (int i = 0; i < 200; ++i)
        change(index, model, random, false);
    index.save(directory.fd, index_file, stamp(1), boot);

    for (int i = 0; i < 200; ++i) {
        const std::string before = directory.content();
        Index changing = Index::load(directory.open());
        changing.begin_change();
        Model copy = model;
        for (std::uint64_t steps = random.below(6); steps > 0; --steps)
            change(changing, copy, random, false);
        // Here it dies. The next one finds a file that loads or not, and that describes nothing.
        try {
            const Index found = Index::load(directory.open());
            CHECK_FALSE(found.describes(stamp(1), boot));
            CHECK_FALSE(found.describes({}, boot));
        } catch (const Unusable&) {
        }
        directory.write(before);
    }
}

TEST_CASE("index: what is not a whole index file of this format is refused") {
    const Directory directory;
    Index index(nullptr);
    for (std::uint64_t i = 0; i < 300; ++i)
        index.add(os::cat("c", i), {.address = *ip("10.0.0.1").plus(i)});
    index.save(directory.fd, index_file, stamp(1), boot);
    const std::string good = directory.content();
    REQUIRE_NOTHROW((void)Index::load(directory.open()));

    const auto refused = [&](const std::string& content) {
        directory.write(content);
        CHECK_THROWS_AS((void)Index::load(directory.open()), Unusable);
    };
    refused("");
    refused("garbage");
    refused(std::string(good.size(), '\0'));
    refused(std::string(good.size(), '\xff'));
    refused(good + '\0');
    refused(good.substr(0, good.size() - 1));
    refused(good.substr(0, 256));
    for (std::size_t at = 0; at < 192; ++at) { // the header: every byte counts
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x41);
        refused(bad);
    }
}

TEST_CASE("index: damage in a table is noticed where it is read") {
    const Directory directory;
    Index index(nullptr);
    for (std::uint64_t i = 0; i < 300; ++i)
        index.add(os::cat("c", i), {.address = *ip("10.0.0.1").plus(i)});
    index.save(directory.fd, index_file, stamp(1), boot);

    std::string bad = directory.content();
    for (std::size_t at = 256; at < bad.size(); ++at)
        bad[at] = static_cast<char>(bad[at] ^ (at % 8 == 2 ? 0x10 : 0));
    directory.write(bad);
    Index damaged = Index::load(directory.open());
    CHECK_THROWS_AS((void)damaged.leases_of("c17"), Unusable);
    CHECK_THROWS_AS((void)damaged.next_free(ip("10.0.0.1"), ip("10.0.9.1")), Unusable);
    CHECK_THROWS_AS(damaged.add("new", {.address = ip("10.0.0.200")}), Unusable);
}
