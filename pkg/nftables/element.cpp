// SPDX-License-Identifier: Apache-2.0
#include "nftables/element.h"

#include <algorithm>

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

/// Looks up keys of one set, up to the first that is not there: the kernel stops at that one.
void find_some(Socket& socket, const Table& table, std::span<const Element> keys,
               std::vector<std::optional<Element>>& found) {
    const std::string& set = keys.front().set;
    std::vector<char> items;
    for (const Element& key : keys) {
        wire::Buffer buffer;
        const auto item = wire::item(buffer, key, wire::Part::key);
        items.insert(items.end(), item.begin(), item.end());
    }
    wire::Buffer buffer;
    nlmsghdr* request =
        wire::elements_header(buffer, NFT_MSG_GETSETELEM, table, set, keys.size() > 1 ? NLM_F_ACK : 0);
    wire::put_list(request, items);
    std::vector<Element> answers;
    const bool all_there = socket.query(
        request, os::cat("get element inet ", table.name, " ", set),
        [&](const nlmsghdr* reply) { wire::read_elements(reply, set, answers); }, [&] { answers.clear(); });
    answers.resize(std::min(answers.size(), keys.size()));
    for (Element& answer : answers)
        found.emplace_back(std::move(answer));
    const std::size_t dealt_with = all_there ? keys.size() : std::min(answers.size() + 1, keys.size());
    found.resize(found.size() + dealt_with - answers.size());
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

std::optional<Element> find(Socket& socket, const Table& table, const std::string& set, const Bytes& key) {
    const Element wanted{.set = set, .key = key};
    return find_each(socket, table, {&wanted, 1}).front();
}

std::vector<std::optional<Element>> find_each(Socket& socket, const Table& table, std::span<const Element> keys) {
    std::vector<std::optional<Element>> found;
    found.reserve(keys.size());
    while (found.size() < keys.size()) {
        const auto rest = keys.subspan(found.size());
        const auto end = std::ranges::find_if(
            rest, [&](const Element& key) { return key.set != rest.front().set; });
        const auto same_set = static_cast<std::size_t>(end - rest.begin());
        find_some(socket, table, rest.first(std::min(same_set, most_keys)), found);
    }
    return found;
}

std::vector<Element> list(Socket& socket, const Table& table, const std::string& set) {
    wire::Buffer buffer;
    nlmsghdr* request = wire::elements_header(buffer, NFT_MSG_GETSETELEM, table, set, NLM_F_DUMP);
    std::vector<Element> found;
    (void)socket.query(
        request, os::cat("list set inet ", table.name, " ", set),
        [&](const nlmsghdr* reply) { wire::read_elements(reply, set, found); }, [&] { found.clear(); });
    return found;
}

} // namespace nft
