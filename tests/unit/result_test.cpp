// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "cni/error.h"
#include "cni/object.h"
#include "cni/result.h"

namespace {

using cni::Object;
using cni::Result;

Result read(std::string_view json, std::string_view version) {
    return Result::read(Object::parse(json), version);
}

std::string failure(std::string_view json, std::string_view version) {
    try {
        (void)read(json, version);
    } catch (const cni::Error& error) {
        return error.message();
    }
    return "nothing";
}

// The examples of the SPEC, section "Success" of each version, with the keys in the order the Go suite prints them.

// SPEC 0.2.0, "Result"
constexpr std::string_view spec_020 = R"({
    "cniVersion": "0.2.0",
    "ip4": {
        "ip": "10.0.0.5/16",
        "gateway": "10.0.0.1",
        "routes": [
            {
                "dst": "0.0.0.0/0",
                "gw": "10.0.0.1"
            }
        ]
    },
    "ip6": {
        "ip": "3ffe:ffff::5/64",
        "gateway": "3ffe:ffff::1",
        "routes": [
            {
                "dst": "::/0",
                "gw": "3ffe:ffff::1"
            }
        ]
    },
    "dns": {
        "nameservers": [
            "10.1.0.1"
        ],
        "domain": "example.com",
        "search": [
            "example.com"
        ],
        "options": [
            "ndots:2"
        ]
    }
})";

// SPEC 0.3.1, "Example bridge plugin", result after the port mapper
constexpr std::string_view spec_031 = R"({
    "cniVersion": "0.3.1",
    "interfaces": [
        {
            "name": "cni0",
            "mac": "00:11:22:33:44:55"
        },
        {
            "name": "veth3243",
            "mac": "55:44:33:22:11:11"
        },
        {
            "name": "eth0",
            "mac": "99:88:77:66:55:44",
            "sandbox": "/var/run/netns/blue"
        }
    ],
    "ips": [
        {
            "version": "4",
            "interface": 2,
            "address": "10.0.0.5/16",
            "gateway": "10.0.0.1"
        },
        {
            "version": "6",
            "interface": 2,
            "address": "3ffe:ffff::5/64"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        }
    ],
    "dns": {
        "nameservers": [
            "10.1.0.1"
        ]
    }
})";

// SPEC 1.0.0, "Appendix: Examples", after tuning
constexpr std::string_view spec_100 = R"({
    "cniVersion": "1.0.0",
    "dns": {
        "nameservers": [
            "10.1.0.1"
        ]
    },
    "interfaces": [
        {
            "mac": "00:11:22:33:44:55",
            "name": "cni0"
        },
        {
            "mac": "55:44:33:22:11:11",
            "name": "veth3243"
        },
        {
            "mac": "00:11:22:33:44:66",
            "name": "eth0",
            "sandbox": "/var/run/netns/blue"
        }
    ],
    "ips": [
        {
            "address": "10.1.0.5/16",
            "gateway": "10.1.0.1",
            "interface": 2
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        }
    ]
})";

// Every key that SPEC 1.1.0 has
constexpr std::string_view spec_110 = R"({
    "cniVersion": "1.1.0",
    "dns": {
        "domain": "example.com",
        "nameservers": [
            "10.1.0.1",
            "10.1.0.2"
        ],
        "options": [
            "ndots:2"
        ],
        "search": [
            "example.com"
        ]
    },
    "interfaces": [
        {
            "mac": "00:11:22:33:44:66",
            "mtu": 1500,
            "name": "eth0",
            "pciID": "0000:00:1f.6",
            "sandbox": "/var/run/netns/blue",
            "socketPath": "/run/vhost.sock"
        }
    ],
    "ips": [
        {
            "address": "10.1.0.5/16",
            "gateway": "10.1.0.1",
            "interface": 0
        },
        {
            "address": "fd00::5/64"
        }
    ],
    "routes": [
        {
            "advmss": 1460,
            "dst": "0.0.0.0/0",
            "gw": "10.1.0.1",
            "mtu": 1400,
            "priority": 100,
            "scope": 0,
            "table": 0
        },
        {
            "dst": "fd01::/64"
        }
    ]
})";

std::string relabelled(std::string_view json, std::string_view from, std::string_view to) {
    std::string text(json);
    return text.replace(text.find(from), from.size(), to);
}

} // namespace

TEST_SUITE_BEGIN("result");

TEST_CASE("every version's own example survives reading and writing") {
    const std::vector<std::pair<std::string_view, std::vector<std::string_view>>> families{
        {spec_020, {"0.1.0", "0.2.0"}},
        {spec_031, {"0.3.0", "0.3.1", "0.4.0"}},
        {spec_100, {"1.0.0", "1.1.0"}},
        {spec_110, {"1.0.0", "1.1.0"}},
    };
    for (const auto& [example, versions] : families) {
        const std::string label(example.substr(example.find("\"cniVersion\": \"") + 15, 5));
        for (const std::string_view version : versions) {
            const std::string document = relabelled(example, label, version);
            CHECK(read(document, version).write(version) == document);
        }
    }
}

TEST_CASE("labels of one family of versions stand for each other") {
    CHECK(read(spec_100, "1.1.0").write("1.0.0") == spec_100);
    CHECK(read(spec_031, "0.4.0").write("0.3.1") == spec_031);
    CHECK(read(spec_020, "0.1.0").write("0.2.0") == spec_020);
    CHECK(read(relabelled(spec_020, "0.2.0", ""), "0.2.0").write("0.2.0") == spec_020);
    CHECK(read(R"({"ips":[{"address":"10.0.0.1/8"}]})", "1.0.0").ips.size() == 1);
    CHECK(read(R"({"cniVersion":"","ips":[{"address":"10.0.0.1/8"}]})", "0.4.0").ips.size() == 1);
}

TEST_CASE("a result of another family is refused") {
    CHECK(failure(spec_031, "1.1.0") == R"(result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "0.3.1")");
    CHECK(failure(spec_100, "0.4.0") ==
          R"(result type supports [0.3.0 0.3.1 0.4.0] but unmarshalled CNIVersion is "1.0.0")");
    CHECK(failure(spec_100, "0.2.0") ==
          R"(result type supports [ 0.1.0 0.2.0] but unmarshalled CNIVersion is "1.0.0")");
    CHECK(failure(spec_100, "2.0.0") == R"(unsupported CNI result version "2.0.0")");
}

TEST_CASE("0.2.0 is lifted to lists: ip4 first, routes joined") {
    CHECK(read(spec_020, "0.2.0").write("1.1.0") == R"({
    "cniVersion": "1.1.0",
    "dns": {
        "domain": "example.com",
        "nameservers": [
            "10.1.0.1"
        ],
        "options": [
            "ndots:2"
        ],
        "search": [
            "example.com"
        ]
    },
    "ips": [
        {
            "address": "10.0.0.5/16",
            "gateway": "10.0.0.1"
        },
        {
            "address": "3ffe:ffff::5/64",
            "gateway": "3ffe:ffff::1"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0",
            "gw": "10.0.0.1"
        },
        {
            "dst": "::/0",
            "gw": "3ffe:ffff::1"
        }
    ]
})");
}

TEST_CASE("1.1.0 is lowered to 0.4.0: versions back, new interface keys gone, route keys kept") {
    CHECK(read(spec_110, "1.1.0").write("0.4.0") == R"({
    "cniVersion": "0.4.0",
    "interfaces": [
        {
            "name": "eth0",
            "mac": "00:11:22:33:44:66",
            "sandbox": "/var/run/netns/blue"
        }
    ],
    "ips": [
        {
            "version": "4",
            "interface": 0,
            "address": "10.1.0.5/16",
            "gateway": "10.1.0.1"
        },
        {
            "version": "6",
            "address": "fd00::5/64"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0",
            "gw": "10.1.0.1",
            "mtu": 1400,
            "advmss": 1460,
            "priority": 100,
            "table": 0,
            "scope": 0
        },
        {
            "dst": "fd01::/64"
        }
    ],
    "dns": {
        "nameservers": [
            "10.1.0.1",
            "10.1.0.2"
        ],
        "domain": "example.com",
        "search": [
            "example.com"
        ],
        "options": [
            "ndots:2"
        ]
    }
})");
}

TEST_CASE("1.1.0 is lowered to 0.2.0: one address a family with its routes, which keep dst and gw only") {
    const Result result = read(R"({"cniVersion":"1.1.0","interfaces":[{"name":"eth0"}],
        "ips":[{"address":"10.0.0.1/8"},{"address":"10.0.0.2/8","gateway":"10.0.0.3"},{"address":"fd00::1/64","gateway":"fd00::2"}],
        "routes":[{"dst":"1.0.0.0/8","gw":"10.9.9.9","mtu":1400,"table":7},{"dst":"fd01::/16"},{}]})",
                               "1.1.0");
    CHECK(result.write("0.2.0") == R"({
    "cniVersion": "0.2.0",
    "ip4": {
        "ip": "10.0.0.1/8",
        "routes": [
            {
                "dst": "1.0.0.0/8",
                "gw": "10.9.9.9"
            }
        ]
    },
    "ip6": {
        "ip": "fd00::1/64",
        "gateway": "fd00::2",
        "routes": [
            {
                "dst": "fd01::/16"
            },
            {
                "dst": "<nil>"
            }
        ]
    },
    "dns": {}
})");
}

TEST_CASE("routes of a family without address are dropped up to 0.2.0") {
    const Result result =
        read(R"({"ips":[{"address":"10.0.0.1/8"}],"routes":[{"dst":"fd01::/16"},{"dst":"1.0.0.0/8"}]})", "1.0.0");
    CHECK(result.write("0.1.0") == R"({
    "cniVersion": "0.1.0",
    "ip4": {
        "ip": "10.0.0.1/8",
        "routes": [
            {
                "dst": "1.0.0.0/8"
            }
        ]
    },
    "dns": {}
})");
}

TEST_CASE("an endpoint without an address cannot be told in 0.2.0, but nothing at all can be handed on") {
    Result endpoint;
    endpoint.interfaces = {{.name = "eth0"}};
    for (const std::string version : {"0.1.0", "0.2.0"}) {
        CHECK_THROWS_WITH_AS((void)endpoint.write(version), "cannot convert: no valid IP addresses", cni::Error);
        CHECK(read("{}", version).write(version) == "{\n    \"cniVersion\": \"" + version + "\",\n    \"dns\": {}\n}");
    }
}

TEST_CASE("an empty result is its version, and up to 0.4.0 an empty dns") {
    CHECK(Result().write("1.1.0") == "{\n    \"cniVersion\": \"1.1.0\"\n}");
    CHECK(Result().write("0.4.0") == "{\n    \"cniVersion\": \"0.4.0\",\n    \"dns\": {}\n}");
    CHECK(read("{}", "1.1.0").write("1.0.0") == "{\n    \"cniVersion\": \"1.0.0\"\n}");
    CHECK(read("null", "1.1.0").ips.empty());
}

TEST_CASE("an interface index is kept as sent") {
    const Result result = read(R"({"ips":[{"address":"10.0.0.1/8","interface":0},{"address":"10.0.0.2/8"},
        {"address":"10.0.0.3/8","interface":-1},{"address":"10.0.0.4/8","interface":99}]})",
                               "1.0.0");
    CHECK(result.ips[0].interface == 0);
    CHECK(!result.ips[1].interface);
    CHECK(result.ips[2].interface == -1);
    CHECK(result.ips[3].interface == 99);
}

TEST_CASE("the version of an address is its own, v4-mapped being IPv4") {
    const Result result = read(R"({"ips":[{"version":"6","address":"::ffff:10.0.0.1/120"}]})", "0.4.0");
    CHECK(result.write("0.4.0").find("\"version\": \"4\"") != std::string::npos);
    CHECK(result.write("0.4.0").find("\"address\": \"10.0.0.1/24\"") != std::string::npos);
}

TEST_CASE("a route without destination can be read back") {
    cni::Result result;
    result.routes.emplace_back();
    const std::string document = result.write("1.1.0");
    CHECK(document.find("\"dst\": \"<nil>\"") != std::string::npos);
    CHECK(!read(document, "1.1.0").routes.at(0).dst);
}

TEST_CASE("host bits of addresses and destinations are kept") {
    const Result result = read(R"({"ips":[{"address":"10.1.2.3/8"}],"routes":[{"dst":"10.9.9.9/8"}]})", "1.0.0");
    CHECK(result.ips[0].address.text() == "10.1.2.3/8");
    CHECK(result.routes[0].dst->text() == "10.9.9.9/8");
}

TEST_CASE("an empty gateway is none") {
    const Result result =
        read(R"({"ips":[{"address":"10.1.2.3/8","gateway":""}],"routes":[{"dst":"10.9.9.9/8","gw":""}]})", "1.0.0");
    CHECK(!result.ips[0].gateway);
    CHECK(!result.routes[0].gw);
}

TEST_CASE("wrong values are told with their path") {
    CHECK(
        failure(R"({"ips":[{"address":"10.0.0.1"}]})", "1.0.0") ==
        R"(key "ips[0].address" is a string ("10.0.0.1"): must be an IP address with a prefix length, such as 10.1.2.3/24)");
    CHECK(failure(R"({"ips":[{}]})", "1.0.0") ==
          R"(key "ips[0].address" is missing: must be an IP address with a prefix length, such as 10.1.2.3/24)");
    CHECK(failure(R"({"ips":[{"address":"10.0.0.1/8","gateway":"x"}]})", "0.3.0") ==
          R"(key "ips[0].gateway" is a string ("x"): must be an IP address)");
    CHECK(
        failure(R"({"ip4":{"ip":"10.0.0.1/33"}})", "0.2.0") ==
        R"(key "ip4.ip" is a string ("10.0.0.1/33"): must be an IP address with a prefix length, such as 10.1.2.3/24)");
    CHECK(failure(R"({"ip6":{"ip":"fd00::1/8","routes":[{"dst":5}]}})", "0.2.0") ==
          R"(key "ip6.routes[0].dst" is a number (5): must be a string)");
    CHECK(failure(R"({"interfaces":{}})", "1.0.0") == R"(key "interfaces" is an object: must be a list of objects)");
    CHECK(failure(R"({"ips":[{"address":"10.0.0.1/8","interface":"0"}]})", "1.0.0") ==
          R"(key "ips[0].interface" is a string ("0"): must be an integer)");
}

TEST_CASE("the version of an address is a key up to 0.4.0 only") {
    const std::string document = R"({"ips":[{"address":"10.0.0.1/8","version":4}]})";
    CHECK(failure(document, "0.4.0") == R"(key "ips[0].version" is a number (4): must be a string)");
    for (const std::string version : {"1.0.0", "1.1.0"})
        CHECK(read(document, version).ips.size() == 1);
}

TEST_CASE("names that are not UTF-8 do not break the document") {
    cni::Result result;
    result.interfaces = {{.name = "a\xff\"\n\x01"}};
    CHECK(result.write("1.1.0").find("\"name\": \"a\xef\xbf\xbd\\\"\\n\\u0001\"") != std::string::npos);
}

TEST_SUITE_END();
