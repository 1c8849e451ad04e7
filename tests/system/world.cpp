// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace test {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

void check(int result, const std::string& what) {
    if (result != 0)
        fail(what);
}

void write_file(const char* path, const std::string& text) {
    std::ofstream file(path);
    file << text;
}

void enter(const std::string& netns) {
    if (netns.empty())
        return;
    const int fd = open(netns.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        _exit(126);
    close(fd);
}

// Once: as an ordinary user a user namespace in which we are root.
void become_root() {
    if (geteuid() == 0)
        return;
    const auto uid = std::to_string(getuid()), gid = std::to_string(getgid());
    check(unshare(CLONE_NEWUSER), "unshare user namespace");
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 " + uid + " 1");
    write_file("/proc/self/gid_map", "0 " + gid + " 1");
}

void own_mounts() {
    check(unshare(CLONE_NEWNS), "unshare mounts");
    check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
}

// Every case begins with the mounts of the first: what the case before it mounted would be in its way, and its
// namespaces would live on.
void begin_anew() {
    static const int mounts = [] {
        become_root();
        own_mounts();
        return open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    }();
    char folder[4096];
    check(getcwd(folder, sizeof folder) == nullptr ? -1 : 0, "getcwd");
    check(setns(mounts, CLONE_NEWNS), "back to the first mounts");
    check(chdir(folder), "chdir");
    own_mounts();
    check(unshare(CLONE_NEWNET), "unshare network");
}

std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(n));
    return text;
}

int temporary(const std::string& content) {
    const int fd = memfd_create("test", 0);
    if (fd < 0)
        fail("memfd_create");
    (void)!write(fd, content.data(), content.size());
    lseek(fd, 0, SEEK_SET);
    return fd;
}

[[noreturn]] void exec(const std::vector<std::string>& argv, const RunOptions& options, int in, int out, int err) {
    enter(options.netns);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    std::vector<char*> arguments;
    for (const std::string& argument : argv)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    std::vector<std::string> entries;
    std::vector<char*> environment;
    if (options.environment) {
        for (const auto& [key, value] : *options.environment)
            entries.push_back(key + "=" + value);
        for (std::string& entry : entries)
            environment.push_back(entry.data());
        environment.push_back(nullptr);
    }
    execvpe(arguments[0], arguments.data(), options.environment ? environment.data() : environ);
    _exit(127);
}

int wait_for(pid_t pid, std::chrono::seconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (int status = 0;;) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (std::chrono::steady_clock::now() > end)
            kill(pid, SIGKILL);
        poll(nullptr, 0, 1);
    }
}

sockaddr_storage address_of(const std::string& text, int port, socklen_t& size) {
    sockaddr_storage storage{};
    if (text.find(':') == std::string::npos) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(static_cast<std::uint16_t>(port));
        inet_pton(AF_INET, text.c_str(), &v4.sin_addr);
        size = sizeof v4;
    } else {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(static_cast<std::uint16_t>(port));
        inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr);
        size = sizeof v6;
    }
    return storage;
}

std::string text_of(const sockaddr_storage& storage) {
    char text[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET)
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof text);
    const std::string mapped = "::ffff:";
    const std::string whole = text;
    return whole.starts_with(mapped) ? whole.substr(mapped.size()) : whole;
}

int type_of(const std::string& protocol) {
    return protocol == "udp" ? SOCK_DGRAM : SOCK_STREAM;
}
int number_of(const std::string& protocol) {
    return protocol == "sctp" ? IPPROTO_SCTP : 0;
}

[[noreturn]] void serve(int socket, bool datagrams, const std::string& name) {
    for (;;) {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        if (datagrams) {
            char buffer[512];
            if (recvfrom(socket, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &size) < 0)
                continue;
            const std::string answer = name + " " + text_of(peer);
            sendto(socket, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
        } else {
            const int connection = accept(socket, reinterpret_cast<sockaddr*>(&peer), &size);
            const std::string answer = name + " " + text_of(peer);
            (void)!write(connection, answer.data(), answer.size());
            close(connection);
        }
    }
}

// The asker's side, in a process of its own: prints the answer.
[[noreturn]] void ask_and_print(const std::string& protocol, const std::string& address, int port, int source_port,
                                int out) {
    socklen_t size = 0;
    const sockaddr_storage target = address_of(address, port, size);
    const int socket = ::socket(target.ss_family, type_of(protocol), number_of(protocol));
    const timeval second{.tv_sec = 1, .tv_usec = 0};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (source_port != 0) {
        socklen_t own_size = 0;
        const sockaddr_storage own = address_of(target.ss_family == AF_INET ? "0.0.0.0" : "::", source_port, own_size);
        if (bind(socket, reinterpret_cast<const sockaddr*>(&own), own_size) != 0)
            _exit(2);
    }
    if (connect(socket, reinterpret_cast<const sockaddr*>(&target), size) != 0)
        _exit(1);
    if (protocol == "udp")
        (void)!write(socket, "?", 1);
    char answer[256];
    const ssize_t n = read(socket, answer, sizeof answer);
    if (n <= 0)
        _exit(1);
    (void)!write(out, answer, static_cast<std::size_t>(n));
    _exit(0);
}

} // namespace

Output run(const std::vector<std::string>& argv, const RunOptions& options) {
    const int in = temporary(options.input), out = temporary(""), err = temporary("");
    const pid_t pid = fork();
    if (pid == 0)
        exec(argv, options, in, out, err);
    Output output;
    output.status = wait_for(pid, options.deadline);
    output.out = read_all(out);
    output.err = read_all(err);
    for (const int fd : {in, out, err})
        close(fd);
    return output;
}

std::string sh(const std::string& command, const std::string& netns) {
    const Output output = run({"sh", "-c", command}, {.netns = netns});
    if (output.status != 0)
        throw std::runtime_error(command + ": exit " + std::to_string(output.status) + ": " + output.err + output.out);
    return output.out;
}

bool works(const std::string& command, const std::string& netns) {
    return run({"sh", "-c", command}, {.netns = netns}).status == 0;
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        poll(nullptr, 0, 20);
    }
    return true;
}

World::World() {
    begin_anew();
    check(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), "mount /run");
    mkdir("/run/netns", 0755);
    if (mkdir("/var/lib/cni", 0755) != 0 && errno != EEXIST)
        fail("mkdir /var/lib/cni");
    check(mount("tmpfs", "/var/lib/cni", "tmpfs", 0, "mode=755"), "mount /var/lib/cni");
    sh("ip link set lo up");
}

World::~World() = default;

std::string World::netns(const std::string& name) {
    const std::string path = "/run/netns/" + name;
    if (access(path.c_str(), F_OK) == 0)
        return path;
    close(open(path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0644));
    const pid_t pid = fork();
    if (pid == 0) {
        const bool made =
            unshare(CLONE_NEWNET) == 0 && mount("/proc/self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) == 0;
        _exit(made ? 0 : 1);
    }
    if (wait_for(pid, std::chrono::seconds(10)) != 0)
        throw std::runtime_error("could not make namespace " + path);
    sh("ip link set lo up", path);
    return path;
}

void World::remove_netns(const std::string& name) {
    const std::string path = "/run/netns/" + name;
    check(umount2(path.c_str(), MNT_DETACH), "umount " + path);
    check(unlink(path.c_str()), "unlink " + path);
}

std::string World::outside(const std::string& name) {
    const std::string path = netns(name);
    sh("ip link add uplink type veth peer name up0 netns " + path);
    sh("echo 0 > /proc/sys/net/ipv6/conf/uplink/accept_dad");
    sh("echo 0 > /proc/sys/net/ipv6/conf/up0/accept_dad", path);
    sh("ip addr add 192.0.2.1/24 dev uplink; ip addr add 2001:db8::1/64 dev uplink nodad; ip link set uplink up");
    sh("ip addr add 192.0.2.2/24 dev up0; ip addr add 2001:db8::2/64 dev up0 nodad; ip link set up0 up", path);
    // IPv6 on a new link takes a moment until neighbours find each other.
    if (!eventually([] { return works("ping -c1 -W1 2001:db8::2"); }))
        throw std::runtime_error("the outside host does not answer over IPv6");
    return path;
}

Server::Server(const std::string& netns, const std::string& protocol, int port, std::string name) {
    int ready[2];
    check(pipe(ready), "pipe");
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        enter(netns);
        const int socket = ::socket(AF_INET6, type_of(protocol), number_of(protocol));
        const int on = 1, off = 0;
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        socklen_t size = 0;
        const sockaddr_storage own = address_of("::", port, size);
        const bool bound = bind(socket, reinterpret_cast<const sockaddr*>(&own), size) == 0 &&
                           (protocol == "udp" || listen(socket, 16) == 0);
        (void)!write(ready[1], bound ? "y" : "n", 1);
        if (!bound)
            _exit(1);
        serve(socket, protocol == "udp", name);
    }
    char answer = 'n';
    close(ready[1]);
    (void)!read(ready[0], &answer, 1);
    close(ready[0]);
    if (answer != 'y')
        throw std::runtime_error("could not serve " + protocol + " port " + std::to_string(port) + " in " + netns);
}

Server::~Server() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

std::optional<std::string> ask(const std::string& netns, const std::string& protocol, const std::string& address,
                               int port, int source_port) {
    const int out = temporary("");
    const pid_t pid = fork();
    if (pid == 0) {
        enter(netns);
        ask_and_print(protocol, address, port, source_port, out);
    }
    const int status = wait_for(pid, std::chrono::seconds(5));
    const std::string answer = read_all(out);
    close(out);
    if (status != 0)
        return std::nullopt;
    return answer;
}

} // namespace test
