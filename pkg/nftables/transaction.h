// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nftables/element.h"
#include "nftables/ruleset.h"
#include "nftables/socket.h"

struct nlmsghdr;

namespace nft::wire {
struct Buffer;
}

namespace nft {

/// One atomic batch on one table: all of it happens or nothing. Operations are recorded, and sent by commit().
class Transaction {
  public:
    Transaction(Socket& socket, const Table& table) : socket_(&socket), table_(table) {}

    Transaction& add(const Set& set);
    /// The chain, flushed and filled again (unless it keeps its rules).
    Transaction& add(const Chain& chain);
    Transaction& add(const Rule& rule);
    Transaction& insert(const Rule& rule); ///< as the chain's first
    Transaction& add_table();
    /// Everything of a fragment, and its entry in the schema map.
    Transaction& add(const Fragment& fragment, bool schema_known);
    /// EEXIST when the key is taken, whoever has it.
    Transaction& create(const Element& element);
    Transaction& put(const Element& element);    ///< fine when the very same element is there
    Transaction& remove(const Element& element); ///< by key; ENOENT when it is not there
    Transaction& remove_rule(const std::string& chain, std::uint64_t handle);
    Transaction& flush_chain(const std::string& name);
    Transaction& remove_chain(const std::string& name);
    /// The kernel takes the batch only while the ruleset is as it was when this generation number was read;
    /// else commit() throws ERESTART and nothing has changed.
    void only_if_generation(std::uint32_t generation) { generation_ = generation; }

    [[nodiscard]] bool empty() const { return operations_.empty(); }
    /// Throws Error with the kernel's errno; what() names the operation in nft's words.
    void commit();
    /// The batch as nft text, one operation a line.
    [[nodiscard]] std::string text() const;
    /// After a failed commit(): elements of create() of which some were refused because their key is taken; the
    /// kernel tells that of a message, and neighbours that go into one set share theirs.
    [[nodiscard]] const std::vector<Element>& taken() const { return taken_; }

  private:
    struct Operation {
        std::string text;
        std::uint16_t type;
        std::uint16_t flags;
        std::function<void(nlmsghdr*)> build;
        // Of elements, in place of `build` and of the end of `text`:
        std::string set{};
        std::vector<char> items{}; ///< as they go into the message
        [[nodiscard]] std::vector<Element> elements() const;
    };
    Transaction& record(std::string_view verb, int type, int flags, const Element& element);
    [[nodiscard]] static std::string text_of(const Operation& operation);
    nlmsghdr* build(const Operation& operation, wire::Buffer& buffer) const;
    void record(std::string text, int type, int flags, std::function<void(nlmsghdr*)> build);
    Transaction& put(std::string_view verb, const Rule& rule, int flags);

    Socket* socket_;
    Table table_;
    std::vector<Operation> operations_;
    std::optional<std::uint32_t> generation_;
    std::vector<Element> taken_;
};

} // namespace nft
