// SPDX-License-Identifier: Apache-2.0
// tuning: sysctls and attributes of the interface, and how DEL puts them back.
#include "tuning_call.h"

using namespace test;

TEST_CASE("tuning: prevResult is passed on, in every version") {
    World world;
    with_eth0(world);
    for (const std::string version : {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"}) {
        CAPTURE(version);
        const Answer answer = invoke(tuning("ADD", json::object(), version));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document() == prev_result(version));
        CHECK(invoke(tuning("DEL", json::object(), version)).ok());
    }
}

TEST_CASE("tuning: nothing asked for touches nothing") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    REQUIRE(invoke(tuning("ADD")).ok());
    CHECK(link_of(c1) == before);
    CHECK(!is_there("/run/cni"));
}

TEST_CASE("tuning: mtu, mac, promisc and allmulti are set, checked, and put back by DEL") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    const json keys = {{"mtu", 1400}, {"mac", "02:00:5e:10:00:01"}, {"promisc", true}, {"allmulti", true}};
    const Answer answer = invoke(tuning("ADD", keys));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["interfaces"][0]["mac"] == "02:00:5e:10:00:01");
    CHECK(link_of(c1) == json{{"mtu", 1400},
                              {"mac", "02:00:5e:10:00:01"},
                              {"qlen", before["qlen"]},
                              {"promisc", true},
                              {"allmulti", true}});
    CHECK_MESSAGE(invoke(tuning("CHECK", keys)).ok(), invoke(tuning("CHECK", keys)).out);
    const Answer gone = invoke(tuning("DEL", keys));
    CHECK(gone.ok());
    CHECK(gone.out.empty());
    CHECK(link_of(c1) == before);
    CHECK(!is_there(saved_file));
    CHECK(invoke(tuning("DEL", keys)).ok());
    CHECK(link_of(c1) == before);
}

TEST_CASE("tuning: txQLen is set, 0 included, checked and put back") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    for (const std::uint32_t length : {0U, 7U, 2147483648U, 4294967295U}) { // all that the kernel takes
        CAPTURE(length);
        REQUIRE(invoke(tuning("ADD", {{"txQLen", length}})).ok());
        const json link = json::parse(sh("ip -j link show eth0", c1))[0];
        CHECK(static_cast<std::uint32_t>(link.value("txqlen", std::int64_t{0})) == length); // ip(8) knows negative ones
        CHECK(invoke(tuning("CHECK", {{"txQLen", length}})).ok());
        CHECK(invoke(tuning("CHECK", {{"txQLen", 9}})).msg() ==
              "Error: Tuning configured Transmit Queue Length of eth0 is 9, current value is " +
                  std::to_string(length));
        REQUIRE(invoke(tuning("DEL", {{"txQLen", length}})).ok());
        CHECK(link_of(c1) == before);
    }
}

TEST_CASE("tuning: allmulti false switches it off, and DEL on again") {
    World world;
    const std::string c1 = with_eth0(world);
    sh("ip link set eth0 allmulticast on", c1);
    REQUIRE(invoke(tuning("ADD", {{"allmulti", false}})).ok());
    CHECK(link_of(c1)["allmulti"] == false);
    CHECK(invoke(tuning("CHECK", {{"allmulti", false}})).ok());
    REQUIRE(invoke(tuning("DEL", {{"allmulti", false}})).ok());
    CHECK(link_of(c1)["allmulti"] == true);
}

TEST_CASE("tuning: where the MAC comes from, the last one wins") {
    World world;
    const std::string c1 = with_eth0(world);
    const std::string ending[] = {"", "01", "02", "03", "04"};
    json keys = json::object();
    std::string args;
    const auto mac_after_add = [&] {
        const Answer answer = invoke(with_args(tuning("ADD", keys), args));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        const std::string mac = link_of(c1)["mac"];
        CHECK(answer.document()["interfaces"][0]["mac"] == mac);
        REQUIRE(invoke(with_args(tuning("DEL", keys), args)).ok());
        return mac.substr(15);
    };
    keys["mac"] = "02:00:00:00:00:01";
    CHECK(mac_after_add() == "01");
    args = "IgnoreUnknown=1;MAC=02:00:00:00:00:02;K8S_POD_NAME=x";
    CHECK(mac_after_add() == "02");
    keys["runtimeConfig"] = {{"mac", "02:00:00:00:00:03"}};
    CHECK(mac_after_add() == "03");
    keys["args"] = {{"cni", {{"mac", "02:00:00:00:00:04"}}}};
    CHECK(mac_after_add() == "04");
}

TEST_CASE("tuning: a MAC of zeros is refused by the kernel, not passed over") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    refused(invoke(tuning("ADD", {{"mac", "00:00:00:00:00:00"}})), 999, "cannot assign requested address");
    CHECK(link_of(c1) == before);
}

TEST_CASE("tuning: args.cni overrides each key") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    const json keys = {{"mtu", 1400},
                       {"promisc", true},
                       {"sysctl", {{"net.ipv4.conf.IFNAME.arp_filter", "0"}}},
                       {"args",
                        {{"cni",
                          {{"mtu", 1300},
                           {"promisc", false},
                           {"allmulti", true},
                           {"mac", "02:00:00:00:00:09"},
                           {"sysctl", {{"net.ipv4.conf.IFNAME.arp_filter", "1"}}}}}}}};
    const Answer answer = invoke(tuning("ADD", keys));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(link_of(c1) ==
          json{{"mtu", 1300}, {"mac", "02:00:00:00:00:09"}, {"qlen", 1000}, {"promisc", false}, {"allmulti", true}});
    CHECK(sysctl("ipv4/conf/eth0/arp_filter", c1) == "1");
    REQUIRE(invoke(tuning("DEL", keys)).ok());
    CHECK(link_of(c1) == before);
}

TEST_CASE("tuning: sysctls of args.cni need no others beside them") {
    World world;
    const std::string c1 = with_eth0(world);
    const Answer answer =
        invoke(tuning("ADD", {{"args", {{"cni", {{"sysctl", {{"net.ipv4.conf.all.log_martians", "1"}}}}}}}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(sysctl("ipv4/conf/all/log_martians", c1) == "1");
}

TEST_CASE("tuning: sysctls by dots, by slashes and with the interface's name") {
    World world;
    const std::string c1 = with_eth0(world);
    const json keys = {{"sysctl",
                        {{"net.ipv4.conf.all.log_martians", "1"},
                         {"net/ipv4/conf/eth0/arp_filter", "1"},
                         {"net.ipv4/conf.IFNAME/arp_ignore", "2"},
                         {"net.ipv4.ip_local_port_range", "20000 30000"}}}};
    const Answer answer = invoke(tuning("ADD", keys));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(sysctl("ipv4/conf/all/log_martians", c1) == "1");
    CHECK(sysctl("ipv4/conf/eth0/arp_filter", c1) == "1");
    CHECK(sysctl("ipv4/conf/eth0/arp_ignore", c1) == "2");
    CHECK(sysctl("ipv4/ip_local_port_range", c1) == "20000\t30000");
    CHECK(sysctl("ipv4/conf/all/log_martians") == "0"); // the host's
    CHECK(invoke(tuning("DEL", keys)).ok());
}

TEST_CASE("tuning: sysctls of interfaces whose names differ in letter case alone are two") {
    World world;
    const std::string c1 = with_eth0(world);
    sh("ip link add ETH0 type veth peer name other2", c1);
    const json keys = {
        {"sysctl", {{"net.ipv4.conf.ETH0.arp_filter", "1"}, {"net.ipv4.conf.eth0.arp_filter", "0"}}},
        {"args",
         {{"cni", {{"sysctl", {{"net.ipv4.conf.ETH0.arp_ignore", "1"}, {"net.ipv4.conf.eth0.arp_ignore", "2"}}}}}}}};
    const Answer answer = invoke(tuning("ADD", keys));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(sysctl("ipv4/conf/ETH0/arp_filter", c1) == "1");
    CHECK(sysctl("ipv4/conf/eth0/arp_filter", c1) == "0");
    CHECK(sysctl("ipv4/conf/ETH0/arp_ignore", c1) == "1");
    CHECK(sysctl("ipv4/conf/eth0/arp_ignore", c1) == "2");
    CHECK(invoke(tuning("CHECK", keys)).ok());
}

TEST_CASE("tuning: CHECK finds the sysctls as they were set, with IFNAME and several values too") {
    World world;
    const std::string c1 = with_eth0(world);
    const json keys = {
        {"sysctl", {{"net.ipv4.conf.IFNAME.arp_ignore", "2"}, {"net.ipv4.ip_local_port_range", "20000 30000"}}}};
    REQUIRE(invoke(tuning("ADD", keys)).ok());
    const Answer answer = invoke(tuning("CHECK", keys));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("tuning: an interface name with a dot, as sysctl(8) writes it and as IFNAME") {
    World world;
    const std::string c1 = with_eth0(world);
    sh("ip link add eth0.100 type veth peer name other2", c1);
    json keys = {{"sysctl", {{"net/ipv4/conf/eth0.100/arp_filter", "1"}, {"net.ipv4.conf.eth0/100.arp_ignore", "2"}}}};
    const Answer answer = invoke(tuning("ADD", keys));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(sysctl("ipv4/conf/eth0.100/arp_filter", c1) == "1");
    CHECK(sysctl("ipv4/conf/eth0.100/arp_ignore", c1) == "2");
    CHECK(invoke(tuning("CHECK", keys)).ok());
    Call call = tuning("ADD", {{"sysctl", {{"net.ipv4.conf.IFNAME.arp_announce", "1"}}}});
    call.ifname = "eth0.100";
    CHECK(invoke(call).ok());
    CHECK(sysctl("ipv4/conf/eth0.100/arp_announce", c1) == "1");
}

TEST_CASE("tuning: a sysctl that is not there, or takes no such value, is refused as the Go suite does") {
    World world;
    with_eth0(world);
    refused(invoke(tuning("ADD", {{"sysctl", {{"net.ipv4.nosuch", "1"}}}})), 999,
            "open /proc/sys/net/ipv4/nosuch: no such file or directory");
    refused(invoke(tuning("ADD", {{"sysctl", {{"net.ipv4.ip_forward", "maybe"}}}})), 999,
            "write /proc/sys/net/ipv4/ip_forward: invalid argument");
}

TEST_CASE("tuning: no sysctl outside net is written, however it is spelled") {
    World world;
    const std::string c1 = with_eth0(world);
    const std::string before = sh("cat /proc/sys/kernel/domainname");
    for (const auto& [key, slashed] : std::vector<std::pair<std::string, std::string>>{
             {"kernel.domainname", "kernel/domainname"},
             {"kernel/domainname", "kernel/domainname"},
             {"net", "net"},
             {"net.", "net/"},
             {"", ""},
             {"nethack.x", "nethack/x"},
             {"/proc/sys/kernel/domainname", "/proc/sys/kernel/domainname"},
             {"..net.ipv4.ip_forward/../../../kernel/domainname", "//net/ipv4/ip_forward/////////kernel/domainname"}}) {
        CAPTURE(key);
        const Answer answer = invoke(tuning("ADD", {{"sysctl", {{key, "attacked"}}}}));
        CHECK(answer.code() == 999);
        if (key.starts_with(".."))
            CHECK(answer.msg() == "open /proc/sys/net/ipv4/ip_forward/kernel/domainname: not a directory");
        else
            CHECK(answer.msg() == "invalid net sysctl key: \"" + slashed + "\"");
    }
    for (const std::string key :
         {"net/../kernel/domainname", "net.ipv4/../../kernel/domainname", "net/./../kernel.domainname",
          "net.//...kernel/domainname", "net/ipv4/conf/../../../kernel/domainname",
          "net/ipv4/conf/IFNAME/../../../../kernel/domainname"}) {
        CAPTURE(key);
        const Answer answer = invoke(tuning("ADD", {{"sysctl", {{key, "attacked"}}}}));
        CHECK(answer.code() == 999);
        CHECK(answer.msg().starts_with("open /proc/sys/net/"));
        CHECK(answer.msg().find("..") == std::string::npos);
    }
    CHECK(sh("cat /proc/sys/kernel/domainname") == before);
    CHECK(sysctl("ipv4/ip_forward") == "0");
}

TEST_CASE("tuning: an interface name cannot lead anywhere either") {
    World world;
    with_eth0(world);
    for (const std::string name : {"../x", "eth0/..", "..", "a/b"}) {
        CAPTURE(name);
        Call call = tuning("ADD", {{"sysctl", {{"net.ipv4.conf.IFNAME.arp_filter", "1"}}}, {"mtu", 1400}});
        call.ifname = name;
        CHECK(invoke(call).code() == 4);
        CHECK(!is_there("/run/cni"));
    }
}

TEST_CASE("tuning: a sysctl given twice is refused") {
    World world;
    with_eth0(world);
    Call call = tuning("ADD");
    call.raw = R"({"cniVersion":"1.0.0","name":"net","type":"tuning","sysctl":{"net.ipv4.conf.all.log_martians":"1",
        "net.ipv4.conf.all.log_martians":"0"},"prevResult":)" +
               prev_result("1.0.0").dump() + "}";
    refused(invoke(call), 999, "duplicated sysctl keys are not allowed");
    call.command = "CHECK";
    refused(invoke(call), 999, "duplicated sysctl keys are not allowed");
}

TEST_CASE("tuning: prevResult is required") {
    World world;
    with_eth0(world);
    for (const std::string command : {"ADD", "CHECK"}) {
        refused(invoke(tuning(command, {{"prevResult", nullptr}})), 999, "Required prevResult missing");
        refused(invoke(tuning(command, {{"prevResult", nullptr}, {"mac", "nonsense"}})), 999,
                "Required prevResult missing");
    }
}

TEST_CASE("tuning: what is wrong with the namespace or the interface is told in the Go suite's words") {
    World world;
    const std::string c1 = with_eth0(world);
    Call call = tuning("ADD", {{"mtu", 1400}});
    call.netns = "/run/netns/nobody";
    refused(invoke(call), 999, "failed to Statfs \"/run/netns/nobody\": no such file or directory");
    call = tuning("ADD", {{"mtu", 1400}});
    call.ifname = "eth9";
    refused(invoke(call), 999, "failed to get \"eth9\": Link not found");
    call.command = "CHECK";
    refused(invoke(call), 999, "Cannot find container link eth9");
    refused(invoke(tuning("ADD", {{"mtu", 99999999}})), 999, "invalid argument");
    refused(invoke(tuning("ADD", {{"mac", "nonsense"}})), 999,
            "invalid args nonsense for MAC addr: address nonsense: invalid MAC address");
}

TEST_CASE("tuning: CHECK names what differs, in the Go suite's words") {
    World world;
    const std::string c1 = with_eth0(world);
    const auto says = [](const json& keys, const std::string& msg) {
        refused(invoke(tuning("CHECK", keys)), 999, msg);
    };
    sh("ip link set eth0 address 02:00:00:00:00:07", c1);
    says({{"mac", "02:00:00:00:00:08"}},
         "Error: Tuning configured Ethernet of eth0 is 02:00:00:00:00:08, current value is 02:00:00:00:00:07");
    says({{"mac", "nonsense"}},
         "Error: Tuning configured Ethernet of eth0 is nonsense, current value is 02:00:00:00:00:07");
    says({{"mtu", 1400}}, "Error: Tuning configured MTU of eth0 is 1400, current value is 1500");
    says({{"promisc", true}}, "Error: Tuning link eth0 configured promisc is true, current value is 0");
    sh("ip link set eth0 promisc on", c1);
    says(json::object(), "Error: Tuning link eth0 configured promisc is false, current value is 1");
    says({{"sysctl", {{"net.ipv4.conf.eth0.arp_filter", "1"}}}},
         "Error: Tuning configured value of /proc/sys/net/ipv4/conf/eth0/arp_filter is 1, current value is 0");
}

TEST_CASE("tuning: CHECK of all-multicast mode says what it is") {
    World world;
    with_eth0(world);
    refused(invoke(tuning("CHECK", {{"allmulti", true}})), 999,
            "Error: Tuning configured all-multicast mode of eth0 is true, current value is false");
}

TEST_CASE("tuning: CHECK takes a MAC in any spelling") {
    World world;
    const std::string c1 = with_eth0(world);
    const json keys = {{"mac", "02:00:5E:10:00:0A"}};
    REQUIRE(invoke(tuning("ADD", keys)).ok());
    CHECK(link_of(c1)["mac"] == "02:00:5e:10:00:0a");
    const Answer answer = invoke(tuning("CHECK", keys));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("tuning: only the sysctls of the allow list are allowed") {
    World world;
    const std::string c1 = with_eth0(world);
    private_etc();
    allow("\n  ^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$  \n\nnet.ipv4.tcp_(syncookies|sack)\n");
    const auto set = [](const std::string& key) { return invoke(tuning("ADD", {{"sysctl", {{key, "1"}}}})); };
    CHECK(set("net.ipv4.conf.IFNAME.arp_filter").ok());
    CHECK(set("net.ipv4.tcp_sack").ok());
    const std::string only = " is not allowed. Only the following sysctls are allowed: "
                             "[^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$ net.ipv4.tcp_(syncookies|sack)]";
    for (const std::string key :
         {"net.ipv4.conf.eth0.arp_filter", "net.ipv4.conf.IFNAME.arp_filter2", "net.ipv4.ip_forward"})
        refused(set(key), 999, "Sysctl " + key + only);
    CHECK(sysctl("ipv4/ip_forward", c1) == "0");
    allow("");
    refused(set("net.ipv4.tcp_sack"), 999,
            "Sysctl net.ipv4.tcp_sack is not allowed. Only the following sysctls are allowed: []");
    CHECK(invoke(tuning("ADD", {{"mtu", 1400}})).ok()); // about sysctls only
}

TEST_CASE("tuning: an allow list with a broken line allows nothing") {
    World world;
    with_eth0(world);
    private_etc();
    allow("net.ipv4.(tcp_sack\n");
    const Answer answer = invoke(tuning("ADD", {{"sysctl", {{"net.ipv4.tcp_sack", "1"}}}}));
    CHECK(answer.code() == 999);
    CHECK_MESSAGE(answer.msg().starts_with("error parsing regexp: missing closing )"), answer.msg());
}

TEST_CASE("tuning: STATUS and GC have nothing to say of a fresh host") {
    World world;
    for (const std::string command : {"STATUS", "GC"}) {
        Call call = tuning(command, {{"cniVersion", "1.1.0"}, {"cni.dev/valid-attachments", json::array()}});
        call.id = call.netns = call.ifname = "";
        const Answer answer = invoke(call);
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.out.empty());
    }
    CHECK(!is_there("/run/cni"));
}

TEST_CASE("tuning: STATUS says which sysctl the allow list forbids") {
    World world;
    private_etc();
    allow("net.ipv4.tcp_sack\n");
    Call call = tuning("STATUS", {{"cniVersion", "1.1.0"}, {"sysctl", {{"net.ipv4.ip_forward", "1"}}}});
    call.id = call.netns = call.ifname = "";
    refused(invoke(call), 50,
            "Sysctl net.ipv4.ip_forward is not allowed. Only the following sysctls are allowed: [net.ipv4.tcp_sack]");
}
