// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "os/fd.h"

namespace os {

/// Has the kernel close a descriptor when it gets to it, for one whose close() waits. While this object lives the file
/// has a second owner; close the descriptor meanwhile, and the end of this object leaves the file to the kernel.
///
/// How: the file is sent over a pair of Unix sockets together with the socket it is waiting in. When all three are
/// closed nobody can reach it any more, and the kernel's garbage collector for files in flight closes it, in a worker
/// of its own (before Linux 6.9 in our last close(), which then waits as it would have). When a step is refused,
/// the file has no second owner and close() is as always.
class CloseLater {
  public:
    explicit CloseLater(int fd) noexcept;

  private:
    Fd sender_, holder_; // the holder must be closed first: the collector looks when the sender is
};

} // namespace os
