// SPDX-License-Identifier: Apache-2.0
// What nf_tables answers: elements, rules, chains, the refusals of a batch. The first byte chooses the question.
#include <algorithm>
#include <array>
#include <vector>

#include <dlfcn.h>
#include <linux/netfilter.h>

#include "fuzz.h"
#include "nftables/accepted.h"
#include "nftables/foreign.h"
#include "nftables/ingress.h"
#include "nftables/iptables_forward.h"
#include "nftables/legacy.h"

namespace {

struct LibraryExit {};
bool in_target = false;

constexpr nft::Table table{NFPROTO_INET, "cnative"};

void ask(nft::Socket& socket, unsigned question) {
    const std::array addresses{inet::Address::any(inet::Family::v4), inet::Address::any(inet::Family::v6)};
    const auto any_owner = [](const std::string& owner) { return !owner.empty(); };
    switch (question % 14) {
    case 0:
        return void(nft::find(socket, table, "accepted4", nft::key_of(addresses[0])));
    case 1:
        return void(nft::list(socket, table, "accepted4"));
    case 2:
        return void(nft::list_rules(socket, table, "forward"));
    case 3:
        return void(nft::list_rules(socket, {NFPROTO_IPV6, "nat"}, ""));
    case 4:
        return void(nft::chain_uses(socket, table, "forward"));
    case 5:
        return void(socket.generation());
    case 6:
        return void(nft::find_accepted(socket, "net/c1/eth0", addresses));
    case 7:
        return nft::add_accepted(socket, "net/c1/eth0", addresses, true);
    case 8:
        return void(nft::missing_accepted(socket, "net/c1/eth0", addresses, true));
    case 9:
        return nft::let_through_iptables(socket, inet::Family::v4, "CNI-ADMIN");
    case 10:
        return nft::remove_legacy_masquerade(socket, "net", "c1", "eth0", addresses);
    case 11:
        return nft::remove_legacy_portmap(socket, "net", "c1");
    case 12:
        return nft::remove_legacy_firewall(socket, addresses);
    default:
        return nft::gc_ports(socket, any_owner);
    }
}

// The kernel never sends a jump without its chain, and libnftnl relies on that: such a verdict becomes "accept".
std::vector<std::uint8_t> with_whole_verdicts(fuzz::Bytes input) {
    std::vector<std::uint8_t> bytes(input.begin(), input.end());
    constexpr std::array<std::uint8_t, 7> code{8, 0, 1, 0, 0xff, 0xff, 0xff}; // NFTA_VERDICT_CODE, below -1
    for (auto at = bytes.begin(); (at = std::search(at, bytes.end(), code.begin(), code.end())) != bytes.end(); ++at) {
        const bool has_chain = bytes.end() - at > 12 && at[8] > 5 && at[9] == 0 && at[10] == 2 && at[11] == 0;
        if (!has_chain)
            std::fill(at + 4, std::min(at + 8, bytes.end()), std::uint8_t{0});
    }
    return bytes;
}

} // namespace

// libnftnl ends the process on an attribute of a size it does not know (a plugin then answers as after a crash). Its
// call comes here, as the executable's symbols go first.
// Attributes of other sizes than the kernel's make libnftnl crash: it trusts the kernel, so only values are changed.
static void fuzz_nftables(fuzz::Bytes input) {
    static nft::Socket socket;
    const unsigned question = fuzz::take_byte(input);
    const auto answers = with_whole_verdicts(input);
    fuzz::kernel_says(answers);
    in_target = true;
    try {
        fuzz::survive([&] { ask(socket, question); });
    } catch (const LibraryExit&) { // NOLINT(bugprone-empty-catch)
    }
    in_target = false;
}

static const fuzz::Target target_nftables("nftables", fuzz_nftables, true);

// Declared anew, because the C library's is noexcept.
[[noreturn]] void exit_of_library(int status) __asm__("exit");
void exit_of_library(int status) {
    if (in_target)
        throw LibraryExit();
    using Exit = void (*)(int);
    reinterpret_cast<Exit>(::dlsym(RTLD_NEXT, "exit"))(status);
    __builtin_unreachable();
}
