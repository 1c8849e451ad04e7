// SPDX-License-Identifier: Apache-2.0
#include "nftables/element.h"

#include <algorithm>
#include <iterator>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "nftables/element_message.h"
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
        request, os::cat("get element inet ", table.name, " ", set),
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

std::vector<std::uint8_t> wire::comment(std::string_view text) {
    constexpr std::size_t longest = 253; // the length byte counts the NUL, and user data ends at 256
    text = text.substr(0, longest);
    std::vector<std::uint8_t> bytes(2 + text.size() + 1);
    bytes[0] = comment_type;
    bytes[1] = static_cast<std::uint8_t>(text.size() + 1);
    std::ranges::copy(text, bytes.begin() + 2);
    return bytes;
}

std::string wire::comment_in(std::span<const std::uint8_t> userdata) {
    for (std::size_t at = 0; at + 2 <= userdata.size();) {
        const std::size_t size = userdata[at + 1];
        if (at + 2 + size > userdata.size())
            break;
        if (userdata[at] == comment_type) {
            std::string text(userdata.begin() + static_cast<std::ptrdiff_t>(at) + 2,
                             userdata.begin() + static_cast<std::ptrdiff_t>(at + 2 + size));
            if (const auto end = text.find('\0'); end != std::string::npos)
                text.resize(end);
            return text;
        }
        at += 2 + size;
    }
    return {};
}

bool same_place(const Element& a, const Element& b) {
    return a.set == b.set && a.key == b.key && a.key_end == b.key_end;
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
    std::ranges::stable_sort(order, [](const Element* a, const Element* b) { return is_before(*a, *b); });
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

namespace {

struct Listing {
    std::vector<Element> elements;
    std::size_t size = 0; ///< of the answer
};

Listing list_once(Socket& socket, const Table& table, const std::string& set) {
    wire::Buffer buffer;
    nlmsghdr* request = wire::elements_header(buffer, NFT_MSG_GETSETELEM, table, set, NLM_F_DUMP);
    Listing listing;
    const auto take = [&](const nlmsghdr* reply) {
        wire::read_elements(reply, set, listing.elements);
        listing.size += reply->nlmsg_len;
    };
    (void)socket.query(request, os::cat("list set inet ", table.name, " ", set), take, [&] { listing = {}; });
    return listing;
}

// A part of the answer has room for a page, and an element needs a quarter of that at the most: this is one part.
constexpr std::size_t surely_whole = 2048;
constexpr int most_listings = 10;

} // namespace

// The kernel answers in parts, and finds where the next one begins by counting elements. When others are removed
// meanwhile, or the set's hash table is resized, it leaves some out that were there all the time, without a word. Two
// answers that are the same are whole; where they never are, what one of them left out is in the next.
std::vector<Element> list(Socket& socket, const Table& table, const std::string& set) {
    Listing last = list_once(socket, table, set);
    std::vector<Element> earlier;
    bool is_same = false;
    for (int times = 1; last.size > surely_whole && !is_same && times < most_listings; ++times) {
        Listing next = list_once(socket, table, set);
        is_same = std::ranges::equal(last.elements, next.elements, same_place);
        if (!is_same)
            std::ranges::move(last.elements, std::back_inserter(earlier));
        last = std::move(next);
    }
    if (!is_same) {
        std::ranges::move(earlier, std::back_inserter(last.elements));
        keep_one_of_each(last.elements);
    }
    return std::move(last.elements);
}

} // namespace nft
