// SPDX-License-Identifier: Apache-2.0
#include "traffic.h"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr const char* host_address = "198.51.100.1";

void enter(const char* netns) {
    const int fd = open(netns, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        _exit(1);
}

sockaddr_in endpoint(const char* address, int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, address, &at.sin_addr);
    return at;
}

/// Microseconds until connected; negative when it failed.
double connect_to(const sockaddr_in& there) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const auto begin = std::chrono::steady_clock::now();
    const int status = connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there);
    const double took = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    close(fd);
    return status == 0 ? took : -1;
}

Sample throughput(const std::string& server_netns, const std::string& client_netns, const std::string& address,
                  int server_port, int client_port) {
    const std::string gigabits =
        sh("ip netns exec " + server_netns + " iperf3 -s -1 -p " + std::to_string(server_port) +
           " >/dev/null 2>&1 & for i in $(seq 100); do ip netns exec " + server_netns + " ss -Hltn sport = :" +
           std::to_string(server_port) + " | grep -q . && break; sleep 0.05; done; ip netns exec " + client_netns +
           " timeout 30 iperf3 -J -c " + address + " -p " + std::to_string(client_port) + " -t 1" +
           " | jq '(.end.sum_received.bits_per_second // 0) / 1e9'; kill $! 2>/dev/null; true");
    const double value = std::atof(gigabits.c_str());
    return {.failures = value > 0 ? 0 : 1, .gigabits = value};
}

} // namespace

Sample make_outside(World&) {
    sh("ip netns add out; ip link add uplink type veth peer name eth0 netns out; ip addr add 198.51.100.1/24 dev "
       "uplink; "
       "ip link set uplink up; ip -n out addr add 198.51.100.2/24 dev eth0; ip -n out link set eth0 up; "
       "ip -n out link set lo up");
    return {};
}

Sample start_server(World& world, int port) {
    int ready[2];
    (void)!pipe2(ready, O_CLOEXEC);
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        enter("/run/netns/c1");
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        const sockaddr_in any = endpoint("0.0.0.0", port);
        if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 || listen(fd, 100) != 0)
            _exit(1);
        (void)!write(ready[1], "", 1);
        for (;;)
            close(accept(fd, nullptr, nullptr));
    }
    close(ready[1]);
    char go = 0;
    const bool is_ready = read(ready[0], &go, 1) == 1;
    close(ready[0]);
    world.memory["server"] = std::to_string(pid);
    return {.failures = is_ready ? 0 : 1};
}

Sample stop_server(World& world) {
    const pid_t pid = std::atoi(world.memory["server"].c_str());
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    return {};
}

Sample connect_once(int port) {
    int ends[2];
    (void)!pipe2(ends, O_CLOEXEC);
    const pid_t pid = fork();
    if (pid == 0) {
        enter("/run/netns/out");
        const sockaddr_in there = endpoint(host_address, port);
        (void)connect_to(there); // neighbours are known from here on
        const double took = connect_to(there);
        (void)!write(ends[1], &took, sizeof took);
        _exit(0);
    }
    close(ends[1]);
    double took = -1;
    (void)!read(ends[0], &took, sizeof took);
    close(ends[0]);
    waitpid(pid, nullptr, 0);
    return {.microseconds = std::max(took, 0.0), .failures = took < 0 ? 1 : 0};
}

Sample masqueraded_throughput() {
    return throughput("out", "c1", "198.51.100.2", 5201, 5201);
}

Sample mapped_throughput(int host_port, int container_port) {
    return throughput("c1", "out", host_address, container_port, host_port);
}

} // namespace bench
