// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "inet/address.h"
#include "nftables/socket.h"

// What the Go suite (containernetworking/plugins) left for one attachment, from before this host was moved to ours:
//   table inet cni_plugins_masquerade: rules of masq_checks whose comment begins with H(network)-H(ifname:container)
//   table ip|ip6 cni_hostport: rules whose comment is the container ID
//   table ip|ip6 nat, by iptables-nft: chains CNI-… and CNI-DN-…, and the jumps to them
//   table ip|ip6 filter, by iptables-nft: the two rules of CNI-FORWARD for each of its addresses
//   table bridge nat: chains cni-br-iface-<container>-<ifname> and …-mac, and the jump to them
// What its containers share stays: others may still need it. Rules of iptables-legacy are no nf_tables objects and out
// of reach. When nothing is there, this costs one lookup for each of these places and changes nothing.
namespace nft {

/// iptables has one chain for all interfaces that a container has on a network: only the jumps of the `known` addresses
/// go, and the chain with the last of them. With no address known a jump goes when there is no other.
void remove_legacy_masquerade(Socket& socket, std::string_view network, std::string_view container_id,
                              std::string_view ifname, std::span<const inet::Address> known);
/// As there, the mappings of all of the container's interfaces on the network (by nftables: on all networks) are one.
void remove_legacy_portmap(Socket& socket, std::string_view network, std::string_view container_id);
/// iptables tell a container by its addresses alone.
void remove_legacy_firewall(Socket& socket, std::span<const inet::Address> addresses);
void remove_legacy_spoof_check(Socket& socket, std::string_view container_id, std::string_view ifname);

} // namespace nft
