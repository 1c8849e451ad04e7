// SPDX-License-Identifier: Apache-2.0
// The floor: the same kernel objects and lease files as a chain of bridge, host-local and portmap makes for one
// container with two addresses and one port, by bare system calls, in as few processes as the protocol allows (one a
// plugin), parsing nothing, checking nothing, healing nothing. What a real plugin takes beyond this is its own.
//
// Called by the name of the plugin it stands for, with CNI_COMMAND ADD or DEL and CNI_NETNS. bench.cpp has made what
// is shared (bridge, table, sets) before, tells the bridge's index, the host veth's name and the hashes in portmap's
// record by FLOOR_BRIDGE, FLOOR_VETH and FLOOR_RECORD, and compares the outcome with ours.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

extern char** environ;

namespace {

constexpr char owner[] = "bench/c1/eth0";
constexpr char leases[] = "/var/lib/cni/networks/bench";
const std::uint8_t address4[4] = {10, 9, 0, 2}, gateway4[4] = {10, 9, 0, 1};
const std::uint8_t address6[16] = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
const std::uint8_t gateway6[16] = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

[[noreturn]] void die(const char* what) {
    std::perror(what);
    _exit(1);
}

// A buffer of netlink messages; attributes go to the last one.
struct Messages {
    alignas(8) char bytes[8192] = {};
    std::size_t size = 0, last = 0;
    std::uint32_t sequence = 0;

    nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes + last); }
    void grow(std::size_t by) {
        size += NLMSG_ALIGN(by);
        header()->nlmsg_len = static_cast<std::uint32_t>(size - last);
    }
    template <typename Extra> void begin(int type, int flags, const Extra& extra) {
        last = size;
        *header() = {};
        size += NLMSG_HDRLEN;
        header()->nlmsg_type = static_cast<std::uint16_t>(type);
        header()->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        header()->nlmsg_seq = ++sequence;
        std::memcpy(bytes + size, &extra, sizeof extra);
        grow(sizeof extra);
    }
    template <typename Extra> void append(const Extra& extra) {
        std::memcpy(bytes + size, &extra, sizeof extra);
        grow(sizeof extra);
    }
    std::size_t open(int type) {
        const std::size_t at = size;
        auto* attribute = reinterpret_cast<nlattr*>(bytes + size);
        attribute->nla_type = static_cast<std::uint16_t>(type);
        grow(NLA_HDRLEN);
        return at;
    }
    void close(std::size_t at) {
        reinterpret_cast<nlattr*>(bytes + at)->nla_len = static_cast<std::uint16_t>(size - at);
    }
    void put(int type, const void* data, std::size_t length) {
        const std::size_t at = open(type);
        std::memcpy(bytes + size, data, length);
        grow(length);
        reinterpret_cast<nlattr*>(bytes + at)->nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + length);
    }
    void put(int type, std::uint32_t value) { put(type, &value, sizeof value); }
    void put(int type, const char* text) { put(type, text, std::strlen(text) + 1); }
};

int netlink(int family) {
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    return fd < 0 ? (die("socket"), -1) : fd;
}

// Sends and reads the one acknowledgement that was asked for.
void talk(int fd, Messages& messages, const char* what) {
    if (send(fd, messages.bytes, messages.size, 0) < 0)
        die(what);
    alignas(8) char answer[4096];
    if (recv(fd, answer, sizeof answer, 0) < 0)
        die(what);
    const auto* header = reinterpret_cast<nlmsghdr*>(answer);
    const auto* error = static_cast<nlmsgerr*>(NLMSG_DATA(header));
    if (header->nlmsg_type == NLMSG_ERROR && error->error != 0) {
        errno = -error->error;
        die(what);
    }
    messages.size = 0;
}

const char* variable(const char* name) {
    const char* value = getenv(name);
    return value != nullptr ? value : "";
}

bool adding() {
    return std::strcmp(variable("CNI_COMMAND"), "ADD") == 0;
}

void write_file(const char* path, const char* text, int flags) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0 || write(fd, text, std::strlen(text)) < 0)
        die(path);
    close(fd);
}

void say(const char* text) {
    (void)!write(STDOUT_FILENO, text, std::strlen(text));
}

// --- nf_tables: a batch of elements ---

nfgenmsg nf_header(int family, std::uint16_t resource) {
    return {.nfgen_family = static_cast<std::uint8_t>(family), .version = NFNETLINK_V0, .res_id = htons(resource)};
}

// close() would wait for the kernel to free what was deleted: see pkg/os/close_later.h.
void close_later(int fd) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    const int sent[2] = {fd, pair[1]};
    char byte = 0;
    iovec content{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof sent)] = {};
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof sent);
    std::memcpy(CMSG_DATA(rights), sent, sizeof sent);
    if (sendmsg(pair[0], &message, 0) < 0)
        die("sendmsg");
    close(fd);
    close(pair[1]);
    close(pair[0]);
}

struct Batch {
    Messages messages;
    std::size_t acknowledged = 0;
    Batch() { messages.begin(NFNL_MSG_BATCH_BEGIN, 0, nf_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES)); }

    void element(bool add, const char* set, const void* key, std::size_t key_size, const void* data,
                 std::size_t data_size) {
        messages.begin((NFNL_SUBSYS_NFTABLES << 8) | (add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM),
                       add ? NLM_F_CREATE | NLM_F_EXCL : 0, nf_header(NFPROTO_INET, 0));
        acknowledged = messages.last;
        messages.put(NFTA_SET_ELEM_LIST_TABLE, "cnative");
        messages.put(NFTA_SET_ELEM_LIST_SET, set);
        const std::size_t list = messages.open(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED);
        const std::size_t entry = messages.open(NFTA_LIST_ELEM | NLA_F_NESTED);
        value(NFTA_SET_ELEM_KEY, key, key_size);
        if (add && data != nullptr)
            value(NFTA_SET_ELEM_DATA, data, data_size);
        if (add) {
            char comment[2 + sizeof owner] = {0, sizeof owner};
            std::memcpy(comment + 2, owner, sizeof owner);
            messages.put(NFTA_SET_ELEM_USERDATA, comment, sizeof comment);
        }
        messages.close(entry);
        messages.close(list);
    }
    void commit() {
        reinterpret_cast<nlmsghdr*>(messages.bytes + acknowledged)->nlmsg_flags |= NLM_F_ACK;
        messages.begin(NFNL_MSG_BATCH_END, 0, nf_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
        const int fd = netlink(NETLINK_NETFILTER);
        talk(fd, messages, "nf_tables batch");
        close_later(fd);
    }

  private:
    void value(int type, const void* data, std::size_t size) {
        const std::size_t nest = messages.open(type | NLA_F_NESTED);
        messages.put(NFTA_DATA_VALUE, data, size);
        messages.close(nest);
    }
};

// --- host-local ---

void host_local() {
    char path[256];
    const auto at = [&](const char* name) {
        std::snprintf(path, sizeof path, "%s/%s", leases, name);
        return path;
    };
    const int lock = open(at("lock"), O_RDONLY | O_CREAT | O_CLOEXEC, 0750);
    flock(lock, LOCK_EX);
    if (!adding()) {
        unlink(at("10.9.0.2"));
        unlink(at("fd09::2"));
        return;
    }
    write_file(at("10.9.0.2"), "c1\r\neth0", O_EXCL);
    write_file(at("last_reserved_ip.0"), "10.9.0.2", O_TRUNC);
    write_file(at("fd09::2"), "c1\r\neth0", O_EXCL);
    write_file(at("last_reserved_ip.1"), "fd09::2", O_TRUNC);
    say(R"({"cniVersion":"1.0.0","ips":[{"address":"10.9.0.2/24"},{"address":"fd09::2/64"}]})");
}

// --- portmap ---

void portmap() {
    const std::uint8_t key[8] = {IPPROTO_TCP, 0, 0, 0, 0x1f, 0x90, 0, 0}; // 8080/tcp
    std::uint8_t to4[8] = {}, to6[20] = {};
    std::memcpy(to4, address4, 4);
    to4[5] = 80;
    std::memcpy(to6, address6, 16);
    to6[17] = 80;
    Batch batch;
    batch.element(adding(), "hostports4", key, sizeof key, to4, sizeof to4);
    batch.element(adding(), "hairpin4", address4, sizeof address4, nullptr, 0);
    batch.element(adding(), "hostports6", key, sizeof key, to6, sizeof to6);
    batch.element(adding(), "hairpin6", address6, sizeof address6, nullptr, 0);
    std::uint32_t record[3] = {}; // key and value of the entry that says which mappings there are
    std::sscanf(variable("FLOOR_RECORD"), "%x.%x.%x", &record[0], &record[1], &record[2]);
    batch.element(adding(), "attachments", record, 8, record + 2, 4);
    batch.commit();
    if (adding())
        say(R"({"cniVersion":"1.0.0"})");
}

// --- bridge ---

void masquerade() {
    Batch batch;
    batch.element(adding(), "masq4", address4, sizeof address4, nullptr, 0);
    batch.element(adding(), "masq6", address6, sizeof address6, nullptr, 0);
    batch.commit();
}

pid_t start_ipam(int& out) {
    int ends[2];
    (void)!pipe2(ends, O_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    char path[256];
    std::snprintf(path, sizeof path, "%s/host-local", variable("CNI_PATH"));
    char* argv[] = {path, nullptr};
    pid_t pid = -1;
    if (posix_spawn(&pid, path, &actions, nullptr, argv, environ) != 0)
        die("spawn host-local");
    close(ends[1]);
    out = ends[0];
    return pid;
}

void finish_ipam(pid_t pid, int out) {
    char answer[1024];
    while (read(out, answer, sizeof answer) > 0) {
    }
    waitpid(pid, nullptr, 0);
}

void make_veth(int rtnl, int sandbox) {
    Messages m;
    m.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, ifinfomsg{});
    m.put(IFLA_IFNAME, variable("FLOOR_VETH"));
    m.put(IFLA_MASTER, static_cast<std::uint32_t>(std::atoi(variable("FLOOR_BRIDGE"))));
    const std::size_t info = m.open(IFLA_LINKINFO);
    m.put(IFLA_INFO_KIND, "veth");
    const std::size_t data = m.open(IFLA_INFO_DATA), peer = m.open(VETH_INFO_PEER);
    m.append(ifinfomsg{});
    m.put(IFLA_IFNAME, "eth0");
    m.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(sandbox));
    m.close(peer);
    m.close(data);
    m.close(info);
    talk(rtnl, m, "create veth");
}

void start_port(int rtnl) {
    Messages m;
    ifinfomsg up{};
    up.ifi_flags = up.ifi_change = IFF_UP;
    m.begin(RTM_NEWLINK, NLM_F_ACK, up);
    m.put(IFLA_IFNAME, variable("FLOOR_VETH"));
    m.put(IFLA_IFALIAS, "cnative:bench/c1/eth0", 21);
    talk(rtnl, m, "alias");
}

void address(int rtnl, int index, int family, const std::uint8_t* bytes, std::size_t size, std::uint8_t length) {
    Messages m;
    ifaddrmsg header{};
    header.ifa_family = static_cast<std::uint8_t>(family);
    header.ifa_prefixlen = length;
    header.ifa_index = static_cast<unsigned>(index);
    header.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
    m.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, header);
    m.put(IFA_LOCAL, bytes, size);
    m.put(IFA_ADDRESS, bytes, size);
    if (family == AF_INET) {
        const std::uint8_t broadcast[4] = {10, 9, 0, 255};
        m.put(IFA_BROADCAST, broadcast, sizeof broadcast);
    }
    talk(rtnl, m, "address");
}

void default_route(int rtnl, int index, int family, const std::uint8_t* gateway, std::size_t size) {
    Messages m;
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(family);
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_BOOT;
    header.rtm_type = RTN_UNICAST;
    m.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK, header);
    m.put(RTA_GATEWAY, gateway, size);
    m.put(RTA_OIF, static_cast<std::uint32_t>(index));
    talk(rtnl, m, "route");
}

void dress_container(int sandbox, int home) {
    if (setns(sandbox, CLONE_NEWNET) != 0)
        die("setns");
    const int rtnl = netlink(NETLINK_ROUTE), index = static_cast<int>(if_nametoindex("eth0"));
    address(rtnl, index, AF_INET, address4, sizeof address4, 24);
    address(rtnl, index, AF_INET6, address6, sizeof address6, 64);
    Messages m;
    ifinfomsg up{};
    up.ifi_index = index;
    up.ifi_flags = up.ifi_change = IFF_UP;
    m.begin(RTM_NEWLINK, NLM_F_ACK, up);
    talk(rtnl, m, "up");
    default_route(rtnl, index, AF_INET, gateway4, sizeof gateway4);
    default_route(rtnl, index, AF_INET6, gateway6, sizeof gateway6);
    if (setns(home, CLONE_NEWNET) != 0)
        die("setns");
}

void bridge() {
    const int rtnl = netlink(NETLINK_ROUTE);
    int out = -1;
    if (!adding()) {
        masquerade();
        Messages m;
        m.begin(RTM_DELLINK, NLM_F_ACK, ifinfomsg{});
        m.put(IFLA_IFNAME, variable("FLOOR_VETH"));
        talk(rtnl, m, "delete link");
        const pid_t child = start_ipam(out);
        finish_ipam(child, out);
        return;
    }
    const int sandbox = open(variable("CNI_NETNS"), O_RDONLY | O_CLOEXEC);
    const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    make_veth(rtnl, sandbox);
    const pid_t child = start_ipam(out);
    start_port(rtnl);
    finish_ipam(child, out);
    dress_container(sandbox, home);
    masquerade();
    say(R"({"cniVersion":"1.0.0"})");
}

// rss PROGRAM: runs it and says its peak resident memory in KiB on file descriptor 3. From here, because a small
// parent matters: a child's peak counts what it was before exec.
int peak_memory(char** argv) {
    const pid_t pid = fork();
    if (pid == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    rusage usage{};
    int status = 0;
    wait4(pid, &status, 0, &usage);
    dprintf(3, "%ld\n", usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

} // namespace

int main(int, char** argv) {
    const char* slash = std::strrchr(argv[0], '/');
    const char* name = slash != nullptr ? slash + 1 : argv[0];
    if (std::strcmp(variable("CNI_COMMAND"), "VERSION") == 0 && std::strcmp(name, "rss") != 0)
        say("{}\n");
    else if (std::strcmp(name, "host-local") == 0)
        host_local();
    else if (std::strcmp(name, "portmap") == 0)
        portmap();
    else if (std::strcmp(name, "rss") == 0)
        return peak_memory(argv);
    else
        bridge();
    return 0;
}
