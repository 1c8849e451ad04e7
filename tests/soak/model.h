// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "call.h"

// What there should be. An attachment belongs to one worker, as a runtime never makes two calls for one container at
// once; addresses and host ports are everybody's.
namespace soak {

using nlohmann::json;

/// Many calls at once, or one GC or audit alone, as the specification wants it; whoever waits to be alone is not
/// overtaken.
class Gate {
  public:
    void lock_shared();
    void unlock_shared();
    void lock();
    void unlock();

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int inside_ = 0, waiting_ = 0;
    bool alone_ = false;
};

struct Network;
struct Attachment;

/// absent: nothing is there. held: the runtime has a result. unknown: a call was killed or failed halfway; there may
/// be something, until a DEL or a GC that works.
enum class State { absent, held, unknown };

/// Ports of the host beside each other, in one mapping; none: first is 0.
struct Ports {
    int first = 0, last = 0;
    bool operator==(const Ports&) const = default;
};

struct Attachment {
    Network* network = nullptr;
    Attachment* companion = nullptr; ///< of the same container on another network
    std::string id, netns, ifname = "eth0";
    State state = State::absent;
    bool maybe_finished = false;        ///< unknown, and bridge may have answered: it may refuse another ADD
    std::vector<std::string> addresses; ///< while held
    Ports port;                         ///< while held
    std::set<int> ports;                ///< that it may have
    json result;                        ///< while held
    long flushes = 0;                   ///< of the ruleset, when its ADD began
    int private_port = 0;               ///< on a contested network: this port and the four behind it are its own
    bool listed = false;                ///< on a contested network: a GC that begins now spares it
    std::deque<std::string> history;

    [[nodiscard]] std::string lease_text() const { return id + "\r\n" + ifname; }
    [[nodiscard]] std::string owner() const;
};

struct Network {
    std::string name;
    json config;              ///< host-local's, or bridge's
    json portmap;             ///< null: host-local alone
    std::vector<json> behind; ///< further plugins of a chain, in their order
    std::string policy;       ///< firewall's; empty: the chain has none
    std::size_t sets = 1;     ///< range sets: addresses a lease has
    int capacity = 0;         ///< how many attachments fit, when that can become too few; 0: they always do
    Gate gate;
    std::vector<std::unique_ptr<Attachment>> attachments;
    std::atomic<int> torn = 0;     ///< empty lease files that killed calls of the Go suite's plugin may have left
    std::atomic<int> possible = 0; ///< attachments that are not absent
    std::atomic<long> started = 0; ///< how often one of them stopped being absent

    std::mutex mutex;
    std::map<std::string, Attachment*> holders; ///< by address
    long gcs_begun = 0, gcs_running = 0;        ///< on a contested network

    [[nodiscard]] bool is_chain() const { return !portmap.is_null(); }
};

struct HostPort {
    Attachment* holder = nullptr;
    int intents = 0; ///< attachments that may have it
    long touched = 0;
};

class Model {
  public:
    std::vector<std::unique_ptr<Network>> networks;
    std::map<int, HostPort> ports;
    std::mutex ports_mutex;

    std::atomic<long> flushes = 0; ///< of the ruleset, counted twice: before and after

    Attachment& attach(Network& network, const std::string& id, const std::string& netns);
    /// Whether none of its elements can have been flushed.
    [[nodiscard]] bool is_intact(const Attachment& attachment) const;
    void set_state(Attachment& attachment, State state);
    void note(Attachment& attachment, const std::string& event);

    /// The result of an ADD: nobody else may hold these.
    void claim_addresses(Attachment& attachment, const json& result);
    void release_addresses(Attachment& attachment);
    /// From now on the attachment may have the ports. Returns what permits a refusal: see may_be_taken().
    struct Intent {
        int others = 0;
        long touched = 0;
    };
    Intent intend_ports(Attachment& attachment, const Ports& wanted);
    bool may_be_taken(const Ports& wanted, const Intent& intent);
    void claim_ports(Attachment& attachment, const Ports& wanted);
    void release_ports(Attachment& attachment);
    void forget_ports(Attachment& attachment, const Ports& but = {});

    /// Prints, with both histories, and counts.
    void violation(const std::string& what, const Attachment* attachment, const Attachment* other = nullptr);
    std::atomic<int> violations = 0;

  private:
    std::mutex note_mutex_, print_mutex_;
};

/// Counted by kind, for the closing summary.
struct Counts {
    std::atomic<long> operations = 0, adds = 0, dels = 0, checks = 0, gcs = 0, killed = 0, terminated = 0, go = 0,
                      chains = 0, races = 0, statuses = 0, audits = 0, exhausted = 0, ports_taken = 0;
};

struct Soak {
    Model model;
    Counts counts;
    std::string bin, go; ///< folders of the plugins; no go: none of it
};

/// One random operation on the attachment.
void operate_ipam(Soak& soak, Attachment& attachment, Random& random);
void operate_chain(Soak& soak, Attachment& attachment, Random& random);
/// What a runtime must not do and does: calls for one container at once, a GC beside ADDs. Ends with a DEL that works.
void operate_contested(Soak& soak, Attachment& attachment, Random& random);
/// STATUS of one of the chain's plugins, beside whatever there is.
void ask_status(Soak& soak, Network& network, Random& random);
/// Takes the whole ruleset away, as a careless reload of a firewall does.
void flush_ruleset(Soak& soak);
/// A DEL, disturbed in so many per cent of the cases; not at all: it has to work.
void del_ipam(Soak& soak, Attachment& attachment, Random& random, int disturbed);
void del_chain(Soak& soak, Attachment& attachment, Random& random, int disturbed);
/// GC of a network, alone in it, with what is held as valid.
void collect_garbage(Soak& soak, Network& network, Random& random);
/// Compares a network's leases, elements and links with the model, alone in it.
void audit(Soak& soak, Network& network);
void audit_ruleset(Soak& soak, Network& network);

} // namespace soak
