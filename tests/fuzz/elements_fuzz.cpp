// SPDX-License-Identifier: Apache-2.0
// What nf_tables answers about elements, many of them: any bytes, framing included. The first byte chooses the
// question.
#include <array>
#include <vector>

#include <linux/netfilter.h>

#include "fuzz.h"
#include "nftables/ingress.h"
#include "nftables/owned.h"

namespace {

constexpr nft::Table table{NFPROTO_INET, "cnative"};

// More than one message asks about.
std::vector<nft::Element> many_keys() {
    std::vector<nft::Element> keys;
    for (std::uint16_t port = 0; port < 40; ++port) {
        nft::Element key{.set = port < 35 ? "hostports4" : "hostports6"};
        nft::append_proto(key.key, 6);
        nft::append_port(key.key, port);
        keys.push_back(std::move(key));
    }
    return keys;
}

void ask(nft::Socket& socket, unsigned question) {
    switch (question % 6) {
    case 0:
        return void(nft::find(socket, table, "accepted4", nft::key_of(inet::Address::any(inet::Family::v4))));
    case 1:
        return nft::find_each(socket, table, many_keys(), [](std::size_t at, nft::Element& found) {
            fuzz::must(at < 40, "an answer is one to a key that was asked for");
            fuzz::must(found.key.size() <= nft::Bytes::capacity, "a key is no longer than the kernel takes");
        });
    case 2:
        return void(nft::list(socket, table, "accepted4"));
    case 3:
        return void(nft::remove_owned(socket, table, many_keys(), "net/c1/eth0"));
    case 4:
        return void(nft::set_sizes(socket, table));
    default:
        return nft::gc_ports(socket, [](const std::string& owner) { return !owner.empty(); });
    }
}

} // namespace

FUZZ_TARGET(elements) {
    static nft::Socket socket;
    const unsigned question = fuzz::take_byte(input);
    fuzz::kernel_says(input);
    fuzz::survive([&] { ask(socket, question); });
}
