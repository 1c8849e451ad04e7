// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "os/deadline.h"
#include "os/fd.h"

namespace os {

/// What a finished child left: its wait status and everything it wrote.
struct Output {
    int status = 0; ///< as waitpid(2) gives it
    std::string out;
    std::string err;
};

/// A running child: started by path (a `#!` wrapper works), stdin from a memfd, stdout and stderr captured
/// (4 MiB and 64 KiB at most; more is EMSGSIZE and cut, respectively), signals back to default. It dies with us
/// (PR_SET_PDEATHSIG), so a killed plugin leaves no IPAM call running behind the runtime's back.
class Child {
  public:
    /// argv is the path alone; `env` is the whole environment ("KEY=value"). ETXTBSY is retried shortly.
    [[nodiscard]] static Child start(const std::string& path, const std::vector<std::string>& env,
                                     std::string_view input);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child(); ///< kills and reaps when nobody waited

    /// Reads to end of file and reaps. At the deadline kills the child and throws Error(ETIMEDOUT).
    /// A pending ending signal (os/signals.h) is passed on to the child once; the wait then goes on to its answer, for
    /// 5 s at most: after that the child is killed and Interrupted thrown.
    [[nodiscard]] Output wait(const Deadline& deadline);

  private:
    Child() = default;
    std::string path_;
    pid_t pid_ = -1;
    Fd out_, err_;
};

} // namespace os
