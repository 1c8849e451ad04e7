// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>

#include "invoke.h"

// Port mappings as a runtime gives them.
namespace test {

inline json mapping(int host, int container, const std::string& protocol = "tcp", const std::string& host_ip = {}) {
    json one = {{"hostPort", host}, {"containerPort", container}, {"protocol", protocol}};
    if (!host_ip.empty())
        one["hostIP"] = host_ip;
    return one;
}

inline json ports(std::initializer_list<json> mappings) {
    return {{"portMappings", json(mappings)}};
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace test
