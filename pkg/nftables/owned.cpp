// SPDX-License-Identifier: Apache-2.0
#include "nftables/owned.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <utility>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "nftables/wire.h"
#include "os/text.h"

namespace nft {

namespace {

// Another change between look and commit sends us back to looking; that many in a row do not happen by chance.
constexpr int most_tries = 10;
// Where the whole ruleset must rest, any ADD or DEL beside ours sends us back; but then that one got further.
constexpr int most_restarts = 1000;
// Of a removal, which must come to an end.
constexpr int most_guarded = 100;

// What one try puts into its batch, as the ruleset is now.
class Attempt {
  public:
    Attempt(Socket& socket, const Wanted& wanted) : socket_(socket), wanted_(wanted) {}

    // `anew`: something we relied upon was not there at the last commit.
    void build(Transaction& batch, bool anew, const std::vector<Element>& replaced,
               const std::vector<Element>& missing) {
        const Fragment& fragment = *wanted_.fragment;
        const Schema schema = schema_of(socket_, fragment);
        if (anew || schema != Schema::current)
            batch.add(fragment, schema != Schema::absent);
        for (const SubnetRule& rule : wanted_.subnet_rules)
            add_if_missing(socket_, fragment.table, rule, batch);
        for (const Chain& chain : wanted_.chains) {
            if (anew || !chain_exists(socket_, fragment.table, chain.name))
                batch.add(chain);
        }
        for (const Element& element : replaced)
            batch.remove(element);
        for (const Element& element : missing)
            batch.create(element);
    }

  private:
    Socket& socket_;
    const Wanted& wanted_;
};

bool is_interval(const Element& element) {
    return !element.key_end.empty();
}

// What stays in the way although something else is to be had instead, and what was missing before that was known.
struct Yielded {
    std::vector<Element> to, missing;
};

// Sorts out what is in the way: ours as it should be is dropped from `missing`, what may be replaced goes to
// `replaced`, what we yield to is noted. When any is ours, what is outdated goes there as well.
void settle(const std::vector<Overlap>& overlaps, const OnTaken& on_taken, std::vector<Element>& replaced,
            Yielded& yielded, Wanted& wanted) {
    std::vector<Element>& missing = wanted.elements;
    bool any_own = false;
    for (const auto& [ours, theirs] : overlaps) {
        const auto place =
            std::ranges::find_if(missing, [&ours = ours](const Element& e) { return same_place(e, ours); });
        if (place == missing.end() || contains(replaced, theirs))
            continue; // settled before, or a ledger entry: the next look finds it
        const bool own = theirs.owner == ours.owner;
        any_own = any_own || own;
        if (own && same_place(ours, theirs) && theirs.data == ours.data && theirs.jump == ours.jump &&
            theirs.note == ours.note)
            missing.erase(place);
        else if (own || on_taken(ours, theirs))
            replaced.push_back(theirs);
        else {
            if (wanted.instead != nullptr && yielded.to.empty())
                yielded.missing = missing;
            missing.erase(place);
            if (wanted.instead != nullptr) {
                wanted.instead(ours, theirs, missing);
                yielded.to.push_back(theirs);
            }
        }
    }
    if (any_own && wanted.outdated != nullptr)
        (*std::exchange(wanted.outdated, nullptr))(replaced);
}

std::vector<Overlap> overlaps_of(Socket& socket, const Wanted& wanted, const std::vector<Element>& elements) {
    return wanted.find_overlaps != nullptr ? wanted.find_overlaps(socket, elements) : std::vector<Overlap>();
}

// An interval that came between look and commit cannot have seen our elements, so it is ours to give way.
void refuse_late_overlaps(const std::vector<Overlap>& overlaps, const OnTaken& on_taken) {
    for (const auto& [ours, theirs] : overlaps) {
        if (theirs.owner != ours.owner)
            (void)on_taken(ours, theirs);
    }
}

std::vector<Overlap> holders(Socket& socket, const Wanted& wanted, const std::vector<Element>& taken) {
    std::vector<Overlap> found;
    find_each(socket, wanted.fragment->table, taken, [&](std::size_t at, Element& theirs) {
        found.push_back({.ours = taken[at], .theirs = std::move(theirs)});
    });
    return found;
}

// Of these keys what belongs to the owner; without one to the owner of each.
std::vector<Element> find_of(Socket& socket, const Table& table, std::span<const Element> keys,
                             const std::string* owner) {
    std::vector<Element> owned;
    owned.reserve(keys.size());
    find_each(socket, table, keys, [&](std::size_t at, Element& found) {
        if (found.owner == (owner != nullptr ? *owner : keys[at].owner) && same_place(found, keys[at]))
            owned.push_back(std::move(found));
    });
    return owned;
}

// What is to be replaced must still be what was asked about.
std::vector<Element> still_there(Socket& socket, const Table& table, const std::vector<Element>& elements) {
    return find_of(socket, table, elements, nullptr);
}

} // namespace

Schema schema_of(Socket& socket, const Fragment& fragment) {
    Bytes key;
    append_ifname(key, fragment.name);
    const auto entry = find(socket, fragment.table, "schema", key);
    if (!entry)
        return Schema::absent;
    Bytes hash;
    append_mark(hash, fragment.hash());
    return entry->data == hash ? Schema::current : Schema::other;
}

void create_owned(Socket& socket, Wanted wanted, const OnTaken& on_taken) {
    std::vector<Element>& missing = wanted.elements;
    std::vector<Element> replaced;
    Yielded yielded;
    const bool intervals = std::ranges::any_of(missing, is_interval);
    bool anew = false;
    for (int tries = 0, restarts = 0;;) {
        const bool guarded = intervals || !replaced.empty() || !yielded.to.empty();
        const std::uint32_t generation = guarded ? socket.generation() : 0;
        replaced = still_there(socket, wanted.fragment->table, replaced);
        if (still_there(socket, wanted.fragment->table, yielded.to).size() != yielded.to.size())
            missing = std::exchange(yielded, {}).missing; // nobody is there to yield to
        settle(overlaps_of(socket, wanted, missing), on_taken, replaced, yielded, wanted);
        if (!guarded && !(replaced.empty() && yielded.to.empty()))
            continue; // this time with a generation
        Transaction batch(socket, wanted.fragment->table);
        Attempt(socket, wanted).build(batch, anew, replaced, missing);
        if (batch.empty())
            return;
        if (guarded)
            batch.only_if_generation(generation);
        try {
            batch.commit();
            break;
        } catch (const Error& error) {
            const bool restart = error.err() == ERESTART;
            const bool again = restart || error.err() == ENOENT || error.err() == EEXIST || error.err() == EBUSY;
            if (!again || (restart ? ++restarts >= most_restarts : ++tries >= most_tries))
                throw;
            anew = anew || error.err() == ENOENT;
        }
        settle(holders(socket, wanted, batch.taken()), on_taken, replaced, yielded, wanted);
    }
    if (!intervals)
        refuse_late_overlaps(overlaps_of(socket, wanted, missing), on_taken);
}

bool is_owned(Socket& socket, const Table& table, const Element& wanted) {
    const auto found = find(socket, table, wanted.set, wanted.key);
    return found && found->owner == wanted.owner;
}

std::vector<Element> find_owned(Socket& socket, const Table& table, std::span<const Element> keys,
                                const std::string& owner) {
    return find_of(socket, table, keys, &owner);
}

std::vector<Element> remove_found(Socket& socket, const Table& table, const Find& find) {
    for (int tries = 1;; ++tries) {
        const std::uint32_t generation = socket.generation();
        std::vector<Element> found = find();
        if (found.empty())
            return {};
        Transaction batch(socket, table);
        for (const Element& element : found)
            batch.remove(element);
        // On a host whose ruleset never rests the last tries go without: the owner was ours a moment ago.
        if (tries <= most_guarded)
            batch.only_if_generation(generation);
        try {
            batch.commit();
            return found;
        } catch (const Error& error) {
            if ((error.err() != ERESTART && error.err() != ENOENT) || tries == most_guarded + most_tries)
                throw;
        }
    }
}

std::vector<Element> remove_owned(Socket& socket, const Table& table, std::vector<Element> keys,
                                  const std::string& owner) {
    // Removing an element twice fails the batch, and a dump may list one twice: the kernel starts over when it resizes
    // a set's hash table under it.
    keep_one_of_each(keys);
    if (keys.empty())
        return {};
    return remove_found(socket, table, [&] { return find_owned(socket, table, keys, owner); });
}

void remove_all_owned(Socket& socket, const Table& table, const std::vector<std::string>& sets, const OwnerTest& test) {
    std::map<std::string, std::vector<Element>> by_owner;
    where_supported([&] {
        for (const std::string& set : sets) {
            for (Element& element : list(socket, table, set)) {
                if (test(element.owner))
                    by_owner[element.owner].push_back(std::move(element));
            }
        }
    });
    std::exception_ptr first;
    for (auto& [owner, elements] : by_owner) {
        try {
            (void)remove_owned(socket, table, std::move(elements), owner);
        } catch (const Error&) {
            first = first ? first : std::current_exception();
        }
    }
    if (first)
        std::rethrow_exception(first);
}

} // namespace nft
