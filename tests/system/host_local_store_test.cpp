// SPDX-License-Identifier: Apache-2.0
// host-local: what is on disk, who else writes there, and what happens when it is damaged.
#include <doctest/doctest.h>

#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_local_call.h"

using namespace test;

namespace {

const std::string index_file = data_dir + "/.cnative/net.index";

bool have_go() {
    return access((go_dir() + "/host-local").c_str(), X_OK) == 0;
}

/// One call of the Go suite's host-local.
Answer go(const std::string& command, const json& config, const std::string& id) {
    Call call = hl_call(command, config, id);
    call.wrapper = {go_dir() + "/host-local"}; // in place of ours, whose path it takes for an argument and ignores
    return invoke(call);
}

/// The address of an ADD of theirs that has to work.
std::string go_leased(const json& config, const std::string& id) {
    const Answer answer = go("ADD", config, id);
    if (!answer.ok())
        throw std::runtime_error("their ADD failed: " + answer.out + answer.err);
    return answer.document()["ips"][0]["address"];
}

/// A process that holds the network's lock as long as it lives.
class Holder {
  public:
    Holder() {
        int ready[2];
        REQUIRE(pipe(ready) == 0);
        pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int file = open((net_dir + "/lock").c_str(), O_RDONLY | O_CREAT, 0750);
            const bool locked = flock(file, LOCK_EX) == 0;
            (void)!write(ready[1], locked ? "y" : "n", 1);
            for (;;)
                pause();
        }
        char answer = 'n';
        close(ready[1]);
        (void)!read(ready[0], &answer, 1);
        close(ready[0]);
        REQUIRE(answer == 'y');
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    pid_t pid = -1;
};

/// From now on the machine has been booted again. A mount of an earlier case may still be there: make a new one.
void reboot(const std::string& boot_id) {
    put("/run/boot_id", boot_id + "\n");
    sh("mount --bind /run/boot_id /proc/sys/kernel/random/boot_id");
}

} // namespace

// ---- the layout

TEST_CASE("host-local: a network's folder has the lock, a file for each lease and a cursor, byte for byte") {
    World world;
    leased(hl_ranges({range("10.9.0.0/24"), range("fd09::/64")}));
    CHECK(listing(net_dir) == "10.9.0.2\nfd09::2\nlast_reserved_ip.0\nlast_reserved_ip.1\nlock\n");
    CHECK(get(net_dir + "/10.9.0.2") == "c1\r\neth0");
    CHECK(get(net_dir + "/fd09::2") == "c1\r\neth0");
    CHECK(get(net_dir + "/last_reserved_ip.0") == "10.9.0.2");
    CHECK(get(net_dir + "/last_reserved_ip.1") == "fd09::2");
    CHECK(get(net_dir + "/lock").empty());
}

TEST_CASE("host-local: modes of files and folders") {
    World world;
    sh("rm -rf " + data_dir);
    Call call = hl_call("ADD", small_pool());
    call.wrapper = {"sh", "-c", "umask 022; exec \"$0\""};
    REQUIRE(invoke(call).ok());
    CHECK(sh("stat -c '%a %n' " + data_dir + " " + net_dir) == "755 " + data_dir + "\n755 " + net_dir + "\n");
    CHECK(sh("cd " + net_dir + "; stat -c '%a %n' *") == "600 10.9.0.2\n600 last_reserved_ip.0\n750 lock\n");
}

TEST_CASE("host-local: a DEL leaves the lock and the cursor") {
    World world;
    leased(small_pool());
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(listing(net_dir) == "last_reserved_ip.0\nlock\n");
}

TEST_CASE("host-local: the first use of a network prints nothing on stderr") {
    World world;
    CHECK(hl("ADD", small_pool()).err.empty());
    CHECK(hl("CHECK", small_pool()).err.empty());
    CHECK(hl("DEL", small_pool()).err.empty());
}

TEST_CASE("host-local: dataDir, with its parents made, or relative to the working directory") {
    World world;
    leased(small_pool({{"dataDir", "/run/a/b/c"}}));
    CHECK(get("/run/a/b/c/net/10.9.0.2") == "c1\r\neth0");
    Call call = hl_call("ADD", small_pool({{"dataDir", "d/e"}}));
    call.wrapper = {"sh", "-c", "cd /run; exec \"$0\""};
    CHECK(invoke(call).ok());
    CHECK(get("/run/d/e/net/10.9.0.2") == "c1\r\neth0");
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: names of lease files are Go's, also where glibc writes a dotted quad") {
    World world;
    for (const std::string subnet : {"::ffff:0:0:0/96", "::7:0/112", "fd00:0:0:1::/112"}) {
        CAPTURE(subnet);
        Call call = hl_call("ADD", hl_ranges({range(subnet)}), "c" + subnet.substr(2, 1));
        call.wrapper = {"timeout", "5"}; // 1.1.1 counts without end where an address begins with zeros
        CHECK(invoke(call).ok());
    }
    CHECK(leases("net") == Names{"::7:2", "::ffff:0:0:2", "fd00:0:0:1::2"});
}

TEST_CASE("host-local: a lease that names the container only is any interface's") {
    World world;
    sh("mkdir -p " + net_dir);
    put(net_dir + "/10.9.0.3", "c1");
    CHECK(hl("CHECK", small_pool()).ok());
    CHECK(refusal(small_pool()) == "failed to allocate for range 0: 10.9.0.3 has been allocated to c1, duplicate "
                                   "allocation is not allowed");
    CHECK(hl("DEL", small_pool(), "c1", "eth7").ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: a lease that names the container only stays while there is one that names the interface") {
    World world;
    leased(small_pool());
    put(net_dir + "/10.9.0.3", "c1");
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(leases("net") == Names{"10.9.0.3"});
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: white space around a lease's content does not count") {
    World world;
    sh("mkdir -p " + net_dir);
    put(net_dir + "/10.9.0.3", "\n  c1\r\neth0 \r\n");
    CHECK(hl("CHECK", small_pool()).ok());
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(leases("net").empty());
}

// ---- DEL

TEST_CASE("host-local: DEL of what was never there") {
    World world;
    for (int i = 0; i < 2; ++i) {
        const Answer answer = hl("DEL", small_pool(), "nobody");
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.out.empty());
    }
    leased(small_pool());
    CHECK(hl("DEL", small_pool(), "nobody").ok());
    CHECK(hl("DEL", small_pool(), "c1", "eth1").ok());
    CHECK(leases("net") == Names{"10.9.0.2"});
}

TEST_CASE("host-local: DEL needs no more of the config than the network's name and the data dir") {
    World world;
    const std::vector<json> broken = {
        {{"cniVersion", "1.0.0"}, {"name", "net"}},
        {{"cniVersion", "1.0.0"}, {"name", "net"}, {"ipam", 7}},
        hl_config(json::object()),
        hl_config({{"ranges", json::array()}}),
        hl_config({{"ranges", "?"}}),
        hl_config({{"subnet", "nonsense"}}),
        hl_config({{"subnet", "10.1.2.0/31"}}),
        hl_config({{"subnet", "10.9.0.0/24"}, {"resolvConf", "/nope"}}),
        hl_config({{"subnet", "10.9.0.0/24"}, {"routes", 7}}),
        hl_config({{"subnet", "10.9.0.0/24"}}, {{"runtimeConfig", {{"ips", {"nonsense"}}}}}),
        hl_config({{"subnet", "10.9.0.0/24"}}, {{"prevResult", {{"ips", 7}}}}),
    };
    for (const json& config : broken) {
        CAPTURE(config.dump());
        leased(small_pool());
        const Answer answer = hl("DEL", config);
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(leases("net").empty());
        sh("rm -rf " + net_dir);
    }
}

TEST_CASE("host-local: DEL with ranges that no longer hold the lease") {
    World world;
    leased(small_pool());
    CHECK(hl("DEL", hl_ranges({range("10.7.0.0/24")})).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: DEL with CNI_ARGS that ADD would refuse") {
    World world;
    for (const std::string args : {"nonsense", "FOO=bar", "IP=foo", "IgnoreUnknown=x", ";"}) {
        CAPTURE(args);
        leased(small_pool());
        const Answer answer = hl("DEL", small_pool(), "c1", "eth0", args);
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(leases("net").empty());
    }
}

TEST_CASE("host-local: DEL without a namespace") {
    World world;
    for (const std::string netns : {"", "/run/netns/nobody"}) {
        leased(small_pool());
        Call call = hl_call("DEL", small_pool());
        call.netns = netns;
        CHECK(invoke(call).ok());
        CHECK(leases("net").empty());
    }
}

TEST_CASE("host-local: DEL reaches the leases of every range set and of more than one ADD") {
    World world;
    leased(hl_ranges({range("10.9.0.0/24"), range("fd09::/64")}));
    leased(hl_ranges({range("10.9.0.0/24")}), "c1", "eth0", "IP=10.9.0.9");
    leased(hl_ranges({range("10.9.0.0/24")}), "c2");
    CHECK(hl("DEL", hl_ranges({range("10.9.0.0/24")})).ok());
    CHECK(leases("net") == Names{"10.9.0.10"});
}

// ---- together with the Go suite's host-local

TEST_CASE("host-local: neither the Go suite's plugin nor ours leases twice to the other's containers") {
    World world;
    if (!have_go())
        SKIP_CASE("needs " + go_dir() + "/host-local");
    leased(small_pool(), "ours");
    go_leased(small_pool(), "theirs");
    CHECK(contains(go("ADD", small_pool(), "ours").msg(), "10.9.0.2 has been allocated to ours"));
    CHECK(contains(refusal(small_pool(), "theirs"), "10.9.0.3 has been allocated to theirs"));
    CHECK(go("CHECK", small_pool(), "ours").ok());
    CHECK(hl("CHECK", small_pool(), "theirs").ok());
    CHECK(contains(refusal(small_pool(), "c3", "IP=10.9.0.3"), "is not available in range set"));
    CHECK(contains(go("DEL", small_pool(), "theirs").out + refusal(small_pool(), "ours"), "allocated to ours"));
}

TEST_CASE("host-local: the Go suite's plugin and ours at once lease different addresses") {
    World world;
    if (!have_go())
        SKIP_CASE("needs " + go_dir() + "/host-local");
    put("/run/config", hl_ranges({range("10.9.0.0/24")}).dump());
    sh("export CNI_COMMAND=ADD CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/; for i in $(seq 15); do "
       "CNI_CONTAINERID=a$i " +
       bin_dir() +
       "/host-local </run/config & "
       "CNI_CONTAINERID=b$i " +
       go_dir() + "/host-local </run/config & done; wait");
    CHECK(leases("net").size() == 30);
    CHECK(sh("cd " + net_dir + "; cat 10.* | grep -oE '[ab][0-9]+' | sort -u | wc -l") == "30\n");
    CHECK(leased(hl_ranges({range("10.9.0.0/24")}), "c1") == "10.9.0.32/24");
}

TEST_CASE("host-local: leases that were there before the first call are honoured") {
    World world;
    sh("mkdir -p " + net_dir + "; for i in $(seq 2 200); do printf 'c%s\\r\\neth0' $i >" + net_dir +
       "/10.9.0.$i; done");
    const json config = hl_ranges({range("10.9.0.0/24")});
    CHECK(leased(config, "new") == "10.9.0.201/24");
    CHECK(contains(refusal(config, "c77"), "10.9.0.77 has been allocated to c77"));
    CHECK(hl("DEL", config, "c77").ok());
    CHECK(leases("net").size() == 199);
}

// ---- the index

TEST_CASE("host-local: an index that is lost or damaged costs no lease") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/24")});
    int next = 2;
    const auto lease_next = [&] {
        const std::string number = std::to_string(next++);
        CHECK(leased(config, "c" + number) == "10.9.0." + number + "/24");
        CHECK(contains(refusal(config, "c" + number), "10.9.0." + number + " has been allocated to c" + number));
    };
    const std::string folder = data_dir + "/.cnative";
    const Names damages = {
        "rm -f " + index_file,
        "rm -rf " + folder,
        ": >" + index_file,
        "echo garbage >" + index_file,
        "head -c 9000 /dev/urandom >" + index_file,
        "dd if=/dev/urandom of=" + index_file + " bs=1 seek=300 count=2000 conv=notrunc 2>/dev/null",
        "truncate -s 200 " + index_file,
        "rm -rf " + folder + "; echo in the way >" + folder,
        "rm -rf " + folder + "; ln -s /run " + folder,
    };
    lease_next();
    for (const std::string& damage : damages) {
        CAPTURE(damage);
        sh("mkdir -p " + folder + "; " + damage);
        lease_next();
        lease_next();
        sh("[ -d " + folder + " ] && [ ! -L " + folder + " ] || rm -f " + folder);
    }
    CHECK(leases("net").size() == static_cast<std::size_t>(next - 2));
}

// The lease file had been made, and the undo list did not know.
TEST_CASE("host-local: a lease is not left when neither index nor folder can be read behind it") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/24")});
    REQUIRE(leased(config) == "10.9.0.2/24");
    sh("yes | dd of=" + data_dir +
       "/.cnative/net.index bs=4096 count=1 seek=256 oflag=seek_bytes conv=notrunc status=none");
    Call add = hl_call("ADD", config, "c2", "eth0", "IP=10.9.0.9");
    add.wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "inject=getdents64:error=EIO:when=1+"};
    const Answer answer = invoke(add);
    CHECK(answer.code() == 5);
    CHECK_MESSAGE(contains(answer.msg(), "input/output error"), answer.out);
    CHECK(leases("net") == Names{"10.9.0.2"});
    CHECK(leased(config, "c2", "eth0", "IP=10.9.0.9") == "10.9.0.9/24");
}

TEST_CASE("host-local: an index that is stale is noticed") {
    World world;
    leased(small_pool(), "c1");
    sh("[ ! -e " + index_file + " ] || cp " + index_file + " /run/old");
    leased(small_pool(), "c2");
    leased(small_pool(), "c3");
    CHECK(hl("DEL", small_pool(), "c1").ok());
    sh("[ ! -e /run/old ] || cp /run/old " + index_file);
    CHECK(leased(small_pool(), "c4") == "10.9.0.5/29");
    CHECK(contains(refusal(small_pool(), "c2"), "10.9.0.3 has been allocated to c2"));
    CHECK(hl("DEL", small_pool(), "c3").ok());
    CHECK(leases("net") == Names{"10.9.0.3", "10.9.0.5"});
}

TEST_CASE("host-local: a lease removed by hand is free, one put there by hand is taken") {
    World world;
    leased(small_pool(), "c1");
    leased(small_pool(), "c2");
    sh("rm " + net_dir + "/10.9.0.2");
    put(net_dir + "/10.9.0.4", "mine\r\neth0");
    CHECK(leased(small_pool(), "c3") == "10.9.0.5/29");
    CHECK(leased(small_pool(), "c4") == "10.9.0.6/29");
    CHECK(leased(small_pool(), "c5") == "10.9.0.2/29");
    CHECK(contains(refusal(small_pool(), "c6"), "no IP addresses available"));
}

// ---- leases whose owner cannot be alive

TEST_CASE("host-local: a torn lease is given up when its address is asked for") {
    World world;
    sh("mkdir -p " + net_dir);
    put(net_dir + "/10.9.0.3", "");
    CHECK(leased(small_pool(), "c1", "eth0", "IP=10.9.0.3") == "10.9.0.3/29");
}

TEST_CASE("host-local: a container of the same name as before the boot gets an address") {
    World world;
    reboot("11111111-1111-1111-1111-111111111111");
    CHECK(leased(small_pool()) == "10.9.0.2/29");
    reboot("22222222-2222-2222-2222-222222222222");
    CHECK(leased(small_pool()) == "10.9.0.3/29");
    CHECK(leases("net") == Names{"10.9.0.3"});
}

// ---- links, full and read-only file systems, the lock

TEST_CASE("host-local: a symbolic link in the place of a lease is not followed, and its address is taken") {
    World world;
    put("/run/elsewhere", "c1\r\neth0");
    sh("mkdir -p " + net_dir + "; ln -s /run/elsewhere " + net_dir + "/10.9.0.2; ln -s /run/new " + net_dir +
       "/10.9.0.3");
    CHECK(leased(small_pool()) == "10.9.0.4/29");
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(get("/run/elsewhere") == "c1\r\neth0");
    CHECK(!works("test -e /run/new"));
    CHECK(leases("net") == Names{"10.9.0.2", "10.9.0.3"});
}

TEST_CASE("host-local: a symbolic link in the place of the cursor is not written through") {
    World world;
    put("/run/elsewhere", "precious");
    sh("mkdir -p " + net_dir + "; ln -s /run/elsewhere " + net_dir + "/last_reserved_ip.0");
    (void)hl("ADD", small_pool());
    CHECK(get("/run/elsewhere") == "precious");
}

// The Go suite's words; ours were "open … not a directory", with the whole path.
TEST_CASE("host-local: a file in the place of the data dir or of a network's folder is named") {
    World world;
    sh("echo x >/run/file");
    Answer answer = hl("ADD", small_pool({{"dataDir", "/run/file/below/it"}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "mkdir /run/file: not a directory");

    sh("mkdir -p " + data_dir + "; echo x >" + net_dir);
    answer = hl("ADD", small_pool());
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "mkdir " + net_dir + ": not a directory");
}

TEST_CASE("host-local: what is wrong with a file names the range set and the file") {
    World world;
    sh("mkdir -p " + net_dir + "/last_reserved_ip.1");
    const Answer answer =
        hl("ADD", hl_config({{"ranges", {{{{"subnet", "10.9.0.0/24"}}}, {{{"subnet", "fd09::/64"}}}}}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "failed to allocate for range 1: open " + net_dir + "/last_reserved_ip.1: is a directory");
}

TEST_CASE("host-local: a folder with an address for a name takes that address") {
    World world;
    sh("mkdir -p " + net_dir + "/10.9.0.2");
    CHECK(leased(small_pool()) == "10.9.0.3/29");
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(leases("net") == Names{"10.9.0.2"});
}

TEST_CASE("host-local: DEL of what was never leased succeeds on a read-only file system") {
    World world;
    sh("mkdir /run/data; mount -t tmpfs -o ro none /run/data");
    const Answer answer = hl("DEL", small_pool({{"dataDir", "/run/data"}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("host-local: a full file system leaves no half lease") {
    World world;
    // Room for the folder and the lock, then for one file more each time round, until an ADD fits.
    for (int inodes = 2; inodes < 12; ++inodes) {
        CAPTURE(inodes);
        sh("umount /run/data 2>/dev/null; mkdir -p /run/data; mount -t tmpfs -o nr_inodes=" + std::to_string(inodes) +
           " none /run/data");
        const Answer answer = hl("ADD", small_pool({{"dataDir", "/run/data"}}));
        if (answer.ok())
            return;
        CHECK_MESSAGE(contains(answer.msg(), "no space left on device"), answer.msg());
        CHECK(leases("net", "/run/data").empty());
    }
    FAIL("no ADD fitted");
}

TEST_CASE("host-local: a file system without room for content leaves no torn lease") {
    World world;
    sh("mkdir /run/data; mount -t tmpfs -o size=64k none /run/data; dd if=/dev/zero of=/run/data/fill 2>/dev/null; "
       "[ $? = 1 ]");
    const Answer answer = hl("ADD", small_pool({{"dataDir", "/run/data"}}));
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "no space left on device"), answer.msg());
    CHECK(leases("net", "/run/data").empty());
    sh("rm /run/data/fill");
    CHECK(leased(small_pool({{"dataDir", "/run/data"}})) == "10.9.0.2/29");
}

TEST_CASE("host-local: a lock that is never given up is told with its holder, in bounded time") {
    World world;
    sh("mkdir -p " + net_dir);
    const Holder holder;
    Call call = hl_call("ADD", small_pool());
    call.wrapper = {"timeout", "20"};
    const Answer answer = invoke(call);
    CHECK(answer.status == 1);
    CHECK(answer.code() == 11);
    CHECK_MESSAGE(contains(answer.msg(), "cannot lock the leases of network net: lock " + net_dir +
                                             "/lock: timed out, held by pid " + std::to_string(holder.pid) + " ("),
                  answer.msg());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: SIGTERM while waiting for the lock is answered") {
    World world;
    sh("mkdir -p " + net_dir);
    const Holder holder;
    Call call = hl_call("ADD", small_pool());
    call.wrapper = {"timeout", "--preserve-status", "-s", "TERM", "0.4"};
    const Answer answer = invoke(call);
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "SIGTERM"), answer.msg());
}

TEST_CASE("host-local: a lock given up in time is waited for") {
    World world;
    sh("mkdir -p " + net_dir);
    put("/run/config", small_pool().dump());
    const Output output =
        run({"sh", "-c",
             "flock " + net_dir + "/lock sleep 0.5 & until ! flock -n " + net_dir +
                 "/lock true; do :; done; CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/x CNI_IFNAME=eth0 CNI_PATH=/ " +
                 bin_dir() + "/host-local </run/config"});
    CHECK(output.status == 0);
    CHECK(contains(output.out, "10.9.0.2/29"));
}
