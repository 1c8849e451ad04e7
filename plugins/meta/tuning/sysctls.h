// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config.h"
#include "os/undo.h"

namespace tuning {

/// A sysctl and the paths below /proc/sys/net that its key may mean, as os::*_net_sysctl take them. First the Go
/// suite's reading: dots and slashes both separate, the first IFNAME stands for the interface. Then sysctl(8)'s, whose
/// other separator stands for a dot in an interface's name: net/ipv4/conf/eth0.100/… and net.ipv4.conf.eth0/100.…
struct Target {
    std::vector<std::string> paths;
    std::string value;
};

/// Error for what is not below net: invalid net sysctl key: "<key with slashes>"
[[nodiscard]] std::vector<Target> targets(std::span<const Sysctl> sysctls, std::string_view ifname);

/// Writes them in the container's namespace, and pushes how they were. Errors in the Go suite's words:
/// open /proc/sys/net/…: no such file or directory
void set(std::span<const Target> sysctls, const std::string& netns, os::Undo& undo);
/// Error: Tuning configured value of <path> is <v>, current value is <c>
void check(std::span<const Target> sysctls, const std::string& netns);

} // namespace tuning
