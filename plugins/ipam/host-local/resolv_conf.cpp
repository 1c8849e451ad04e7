// SPDX-License-Identifier: Apache-2.0
#include "resolv_conf.h"

#include "cni/error.h"
#include "os/error.h"
#include "os/file.h"
#include "os/text.h"

namespace host_local {

cni::Dns parse_resolv_conf(std::string_view text) {
    cni::Dns dns;
    for (const std::string_view line : os::split(text, '\n')) {
        const auto words = os::words(line);
        if (words.size() < 2 || words[0][0] == '#' || words[0][0] == ';')
            continue;
        if (words[0] == "nameserver")
            dns.nameservers.emplace_back(words[1]);
        else if (words[0] == "domain")
            dns.domain = words[1];
        else if (words[0] == "search")
            dns.search.insert(dns.search.end(), words.begin() + 1, words.end());
        else if (words[0] == "options")
            dns.options.insert(dns.options.end(), words.begin() + 1, words.end());
    }
    return dns;
}

cni::Dns read_resolv_conf(const std::string& path) {
    try {
        const auto text = os::read_file(path, std::size_t{1} << 20);
        if (text)
            return parse_resolv_conf(*text);
    } catch (const os::Error& error) {
        throw cni::Error(error.what());
    }
    throw cni::Error(os::cat("open ", path, ": no such file or directory"));
}

} // namespace host_local
