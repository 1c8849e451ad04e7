// SPDX-License-Identifier: Apache-2.0
// Each file that we or the Go suite leave on disk, cut at every byte, filled with garbage, or something else by the
// same name: the next ADD, DEL and GC work, or name the file; nothing outside the data dir is read as state, or
// written.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host_local_call.h"
#include "tuning_call.h"

using namespace test;

namespace {

const std::string victim = "/run/victim"; // what links point to

struct Damage {
    std::string name, command; ///< of a shell; $F is the file
};

const std::vector<Damage>& damages() {
    static const std::vector<Damage> all = {
        {"garbage", "head -c 6000 /dev/urandom >$F"},
        {"zeros", "head -c 6000 /dev/zero >$F"},
        {"a folder", "rm -rf $F; mkdir $F"},
        {"a folder with something in it", "rm -rf $F; mkdir $F; echo x >$F/10.9.0.5"},
        {"a link to a file", "rm -rf $F; ln -s " + victim + " $F"},
        {"a link to nothing", "rm -rf $F; ln -s /run/nothing $F"},
        {"a link to a folder", "rm -rf $F; ln -s /run $F"},
        {"a link to itself", "rm -rf $F; ln -s $F $F"},
        {"a FIFO", "rm -rf $F; mkfifo $F"},
        {"a sparse file of 4 GiB", "truncate -s 4G $F"},
        {"a file that nobody may read", "chmod 000 $F"},
    };
    return all;
}

void damage(const Damage& how, const std::string& file) {
    sh("F='" + file + "'; " + how.command);
}

std::string base(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

Answer in_time(Call call) {
    call.wrapper = {"timeout", "3"};
    return invoke(call);
}

// It works, or an answer names the file.
void works_or_names(const Call& call, const std::string& file) {
    const Answer answer = in_time(call);
    CAPTURE(call.command);
    CAPTURE(answer.out);
    CAPTURE(answer.err);
    CHECK(answer.status <= 1);
    if (!answer.ok())
        CHECK(contains(answer.out, base(file)));
}

Call gc_call() {
    json config = small_pool();
    config["cniVersion"] = "1.1.0";
    config["cni.dev/valid-attachments"] = {{{"containerID", "c2"}, {"ifname", "eth0"}}};
    return {.plugin = "host-local", .command = "GC", .config = config, .id = "", .netns = "", .ifname = ""};
}

void new_network() {
    sh("rm -rf " + data_dir + " /run/nothing; echo precious >" + victim);
    leased(small_pool(), "c1");
}

// c1 has 10.9.0.2, and one file is damaged.
void every_verb(const std::string& file) {
    works_or_names(hl_call("ADD", small_pool(), "c2"), file);
    works_or_names(hl_call("DEL", small_pool(), "c1"), file);
    works_or_names(gc_call(), file);
    works_or_names(hl_call("ADD", small_pool(), "c3"), file);
    works_or_names(hl_call("DEL", small_pool(), "c2"), file);
    CHECK(get(victim) == "precious\n");
    CHECK(!works("test -e /run/nothing"));
}

void try_damages(const std::string& file) {
    for (const Damage& how : damages()) {
        CAPTURE(how.name);
        new_network();
        damage(how, file);
        every_verb(file);
    }
}

void try_cuts(const std::string& file, off_t step_behind_header) {
    new_network();
    struct stat status {};
    REQUIRE(stat(file.c_str(), &status) == 0);
    sh("cp -a " + data_dir + " /run/whole");
    for (off_t size = 0; size < status.st_size; size += size < 300 ? 1 : step_behind_header) {
        CAPTURE(size);
        sh("rm -rf " + data_dir + "; cp -a /run/whole " + data_dir);
        REQUIRE(truncate(file.c_str(), size) == 0);
        works_or_names(hl_call("ADD", small_pool(), "c2"), file);
        works_or_names(hl_call("DEL", small_pool(), "c1"), file);
        works_or_names(gc_call(), file);
    }
    sh("rm -rf /run/whole");
}

} // namespace

TEST_CASE("torn state: a lease cut at every byte") {
    World world;
    try_cuts(net_dir + "/10.9.0.2", 1);
}

TEST_CASE("torn state: a cursor cut at every byte") {
    World world;
    try_cuts(net_dir + "/last_reserved_ip.0", 1);
}

TEST_CASE("torn state: a lease that is anything else") {
    World world;
    try_damages(net_dir + "/10.9.0.2");
}

// They were neither read nor removed, and nobody was told.
TEST_CASE("torn state: a lease file larger than an owner's name can be is nobody's") {
    World world;
    const std::string file = net_dir + "/10.9.0.4";
    for (const std::string make : {"head -c 5000000 /dev/zero | tr '\\0' x >", "truncate -s 4G "}) {
        CAPTURE(make);
        new_network();
        sh(make + file);
        const Answer collected = in_time(gc_call());
        CHECK_MESSAGE(collected.ok(), collected.out);
        CHECK(leases("net").empty());

        new_network();
        sh(make + file);
        for (const std::string id : {"c2", "c3", "c4"})
            leased(small_pool(), id);
        CHECK(leases("net").size() == 5); // with the large file, all that there are
        CHECK(leased(small_pool(), "c5") == "10.9.0.4/29");
        CHECK(contains(refusal(small_pool(), "c6"), "no IP addresses available"));
    }
}

TEST_CASE("torn state: what is no file in a lease's place is named by GC and by an exhausted ADD, and left alone") {
    World world;
    const std::string file = net_dir + "/10.9.0.4";
    const std::string socket = "python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' ";
    for (const std::string& make :
         std::vector<std::string>{"mkdir ", "mkfifo ", "ln -s " + victim + " ", socket, "mknod -m 600 $F c 1 5; : "}) {
        CAPTURE(make);
        new_network();
        sh("F=" + file + "; " + make + file);
        const std::string before = sh("stat -c %F,%i,%X,%Y,%Z " + file);
        for (const std::string id : {"c2", "c3", "c4"})
            leased(small_pool(), id);
        const Answer exhausted = in_time(hl_call("ADD", small_pool(), "c5"));
        CHECK(contains(exhausted.msg(), "no IP addresses available"));
        CHECK_MESSAGE(contains(exhausted.err, file), exhausted.err);
        const Answer asked = in_time(hl_call("ADD", small_pool(), "c5", "eth0", "IP=10.9.0.4"));
        CHECK(contains(asked.msg(), "10.9.0.4 is not available"));
        CHECK_MESSAGE(contains(asked.err, "no lease file"), asked.err);
        const Answer collected = in_time(gc_call()); // c2 is valid
        CHECK_MESSAGE(collected.ok(), collected.out);
        CHECK_MESSAGE(contains(collected.err, file), collected.err);
        CHECK(leases("net") == Names{"10.9.0.3", "10.9.0.4"});
        CHECK(sh("stat -c %F,%i,%X,%Y,%Z " + file) == before);
    }
}

TEST_CASE("torn state: a cursor that is anything else") {
    World world;
    try_damages(net_dir + "/last_reserved_ip.0");
}

TEST_CASE("torn state: a lock that is anything else") {
    World world;
    try_damages(net_dir + "/lock");
}

TEST_CASE("torn state: a lease index cut at every byte of its head, and behind") {
    World world;
    new_network();
    REQUIRE(is_there(data_dir + "/.cnative/net.index"));
    try_cuts(data_dir + "/.cnative/net.index", 251);
}

TEST_CASE("torn state: a lease index that is anything else") {
    World world;
    new_network();
    REQUIRE(is_there(data_dir + "/.cnative/net.index"));
    try_damages(data_dir + "/.cnative/net.index");
}

TEST_CASE("torn state: a network's folder that is a link, a file, a FIFO") {
    World world;
    for (const std::string make : {"ln -s /run/elsewhere ", "ln -s /run/nothing ", "echo x >", "mkfifo "}) {
        CAPTURE(make);
        sh("rm -rf " + data_dir + " /run/elsewhere; mkdir -p " + data_dir + " /run/elsewhere; " + make + net_dir);
        works_or_names(hl_call("ADD", small_pool(), "c2"), net_dir);
        works_or_names(hl_call("DEL", small_pool(), "c2"), net_dir);
        works_or_names(gc_call(), net_dir);
    }
}

TEST_CASE("torn state: tuning's saved state cut at every byte") {
    World world;
    const std::string c1 = with_eth0(world);
    const json keys = {{"mtu", 1400}, {"mac", "02:00:00:00:00:09"}};
    REQUIRE(invoke(tuning("ADD", keys)).ok());
    const std::string whole = content_of(saved_file);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        std::ofstream(saved_file) << whole.substr(0, size);
        works_or_names(tuning("DEL", keys), saved_file);
        CHECK(!is_there(saved_file));
    }
    CHECK(link_of(c1)["mtu"] == 1400);
}

TEST_CASE("torn state: tuning's claims, replacements and folders that are anything else") {
    World world;
    with_eth0(world);
    const json keys = {{"mtu", 1400}};
    Call collect = tuning("GC", keys);
    collect.config.update({{"cniVersion", "1.1.0"}, {"cni.dev/valid-attachments", json::array()}});
    collect.id = collect.netns = collect.ifname = "";
    const std::string dir = "/run/cni/tuning", claims = dir + "/.cnative";
    for (const std::string& file :
         {claims + "/net/c1_eth0.json", claims + "/net", claims, dir + "/.c1_eth0.json.new", dir}) {
        CAPTURE(file);
        for (const Damage& how : damages()) {
            CAPTURE(how.name);
            sh("rm -rf /run/cni /run/nothing; echo precious >" + victim);
            REQUIRE(in_time(tuning("ADD", keys)).ok());
            const bool is_folder = how.command[0] != 'r'; // written to, cut: there must be a file
            damage({how.name, (is_folder ? "rm -rf $F; touch $F; " : "") + how.command}, file);
            works_or_names(tuning("ADD", keys), file);
            works_or_names(tuning("DEL", keys), file);
            works_or_names(collect, file);
            CHECK(get(victim) == "precious\n");
            CHECK(!works("test -e /run/nothing"));
        }
    }
}

TEST_CASE("torn state: the folder of lease indexes that is anything else") {
    World world;
    for (const Damage& how : damages()) {
        CAPTURE(how.name);
        new_network();
        damage({how.name, "rm -rf $F; touch $F; " + how.command}, data_dir + "/.cnative");
        every_verb(data_dir + "/.cnative");
    }
}

TEST_CASE("torn state: tuning's saved state that is anything else") {
    World world;
    with_eth0(world);
    for (const Damage& how : damages()) {
        CAPTURE(how.name);
        sh("rm -rf /run/cni /run/nothing; mkdir -p /run/cni/tuning; echo precious >" + victim);
        damage({how.name, "touch $F; " + how.command}, saved_file);
        works_or_names(tuning("DEL", {{"mtu", 1400}}), saved_file);
        works_or_names(tuning("ADD", {{"mtu", 1400}}), saved_file);
        works_or_names(tuning("DEL", {{"mtu", 1400}}), saved_file);
        CHECK(get(victim) == "precious\n");
        CHECK(!works("test -e /run/nothing"));
    }
}
