// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inet/address.h"
#include "inet/mac.h"
#include "netlink/bridge_vlan.h"
#include "netlink/traffic.h"
#include "netns/netns.h"
#include "os/error.h"

struct nl_sock;

namespace netlink {

/// A refused rtnetlink request: kernel errno, and the kernel's own words (extended ack) at the end of the text.
class Error : public os::Error {
  public:
    using os::Error::Error;
};

/// The request was sent and no answer came: it may have been carried out or not.
class Unanswered : public Error {
  public:
    using Error::Error;
};

enum class Index : int {};

/// What a link looks like; a copy, it does not follow the kernel.
struct Link {
    Index index{};
    std::string name, kind, alias; ///< kind "bridge", "veth", …; empty for physical ones and lo
    inet::Mac mac;
    unsigned flags = 0; ///< IFF_*
    unsigned mtu = 0;
    unsigned group = 0;          ///< IFLA_GROUP
    int master = 0;              ///< index of the bridge, 0 for none
    int peer = 0;                ///< IFLA_LINK: the peer's index in its own namespace
    bool peer_elsewhere = false; ///< which is another than the link's
    bool peer_dying = false;     ///< and is being taken down by the kernel
    unsigned promiscuity = 0;
    unsigned tx_queue_length = 0;
    int operstate = 0;       ///< IF_OPER_* of <linux/if.h>
    bool forwarding = false; ///< a bridge port whose frames the bridge takes (not with STP still listening)
    [[nodiscard]] bool is_up() const;
    [[nodiscard]] bool is_promisc() const;  ///< as somebody asked for it, not counting packet sockets
    [[nodiscard]] bool is_allmulti() const; ///< the same for all-multicast mode
};

struct BridgeSpec {
    std::string name;
    unsigned mtu = 0; ///< 0: the kernel's default
    inet::Mac mac;    ///< set at creation, so it never floats with the lowest port's
    bool vlan_filtering = false;
};

/// Both ends of a veth pair in one message: the peer is born in its namespace, no link is ever moved.
struct VethSpec {
    std::string host_name;
    std::string container_name;
    int master = 0; ///< 0: none
    unsigned mtu = 0;
    unsigned group = 0; ///< of the host end
    std::optional<inet::Mac> container_mac;
};

struct PortSettings {
    bool hairpin = false;
    bool isolated = false;
};

struct RouteSpec {
    inet::Prefix dst;
    std::optional<inet::Address> via;
    Index device{};
    std::int64_t mtu = 0, advmss = 0, priority = 0;
    std::optional<std::int64_t> table, scope;
};

/// A route as CHECK needs it.
struct Route {
    inet::Prefix dst;
    std::optional<inet::Address> via;
    int device = 0;
    unsigned table = 0, priority = 0, protocol = 0;
};

/// One NETLINK_ROUTE socket; it stays in the network namespace it was opened in, whatever the thread does later.
/// Every failure is a netlink::Error. Requests that answer "there is none" give an empty optional instead.
class Rtnl {
  public:
    Rtnl();
    [[nodiscard]] static Rtnl in(const netns::Netns& netns); ///< enters, opens, comes home
    Rtnl(Rtnl&&) noexcept;
    Rtnl& operator=(Rtnl&&) noexcept;
    ~Rtnl();

    [[nodiscard]] std::optional<Link> find_link(const std::string& name);
    [[nodiscard]] std::optional<Link> find_link(Index index);
    /// The other end of a veth of which both ends are in this namespace; empty for any other link.
    [[nodiscard]] std::optional<Link> find_other_end(const Link& veth);
    /// Every link (a dump: GC, CHECK and STATUS only).
    [[nodiscard]] std::vector<Link> links();
    [[nodiscard]] std::size_t count_ports(Index bridge);
    /// Whether the kernel can make links of this kind (STATUS; may load the module, makes nothing).
    [[nodiscard]] bool supports_kind(const std::string& kind);

    /// false: a link of that name exists already (EEXIST), whatever it is.
    [[nodiscard]] bool create_bridge(const BridgeSpec& spec);
    /// Created down on both ends. EEXIST and EXFULL (bridge full) come as Error with that err().
    void create_veth(const VethSpec& spec, const netns::Netns& peer);
    void create_veth(const VethSpec& spec); ///< both ends here
    /// An intermediate functional block: what is redirected to it passes its queue and comes back. Created up, without
    /// a queue of its own. false: a link of that name exists already.
    [[nodiscard]] bool create_ifb(const std::string& name, unsigned mtu, unsigned group = 0);
    /// false: was not there.
    bool delete_link(const std::string& name);
    bool delete_link(Index index);

    void set_up(Index index);
    void set_down(Index index);
    void set_promisc(Index index, bool on);
    void set_allmulti(Index index, bool on);
    void set_mtu(Index index, unsigned mtu);
    void set_master(Index index, Index master);
    void set_tx_queue_length(Index index, unsigned packets);
    void set_mac(Index index, const inet::Mac& mac);
    /// Alias, group 0 and, when `up`, IFF_UP, in one message.
    void set_alias(const std::string& name, const std::string& alias, bool up = false);
    /// Asks for no answer: for a mark as the last thing that a process does.
    void send_alias(const std::string& name, const std::string& alias);
    void set_port(Index index, const PortSettings& settings);

    /// Whether the kernel knows VLANs of bridges (may load the module, makes nothing).
    [[nodiscard]] bool supports_bridge_vlans();
    /// Nothing where the kernel knows no VLANs of bridges.
    [[nodiscard]] std::optional<BridgeVlans> bridge_vlans(Index bridge);
    /// In this order: the last word about a VLAN counts. One that is there gets the flags of now.
    void add_port_vlans(Index port, std::span<const PortVlan> vlans);
    void delete_port_vlan(Index port, std::uint16_t vlan); ///< absent is fine
    /// Nothing where the kernel cannot be asked about one port (before 5.6).
    [[nodiscard]] std::optional<std::vector<PortVlan>> port_vlans(Index port);

    [[nodiscard]] std::vector<inet::Prefix> addresses(Index index, inet::Family family);
    [[nodiscard]] std::vector<inet::Prefix> addresses(Index index); ///< of both families, in one request
    /// IPv6 addresses of the link that are still tentative / failed DAD.
    struct DadState {
        std::vector<inet::Address> tentative, failed;
    };
    [[nodiscard]] DadState dad_state(Index index);
    /// CREATE|EXCL; IPv4 shorter than /31 gets its broadcast address; `nodad` is IPv6's IFA_F_NODAD.
    void add_address(Index index, const inet::Prefix& address, bool nodad);
    bool delete_address(Index index, const inet::Prefix& address); ///< false: was not there

    /// CREATE only, as the Go suite: a second gateway for one destination is a second next hop.
    void add_route(const RouteSpec& spec);
    /// Routes of one family's main table (a dump: CHECK, and the moment IPv6 forwarding is switched on).
    [[nodiscard]] std::vector<Route> routes(inet::Family family);
    /// The device a packet to `address` would leave by, "lo" when it is local; nothing when unreachable.
    struct Lookup {
        Index device{};
        bool local = false;
    };
    [[nodiscard]] std::optional<Lookup> route_to(const inet::Address& address);

    /// Forgets what the host believes about an address, so that its new owner answers at once.
    void delete_neighbour(Index device, const inet::Address& address); ///< absent is fine

    // Traffic control. Adding what is there already is an Error with EEXIST.
    void add_tbf(Index link, const TokenBucket& bucket);       ///< handle 1:, on the way out
    void add_htb(Index link, std::uint16_t default_minor);     ///< the same
    void add_htb_class(Index link, const HtbClass& htb_class); ///< below 1:
    void add_fifo(Index link, Handle parent, const Fifo& fifo);
    void add_ingress(Index link);
    void add_filter(Index link, const Filter& filter);
    bool delete_qdisc(Index link, Handle parent); ///< false: was not there
    /// Nothing where there is only the kernel's own.
    [[nodiscard]] std::optional<Qdisc> find_qdisc(Index link, Handle parent);
    [[nodiscard]] std::vector<HtbClass> htb_classes(Index link);
    /// Those of kind u32.
    [[nodiscard]] std::vector<Filter> filters(Index link, Handle parent);
    /// Whether the kernel has this kind of discipline, of action (STATUS; may load the module, makes nothing).
    [[nodiscard]] bool supports_qdisc(const std::string& kind);
    [[nodiscard]] bool supports_action(const std::string& kind);

  private:
    struct Closer {
        void operator()(nl_sock* socket) const noexcept;
    };
    std::unique_ptr<nl_sock, Closer> socket_;
};

} // namespace netlink
