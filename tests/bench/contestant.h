// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

// A contestant is a folder of plugins in a world of its own: a process in private network and mount namespaces that
// does on demand what it was given before it was forked. So contestants take turns, and none sees another's state.
namespace bench {

/// What one measured plugin call, or group of calls, took.
struct Sample {
    double microseconds = 0;
    long peak_kib = 0;   ///< peak resident memory, of steps that measure it
    int failures = 0;    ///< calls that did not exit 0
    double gigabits = 0; ///< a second, of steps that measure throughput
    double bytes = 0;    ///< received over netlink, of steps that trace
    Sample& operator+=(const Sample& other);
};

/// One plugin call: spawn to reaped.
struct Call {
    std::string plugin, command;
    std::string config; ///< stdin
    std::string id = "c1", netns = "/run/netns/c1";
};

/// Runs inside the contestant's world.
class World {
  public:
    explicit World(std::string bin_dir);
    Sample call(const Call& call);
    /// All at once; the wall time of the whole.
    Sample call_all(const std::vector<Call>& calls);
    [[nodiscard]] const std::string& output() const { return output_; } ///< stdout of the last call()
    [[nodiscard]] const std::string& bin_dir() const { return bin_dir_; }
    std::map<std::string, std::string> environment; ///< added to every call
    std::map<std::string, std::string> memory;      ///< what steps tell each other

  private:
    std::string bin_dir_, output_;
};

using Step = std::function<Sample(World&)>;

/// Forks the world; steps are then run by name, in any order, any number of times.
class Contestant {
  public:
    Contestant(std::string name, std::string bin_dir, std::map<std::string, Step> steps);
    Contestant(const Contestant&) = delete;
    Contestant& operator=(const Contestant&) = delete;
    ~Contestant();
    Sample run(const std::string& step);
    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    std::string name_;
    std::vector<std::string> order_;
    int pid_ = -1, requests_ = -1, answers_ = -1;
};

/// `sh -c`; ends the program when it fails. Returns stdout.
std::string sh(const std::string& command);

} // namespace bench
