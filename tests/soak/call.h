// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <string>

// One plugin call, with or without a signal at some moment of it.
namespace soak {

using Random = std::mt19937_64;

inline bool chance(Random& random, int percent) {
    return static_cast<int>(random() % 100) < percent;
}

/// A signal after that many microseconds; none when the call is over by then.
struct Disturbance {
    int signal = 0;
    std::int64_t after = 0;
};

/// In `percent` of the cases a SIGKILL, or half as often a SIGTERM, at a moment below `longest` microseconds.
Disturbance maybe(Random& random, int percent, std::int64_t longest);

struct Call {
    std::string program; ///< path
    std::string command;
    std::string id;
    std::string netns;
    std::string ifname = "eth0";
    std::string config;
    Disturbance disturbance;
};

struct Outcome {
    bool hung = false;      ///< killed by us after a minute
    bool signalled = false; ///< ended by a signal
    int status = 0;         ///< exit status otherwise
    bool sent = false;      ///< whether the disturbance came in time
    std::string out;
    [[nodiscard]] bool ok() const { return !signalled && status == 0; }
    [[nodiscard]] bool is_ended_on_purpose() const { return signalled || (sent && says("SIGTERM")); }
    /// Nothing but what a plugin may do: a result or nothing and exit 0, an error document and exit 1, the signal.
    [[nodiscard]] bool is_sound() const;
    /// An error of the plugin's own: exit 1 and a document with this text in "msg" or "details".
    [[nodiscard]] bool says(const std::string& text) const;
    [[nodiscard]] std::string text() const; ///< for a report
};

Outcome run(const Call& call);

} // namespace soak
