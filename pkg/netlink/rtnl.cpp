// SPDX-License-Identifier: Apache-2.0
#include "netlink/rtnl.h"

#include "netlink/request.h"

namespace netlink {

void Rtnl::Closer::operator()(nl_sock* socket) const noexcept {
    nl_socket_free(socket);
}

Rtnl::Rtnl() : socket_(open_socket()) {}
Rtnl::Rtnl(Rtnl&&) noexcept = default;
Rtnl& Rtnl::operator=(Rtnl&&) noexcept = default;
Rtnl::~Rtnl() = default;

Rtnl Rtnl::in(const netns::Netns& netns) {
    const netns::Entered inside(netns);
    return {};
}

} // namespace netlink
