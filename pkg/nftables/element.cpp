// SPDX-License-Identifier: Apache-2.0
#include "nftables/element.h"

#include <algorithm>
#include <iterator>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nftables/element_message.h"
#include "os/hash.h"
#include "os/netlink_attribute.h"
#include "os/sha512.h"
#include "os/text.h"

namespace nft {

namespace {

void pad(Bytes& bytes) {
    bytes.resize((bytes.size() + 3) / 4 * 4);
}

// A look-up is answered with a message for each key, and all of them must find room in the socket's buffer, which
// is 208 KiB unless the administrator says otherwise; a message takes 4 KiB at the most.
constexpr std::size_t most_keys = 32;

/// Looks up keys of one set, up to the first that is not there: the kernel stops there. Returns how many are done with.
std::size_t find_some(Socket& socket, const Table& table, std::span<const Element> keys,
                      std::vector<Element>& answers) {
    const std::string& set = keys.front().set;
    std::vector<char> items;
    items.reserve(keys.size() * 2 * Bytes::capacity);
    for (const Element& key : keys) {
        wire::Buffer buffer;
        const auto item = wire::item(buffer, key, wire::Part::key);
        items.insert(items.end(), item.begin(), item.end());
    }
    wire::Buffer buffer;
    nlmsghdr* request = wire::elements_header(buffer, NFT_MSG_GETSETELEM, table, set, keys.size() > 1 ? NLM_F_ACK : 0);
    wire::put_list(request, items);
    const bool all_there = socket.query(
        request, os::cat("get element ", table_text(table), " ", set),
        [&](const nlmsghdr* reply) { wire::read_elements(reply, set, answers); }, [&] { answers.clear(); });
    answers.resize(std::min(answers.size(), keys.size()));
    return all_there ? keys.size() : std::min(answers.size() + 1, keys.size());
}

} // namespace

void append_address(Bytes& bytes, const inet::Address& address) {
    bytes.append(address.bytes());
}

void append_proto(Bytes& bytes, std::uint8_t protocol) {
    bytes.push_back(protocol);
    pad(bytes);
}

void append_port(Bytes& bytes, std::uint16_t port) {
    bytes.push_back(static_cast<std::uint8_t>(port >> 8));
    bytes.push_back(static_cast<std::uint8_t>(port & 0xff));
    pad(bytes);
}

void append_mac(Bytes& bytes, const inet::Mac& mac) {
    bytes.append(mac.bytes);
    pad(bytes);
}

void append_ifname(Bytes& bytes, std::string_view name) {
    constexpr std::size_t size = 16; // IFNAMSIZ
    const std::size_t start = bytes.size();
    for (const char c : name.substr(0, size - 1))
        bytes.push_back(static_cast<std::uint8_t>(c));
    bytes.resize(start + size);
}

void append_mark(Bytes& bytes, std::uint32_t mark) {
    bytes.append({reinterpret_cast<const std::uint8_t*>(&mark), sizeof mark});
}

Bytes key_of(const inet::Address& address) {
    return Bytes(address.bytes());
}

Bytes key_of_owner(std::string_view owner) {
    const std::uint64_t hash = os::sha512_start(owner);
    Bytes key;
    append_mark(key, static_cast<std::uint32_t>(hash >> 32));
    append_mark(key, static_cast<std::uint32_t>(hash));
    return key;
}

std::string_view wire::comment_in(std::span<const std::uint8_t> userdata) {
    for (std::size_t at = 0; at + 2 <= userdata.size();) {
        const std::size_t size = userdata[at + 1];
        if (at + 2 + size > userdata.size())
            break;
        if (userdata[at] == comment_type) {
            return os::text_in(userdata.subspan(at + 2, size));
        }
        at += 2 + size;
    }
    return {};
}

bool same_place(const Element& a, const Element& b) {
    return a.set == b.set && a.key == b.key && a.key_end == b.key_end;
}

bool contains(const std::vector<Element>& elements, const Element& wanted) {
    return std::ranges::any_of(elements, [&](const Element& e) { return same_place(e, wanted); });
}

namespace {

bool is_before(const Element& a, const Element& b) {
    return a.set == b.set ? a.key < b.key : a.set < b.set;
}

/// Each set's elements beside each other and in the order of their keys: that is how most come.
bool is_tidy(const std::vector<Element>& elements) {
    std::vector<const std::string*> sets;
    for (auto each = elements.begin(); each != elements.end(); ++each) {
        if (!sets.empty() && *sets.back() == each->set) {
            if (!(std::prev(each)->key < each->key))
                return false;
        } else if (std::ranges::any_of(sets, [&](const std::string* set) { return *set == each->set; })) {
            return false;
        } else {
            sets.push_back(&each->set);
        }
    }
    return true;
}

} // namespace

void keep_one_of_each(std::vector<Element>& elements) {
    if (is_tidy(elements))
        return;
    std::vector<Element*> order; // elements are large
    order.reserve(elements.size());
    for (Element& element : elements)
        order.push_back(&element);
    std::ranges::sort(order, [](const Element* a, const Element* b) { // equal ones stay in their order
        return is_before(*a, *b) || (!is_before(*b, *a) && a < b);
    });
    const auto is_same = [](const Element* a, const Element* b) { return same_place(*a, *b); };
    order.erase(std::unique(order.begin(), order.end(), is_same), order.end());
    std::vector<Element> kept;
    kept.reserve(order.size());
    for (Element* element : order)
        kept.push_back(std::move(*element));
    elements = std::move(kept);
}

std::optional<Element> find(Socket& socket, const Table& table, const std::string& set, const Bytes& key) {
    const Element wanted{.set = set, .key = key};
    std::optional<Element> found;
    find_each(socket, table, {&wanted, 1}, [&](std::size_t, Element& element) { found = std::move(element); });
    return found;
}

void find_each(Socket& socket, const Table& table, std::span<const Element> keys, const OnFound& on_found) {
    std::vector<Element> answers;
    for (std::size_t at = 0; at < keys.size();) {
        const auto rest = keys.subspan(at, std::min(most_keys, keys.size() - at));
        const auto other = std::ranges::find_if(rest, [&](const Element& key) { return key.set != rest.front().set; });
        const auto tried =
            find_some(socket, table, rest.first(static_cast<std::size_t>(other - rest.begin())), answers);
        for (std::size_t i = 0; i < answers.size(); ++i)
            on_found(at + i, answers[i]);
        at += tried;
    }
}

std::size_t append_list(Socket& socket, const Table& table, const std::string& set, std::vector<Element>& elements) {
    wire::Buffer buffer;
    nlmsghdr* request = wire::elements_header(buffer, NFT_MSG_GETSETELEM, table, set, NLM_F_DUMP);
    const std::size_t before = elements.size();
    std::size_t size = 0;
    const auto take = [&](const nlmsghdr* reply) {
        wire::read_elements(reply, set, elements);
        size += reply->nlmsg_len;
    };
    const auto restart = [&] {
        elements.resize(before);
        size = 0;
    };
    (void)socket.query(request, os::cat("list set ", table_text(table), " ", set), take, restart);
    return size;
}

std::vector<Element> list(Socket& socket, const Table& table, const std::string& set) {
    // A part of an answer has room for a page, and an element needs a quarter of that at the most: this is one part.
    constexpr std::size_t surely_one_part = 2048;
    constexpr std::size_t most_answers = 10;
    std::vector<Element> found;
    for (std::size_t times = 1, before = 0; times <= most_answers; ++times) {
        const std::size_t start = found.size();
        const std::size_t size = append_list(socket, table, set, found);
        const auto previous = std::span(found).subspan(before, start - before),
                   latest = std::span(found).subspan(start);
        if (has_each_once(latest) && (size <= surely_one_part || std::ranges::equal(previous, latest, same_place))) {
            found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(start));
            return found;
        }
        before = start;
    }
    // What one answer left out is in another. Of what is there twice the latest stays.
    std::ranges::reverse(found);
    keep_one_of_each(found);
    return found;
}

std::map<std::string, std::size_t> set_sizes(Socket& socket, const Table& table) {
    constexpr int count = 20; // NFTA_SET_COUNT, newer than the headers of Debian 12
    wire::Buffer buffer;
    nlmsghdr* request = wire::header(buffer, NFT_MSG_GETSET, table.family, NLM_F_DUMP);
    mnl_attr_put_strz(request, NFTA_SET_TABLE, std::string(table.name).c_str());
    std::map<std::string, std::size_t> sizes;
    const auto read = [&](const nlmsghdr* reply) {
        const os::Payload set = os::attributes_of(reply, sizeof(nfgenmsg));
        const auto size = os::number_in<std::uint32_t>(os::attribute_in(set, count));
        if (size && os::text_in(os::attribute_in(set, NFTA_SET_TABLE)) == table.name)
            sizes.emplace(os::text_in(os::attribute_in(set, NFTA_SET_NAME)), *size);
    };
    (void)socket.query(request, os::cat("list sets ", table_text(table)), read, [&] { sizes.clear(); });
    return sizes;
}

bool has_each_once(std::span<const Element> elements) {
    std::vector<std::uint64_t> hashes; // of two that are not the same they are as good as never equal
    hashes.reserve(elements.size());
    for (const Element& element : elements)
        hashes.push_back(os::hash_bytes(std::as_bytes(std::span(element.key)), element.key_end.empty() ? 0 : 1));
    std::ranges::sort(hashes);
    return std::ranges::adjacent_find(hashes) == hashes.end();
}

} // namespace nft
