// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "nftables/subnets.h"
#include "nftables/transaction.h"

// Elements that belong to somebody: created exclusively, removed only by their owner.
namespace nft {

/// What creating elements does about a key that is taken: an element in the way is handed over with its owner;
/// true replaces it, false skips ours. To refuse, throw.
using OnTaken = std::function<bool(const Element& ours, const Element& theirs)>;

/// An element of somebody's that leaves no room for one of ours, though its key is another one: intervals that overlap,
/// or lie in two sets of which one shadows the other. The kernel finds no such thing across sets, and within one set
/// only when an end of ours is covered.
struct Overlap {
    Element ours, theirs;
};
using FindOverlaps = std::vector<Overlap> (*)(Socket&, const std::vector<Element>& elements);

/// Told of an element of ours that was skipped: what else is to be created may change with it, in the same batch.
using Instead = void (*)(const Element& ours, const Element& theirs, std::vector<Element>& missing);

/// Adds what else of the owner's is to go to what is being replaced, each once.
using AddOutdated = std::function<void(std::vector<Element>& replaced)>;

struct Wanted {
    const Fragment* fragment = nullptr;   ///< brought up to date when it is not there as it should be
    std::vector<SubnetRule> subnet_rules; ///< rules the elements rely on, one a subnet
    std::vector<Chain> chains;            ///< chains the elements jump to, made when missing
    std::vector<Element> elements;        ///< created exclusively
    /// Asked before every try. With an interval among the elements the kernel takes the batch only if nothing has
    /// changed since; else it is asked once more afterwards, and what it then finds of somebody else goes to
    /// `on_taken`, for that to throw: the elements are there by then.
    FindOverlaps find_overlaps = nullptr;
    Instead instead = nullptr;
    /// Asked once, when elements turn out to be the owner's own already. What it adds goes in the same batch.
    const AddOutdated* outdated = nullptr;
};

/// All of it in one batch. Elements that exist already with our owner and the same content are adopted; other content
/// of our own is replaced without asking.
void create_owned(Socket& socket, Wanted wanted, const OnTaken& on_taken);

/// Whether an element of this key is there and belongs to this one's owner.
[[nodiscard]] bool is_owned(Socket& socket, const Table& table, const Element& wanted);
/// Which of the given keys are there and belong to `owner`; the rest of the sets is never looked at.
[[nodiscard]] std::vector<Element> find_owned(Socket& socket, const Table& table, std::span<const Element> keys,
                                              const std::string& owner);

/// Removes what `find` finds (nothing twice) in one batch that the kernel refuses when anything changed since; then
/// it is asked again. Returns what was there.
using Find = std::function<std::vector<Element>()>;
std::vector<Element> remove_found(Socket& socket, const Table& table, const Find& find);
/// The same of what find_owned finds.
std::vector<Element> remove_owned(Socket& socket, const Table& table, std::vector<Element> keys,
                                  const std::string& owner);

using OwnerTest = std::function<bool(const std::string& owner)>;
/// Lists the sets in full and removes every element whose owner passes the test; goes on after an owner whose elements
/// cannot be removed, and throws the first error at the end. A kernel without nf_tables has none.
void remove_all_owned(Socket& socket, const Table& table, const std::vector<std::string>& sets, const OwnerTest& test);

} // namespace nft
