// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "netlink/request.h"

namespace netlink {

void Rtnl::delete_neighbour(Index device, const inet::Address& address) {
    ndmsg header{};
    header.ndm_family = family_number(address.family());
    header.ndm_ifindex = static_cast<int>(device);
    Message message(RTM_DELNEIGH, 0, header);
    message.put_address(NDA_DST, address);
    (void)request_unless(socket_.get(), message, {"forget neighbour", address.text()}, ENOENT);
}

} // namespace netlink
