// SPDX-License-Identifier: Apache-2.0
// host-local's leases against a plain model: our calls, strangers' changes to the directory, reboots and lost indexes
// in any order, on small ranges that are nearly full most of the time.
#include "allocator.h"
#include "data_dir.h"
#include "index.h"
#include "store.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "cni/error.h"
#include "os/text.h"

using namespace host_local;

namespace {

constexpr const char* nothing_left = "exhausted";

/// The Go suite's way, one address after the other, and what we add: leases whose owner cannot be alive.
class Model {
  public:
    explicit Model(RangeSet set) : set_(std::move(set)) {}

    struct Lease {
        std::string owner;
        bool known = false; ///< our index has seen it
        bool dead = false;  ///< and a reboot since
    };
    std::map<inet::Address, Lease> leases;
    std::optional<inet::Address> cursor;

    std::string add(const Owner& owner) {
        look();
        for (const std::string& text : addresses_of(owner)) {
            const inet::Address address = inet::Address::parse(text).value();
            if (!set_.contains(address))
                continue;
            if (!is_dead(address))
                return text + " has been allocated to " + owner.container_id;
            leases.erase(address);
        }
        auto address = next_free();
        if (!address && give_up() > 0)
            address = next_free();
        return address ? take(*address, owner) : nothing_left;
    }
    std::string add(const Owner& owner, const inet::Address& address) {
        look();
        if (address == set_.range_of(address)->gateway)
            return "gateway";
        if (leases.count(address) > 0 && !is_dead(address))
            return "not available";
        return take(address, owner);
    }
    void del(const Owner& owner) {
        look();
        bool any = false;
        for (const std::string& text : {owner.text(), owner.legacy_text()})
            if (!any)
                any = std::erase_if(leases, [&](const auto& lease) { return lease.second.owner == text; }) > 0;
    }
    bool is_exhausted() {
        look();
        bool any_dead = false;
        for (const auto& [address, lease] : leases)
            any_dead = any_dead || (set_.contains(address) && is_dead(address));
        return !next_free() && !any_dead;
    }
    void reboot() {
        for (auto& [address, lease] : leases)
            lease.dead = lease.dead || (lease.known && !lease.owner.empty());
    }
    void lose_index() {
        for (auto& [address, lease] : leases)
            lease.known = lease.dead = false;
    }

  private:
    void look() {
        for (auto& [address, lease] : leases)
            lease.known = true;
    }
    bool is_dead(const inet::Address& address) { return leases[address].dead || leases[address].owner.empty(); }
    std::vector<std::string> addresses_of(const Owner& owner) const {
        std::vector<std::string> texts;
        for (const auto& [address, lease] : leases)
            if (lease.owner == owner.text() || lease.owner == owner.legacy_text())
                texts.push_back(address.text());
        std::sort(texts.begin(), texts.end());
        return texts;
    }
    std::string take(const inet::Address& address, const Owner& owner) {
        leases[address] = {.owner = owner.text(), .known = true};
        cursor = address;
        return address.text();
    }
    std::size_t give_up() {
        return std::erase_if(leases, [&](const auto& l) { return set_.contains(l.first) && is_dead(l.first); });
    }
    /// Candidates in order, gateways among them.
    std::vector<inet::Address> ring() const {
        std::vector<inet::Address> all;
        for (const Range& range : set_.ranges)
            for (inet::Address at = range.start;; at = at.next().value()) {
                all.push_back(at);
                if (at == range.end)
                    break;
            }
        const auto last = cursor ? std::find(all.begin(), all.end(), *cursor) : all.end();
        if (last != all.end())
            std::rotate(all.begin(), last + 1, all.end());
        return all;
    }
    std::optional<inet::Address> next_free() const {
        for (const inet::Address& address : ring())
            if (address != set_.range_of(address)->gateway && leases.count(address) == 0)
                return address;
        return std::nullopt;
    }

    RangeSet set_;
};

RangeSpec part(std::string_view subnet, std::string_view start, std::string_view end, std::string_view gateway) {
    return {.subnet = inet::Prefix::parse(subnet),
            .mapped_subnet = {},
            .start = inet::Address::parse(start),
            .end = inet::Address::parse(end),
            .gateway = inet::Address::parse(gateway)};
}

/// The shortest way to say how an ADD ended.
template <typename Action> std::string outcome(Action&& action) {
    try {
        return action();
    } catch (const cni::Error& error) {
        const std::string& text = error.message();
        if (text.starts_with("no IP addresses available"))
            return nothing_left;
        if (text.ends_with("is subnet's gateway"))
            return "gateway";
        if (text.find("is not available in range set") != text.npos)
            return "not available";
        return text.substr(0, text.find(", duplicate"));
    }
}

/// One step of ours, of a stranger, or of fate, on both.
class Walk {
  public:
    Walk(RangeSet set, std::uint64_t seed) : set_(set), model_(std::move(set)), random_(seed) {}

    void step() {
        const std::uint64_t kind = below(32);
        if (kind < 14)
            add();
        else if (kind < 17)
            add_requested();
        else if (kind < 22)
            del();
        else if (kind < 24)
            CHECK(is_exhausted(*data_.open(), set_) == model_.is_exhausted());
        else if (kind < 30)
            disturb(kind);
        else if (kind == 30)
            reboot();
        else
            lose_index();
        check_files();
    }

  private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    Owner any_owner() { return {os::cat("c", below(9)), below(3) == 0 ? "eth1" : "eth0"}; }
    inet::Address any_address() {
        const Range& range = set_.ranges[below(set_.ranges.size())];
        const auto address = range.start.plus(below(10));
        return address && range.contains(*address) ? *address : range.end;
    }

    void add() {
        const Owner owner = any_owner();
        CHECK(outcome([&] {
                  const auto store = data_.open();
                  const inet::Address address = reserve_next(*store, set_, 0, owner);
                  store->set_last_reserved(0, address);
                  return address.text();
              }) == model_.add(owner));
    }
    void add_requested() {
        const Owner owner = any_owner();
        const inet::Address address = any_address();
        CHECK(outcome([&] {
                  const auto store = data_.open();
                  reserve_requested(*store, set_, owner, address);
                  store->set_last_reserved(0, address);
                  return address.text();
              }) == model_.add(owner, address));
    }
    void del() {
        const Owner owner = any_owner();
        const auto store = data_.open();
        std::string text = owner.text();
        if (store->leases_of(text).empty())
            text = owner.legacy_text();
        for (const inet::Address& address : store->leases_of(text))
            store->release(address, text);
        model_.del(owner);
    }
    /// What the Go suite or an administrator does: adds, removes, replaces, moves the cursor.
    void disturb(std::uint64_t kind) {
        const inet::Address address = any_address();
        if (kind == 29) {
            data_.put("last_reserved_ip.0", address.text());
            model_.cursor = address;
            return;
        }
        if (model_.leases.erase(address) > 0)
            data_.remove(address.text());
        if (kind % 2 == 0)
            return;
        // Never the same again: file systems' clocks tick slowly, and then it would be the same file to anyone.
        const std::string name = os::cat("s", ++strangers_);
        const std::vector<std::string> contents = {"", name, name + "\r\neth0", " " + name + "\r\neth0\n", "c1"};
        const std::string& content = contents[below(contents.size())];
        data_.put(address.text(), content);
        model_.leases[address] = {.owner = std::string(os::trim(content))};
    }
    os::Fd index_dir() const { return os::make_dir_at(os::open_dir(data_.path), ".cnative", 0700); }
    void reboot() {
        const os::Fd dir = index_dir();
        os::Fd file(::openat(dir.get(), "net.index", O_RDWR | O_CLOEXEC));
        if (!file)
            return;
        Index::load(std::move(file)).save(dir, "net.index", {.device = 1}, "an-earlier-boot");
        model_.reboot();
    }
    void lose_index() {
        os::unlink_at(index_dir(), "net.index");
        model_.lose_index();
    }
    void check_files() const {
        std::map<inet::Address, std::string> files, wanted;
        const os::Fd dir = data_.network();
        for (const inet::Address& address : list_leases(dir))
            files[address] = read_lease(dir, address)->owner;
        for (const auto& [address, lease] : model_.leases)
            wanted[address] = lease.owner;
        CHECK(files == wanted);
        CHECK(data_.get("last_reserved_ip.0").value_or("") == (model_.cursor ? model_.cursor->text() : ""));
    }

    RangeSet set_;
    Model model_;
    std::mt19937_64 random_;
    DataDir data_;
    std::uint64_t strangers_ = 0;
};

} // namespace

TEST_CASE("store equals a model under our calls, strangers' changes, reboots and lost indexes") {
    const std::vector<RangeSet> sets = {
        complete_set({part("10.1.2.0/29", "10.1.2.1", "10.1.2.6", "10.1.2.1")}),
        complete_set({part("10.1.0.0/16", "10.1.2.252", "10.1.3.3", "10.1.3.0"),
                      part("10.2.0.0/30", "10.2.0.0", "10.2.0.3", "10.9.9.9")}),
        complete_set({part("255.255.255.248/29", "255.255.255.250", "255.255.255.255", "255.255.255.255")}),
        complete_set({part("fd00::/64", "fd00::fffc", "fd00::1:4", "fd00::1:0"),
                      part("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff8/125", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc",
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff9")})};
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const RangeSet& set = sets[seed % sets.size()];
        CAPTURE(set.text());
        CAPTURE(seed);
        Walk walk(set, seed);
        for (int i = 0; i < 250; ++i) {
            CAPTURE(i);
            walk.step();
        }
    }
}
