// URLs of originals and the hosts they may be at. What counts as public is checked against IANA's registries
// of special-purpose addresses, read by hand.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/target.h"

namespace media {
namespace {

std::string parsed(std::string_view url) {
    const auto target = parse_target(url);
    return target ? target->url() : std::to_string(target.error().status);
}

std::string followed(std::string_view from, std::string_view location) {
    const auto target = follow(*parse_target(from), location);
    return target ? target->url() : std::to_string(target.error().status);
}

AllowList allow(std::initializer_list<std::string_view> rules) {
    AllowList list;
    for (const std::string_view rule : rules) {
        EXPECT_TRUE(list.add(rule)) << rule;
    }
    return list;
}

bool admits(const AllowList& list, std::string_view url) {
    const auto target = parse_target(url);
    return target && list.check(*target);
}

TEST(Target, IsTakenApart) {
    const auto target = parse_target("HTTPS://Example.COM:8443/a%2fb.jpg?x=1#part");
    ASSERT_TRUE(target);
    EXPECT_TRUE(target->secure);
    EXPECT_EQ(target->host, "example.com");
    EXPECT_EQ(target->port, 8443);
    EXPECT_EQ(target->uri, "/a%2fb.jpg?x=1");
    EXPECT_EQ(target->authority(), "example.com:8443");
    EXPECT_FALSE(target->address);
}

TEST(Target, IsSpelledInOneWay) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"http://a.example", "http://a.example/"},
        {"http://a.example?x", "http://a.example/?x"},
        {"http://a.example:80/", "http://a.example/"},
        {"https://a.example:443/", "https://a.example/"},
        {"https://a.example:80/", "https://a.example:80/"},
        {"http://a.example./x", "http://a.example/x"},
        {"http://a.example/x#y?z", "http://a.example/x"},
        {"http://a.example/x y\"<>`{|}^", "http://a.example/x%20y%22%3C%3E%60%7B%7C%7D%5E"},
        {"http://a.example/\xc3\xa9?\xc3\xa9", "http://a.example/%C3%A9?%C3%A9"},
        {"http://a.example/%zz%2", "http://a.example/%zz%2"},
        {"http://a.example/a/./b/../c", "http://a.example/a/c"},
        {"http://a.example/../../c", "http://a.example/c"},
        {"http://a.example/a/..", "http://a.example/"},
        {"http://a.example/a/.", "http://a.example/a/"},
        {"http://a.example//a//b", "http://a.example//a//b"},
        {"http://a.example/a?b=/../c", "http://a.example/a?b=/../c"},
        {"http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"},
        {"http://a_b.example/", "http://a_b.example/"},
        {"http://1.2.3.4/", "http://1.2.3.4/"},
        {"http://1.2.3.4./", "http://1.2.3.4/"},
        {"http://[2606:4700:0:0::1111]/", "http://[2606:4700::1111]/"},
        {"http://[::ffff:1.2.3.4]:81/", "http://1.2.3.4:81/"},
        {"http://[::FFFF:102:304]/", "http://1.2.3.4/"},
    };
    for (const auto& [url, expected] : cases) {
        EXPECT_EQ(parsed(url), expected) << url;
        EXPECT_EQ(parsed(expected), expected);
    }
}

TEST(Target, WhatIsNoUrlIsRefused) {
    const std::string_view cases[] = {
        "",
        "a.example/x",
        "/a.jpg",
        "//a.example/x",
        "http:",
        "http:/",
        "http://",
        "http:///x",
        "http:a.example/x",
        "http:/a.example/x",
        "http://?x",
        "http://:80/",
        "http://a.example:/",
        "http://a.example:0/",
        "http://a.example:65536/",
        "http://a.example:080/",
        "http://a.example:-1/",
        "http://a.example:80:80/",
        "http://a.example:8o/",
        "http://.a.example/",
        "http://a..example/",
        "http://a.example../",
        "http://./",
        "http://a.example\\@b.example/",
        "http://a.example/x\\y",
        "http:\\\\a.example/",
        "http://a%2eexample/",
        "http://a example/",
        "http://b\xc3\xbc"
        "cher.example/",
        "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
        "http://a.example/\r\nX: y",
        "http://a.example/x\ty",
        "http://a.ex\nample/",
        "http://a.example/\x7f",
        "\thttp://a.example/",
        " http://a.example/",
        "http ://a.example/",
        "1http://a.example/",
        "http://[::1",
        "http://::1/",
        "http://[::1]x/",
        "http://[::1]:x/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.a]/",
        "http://[127.0.0.1]/",
        "http://[[::1]]/",
        "http://[]/",
        "http://[1::2::3]/",
        "http://a,b/",
        "http://*.example/",
        "http://a!b/",
    };
    for (const std::string_view url : cases) {
        EXPECT_EQ(parsed(url), "400") << url;
    }
    EXPECT_EQ(parsed(std::string_view{"http://a.example/\0", 18}), "400");
    EXPECT_EQ(parsed(std::string_view{"http://127.0.0.1\0.a.example/", 28}), "400");
    EXPECT_EQ(parsed("http://" + std::string(64, 'a') + ".example/"), "400");
    EXPECT_EQ(parsed("http://" + std::string(63, 'a') + ".example/"),
              "http://" + std::string(63, 'a') + ".example/");
    EXPECT_EQ(parsed("http://a.example/" + std::string(longest_url, 'a')), "400");
    EXPECT_EQ(parsed("http://a.example/" + std::string(longest_url / 2, ' ')), "400");  // once escaped
    std::string long_name;
    for (int i = 0; i < 127; ++i) {
        long_name += "a.";
    }
    EXPECT_EQ(parsed("http://" + long_name + "a/"), "400");
}

TEST(Target, WhatNobodyMayAskForIsRefused) {
    const std::string_view cases[] = {
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "gopher://a.example/",
        "ftp://a.example/",
        "data:image/png,x",
        "javascript:alert(1)",
        "unix:/run/x.sock",
        "dict://a.example:11211/",
        "ws://a.example/",
        "httpx://a.example/",
        "http://user@a.example/",
        "http://user:secret@a.example/",
        "http://@a.example/",
        "http://a.example@127.0.0.1/",
        "http://127.0.0.1:80@a.example/",
        "http://a.example:80@127.0.0.1/",
        "http://a.example%40@127.0.0.1/",
        // Other spellings of 127.0.0.1, and numbers that are none.
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7F.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0.0.01/",
        "http://127.0.0.001/",
        "http://0/",
        "http://00/",
        "http://127.0.0.256/",
        "http://1.2.3.4.5/",
        "http://0x/",
        "http://a.example.0x7f/",
        "http://a.example.1/",
        "http://999999999999/",
        "http://127.0.0.0x1/",
        "http://127.0.0.1e1.1/",
    };
    for (const std::string_view url : cases) {
        EXPECT_EQ(parsed(url), "403") << url;
    }
}

TEST(Target, RedirectsAreResolved) {
    constexpr std::string_view base = "https://a.example:8443/x/y.jpg?q";
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"http://b.example/z", "http://b.example/z"},
        {"HTTP://b.example", "http://b.example/"},
        {"//b.example/z", "https://b.example/z"},
        {"/z", "https://a.example:8443/z"},
        {"z", "https://a.example:8443/x/z"},
        {"../z?r", "https://a.example:8443/z?r"},
        {"./", "https://a.example:8443/x/"},
        {"?r", "https://a.example:8443/x/y.jpg?r"},
        {"#f", "https://a.example:8443/x/y.jpg?q"},
        {"", "https://a.example:8443/x/y.jpg?q"},
        {"/b c", "https://a.example:8443/b%20c"},
        {"/b:c", "https://a.example:8443/b:c"},
        {"/@b.example/", "https://a.example:8443/@b.example/"},
        {"?http://b.example/", "https://a.example:8443/x/y.jpg?http://b.example/"},
        {"file:///etc/passwd", "403"},
        {"b:c", "403"},
        {"//user@b.example/", "403"},
        {"///b.example/", "400"},
        {"/\\b.example/", "400"},
        {"\\\\b.example/", "400"},
        {"http:b.example", "400"},
        {"/z\r\nX: y", "400"},
    };
    for (const auto& [location, expected] : cases) {
        EXPECT_EQ(followed(base, location), expected) << location;
    }
    EXPECT_EQ(followed("http://a.example", "z"), "http://a.example/z");
}

TEST(Address, WhatIsNotPublic) {
    const std::string_view cases[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::2",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "0:0:0:0:0:ffff:7f00:1",
        "::ffff:0:127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::10.1.2.3",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b::1:0:0",
        "100::1",
        "1fff::1",
        "2001::1",
        "2001:0:7f00:1::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "2600::5efe:127.0.0.1",
        "2600::200:5efe:10.0.0.1",
    };
    for (const std::string_view text : cases) {
        const auto address = Address::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_FALSE(address->is_public()) << text;
    }
}

TEST(Address, WhatIsPublic) {
    const std::string_view cases[] = {
        "1.0.0.1",          "8.8.8.8",
        "9.255.255.255",    "11.0.0.0",
        "100.63.255.255",   "100.128.0.0",
        "126.255.255.255",  "128.0.0.0",
        "168.63.129.15",    "168.63.129.17",
        "169.253.255.255",  "169.255.0.0",
        "172.15.255.255",   "172.32.0.0",
        "192.0.1.0",        "192.0.3.0",
        "192.167.255.255",  "192.169.0.0",
        "198.17.255.255",   "198.20.0.0",
        "223.255.255.255",  "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8", "2000::1",
        "2001:200::1",      "2001:4860:4860::8888",
        "2001:db7::1",      "2001:db9::1",
        "2003::1",          "2606:4700::1111",
        "2a00:1450::1",     "3ffe::1",
        "3fff:1000::1",     "2600::5efe:8.8.8.8",
    };
    for (const std::string_view text : cases) {
        const auto address = Address::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_TRUE(address->is_public()) << text;
    }
}

TEST(Address, IsReadInItsProperFormsOnly) {
    for (const std::string_view text :
         {"",         ".",         "1",        "1.2.3",    "1.2.3.",        "1.2.3.4.",          ".1.2.3.4",
          "1..2.3",   "01.2.3.4",  "1.2.3.+4", "1.2.3.-4", "1.2.3.4 ",      " 1.2.3.4",          "256.1.1.1",
          "1.2.3.4x", "0x1.2.3.4", ":",        ":::",      "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "g::1",
          "::1%lo",   "fe80::1%1", "[::1",     "::1]"}) {
        EXPECT_FALSE(Address::parse(text)) << text;
    }
    EXPECT_EQ(Address::parse("0.0.0.0")->text(), "0.0.0.0");
    EXPECT_EQ(Address::parse("[1:0:0:2::]")->text(), "[1:0:0:2::]");
    EXPECT_EQ(Address::parse("::ffff:1.2.3.4"), Address::parse("1.2.3.4"));
}

TEST(Allow, RulesNameHostsAndPorts) {
    const AllowList exact = allow({"a.example"});
    EXPECT_TRUE(admits(exact, "http://a.example/x"));
    EXPECT_TRUE(admits(exact, "https://A.EXAMPLE./x"));
    EXPECT_TRUE(admits(exact, "https://a.example:80/"));
    for (const std::string_view url :
         {"http://a.example:81/", "http://b.a.example/", "http://aa.example/", "http://a.example.b/",
          "http://a.example.com/", "http://example/", "http://8.8.8.8/"}) {
        EXPECT_FALSE(admits(exact, url)) << url;
    }

    const AllowList port = allow({"a.example:8080"});
    EXPECT_TRUE(admits(port, "http://a.example:8080/"));
    EXPECT_FALSE(admits(port, "http://a.example/"));

    const AllowList below = allow({"*.a.example"});
    EXPECT_TRUE(admits(below, "http://b.a.example/"));
    EXPECT_TRUE(admits(below, "http://c.b.a.example/"));
    for (const std::string_view url : {"http://a.example/", "http://ba.example/", "http://b.a.example.c/"}) {
        EXPECT_FALSE(admits(below, url)) << url;
    }

    const AllowList all = allow({"*"});
    EXPECT_TRUE(admits(all, "http://a.example/"));
    EXPECT_TRUE(admits(all, "http://8.8.8.8/"));
    EXPECT_TRUE(admits(all, "https://[2606:4700::1111]/"));
    for (const std::string_view url :
         {"http://a.example:22/", "http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/",
          "http://[::ffff:10.0.0.1]/", "http://[fd00:ec2::254]/", "http://0.0.0.0/"}) {
        EXPECT_FALSE(admits(all, url)) << url;
    }
    EXPECT_TRUE(admits(allow({"*:22"}), "http://a.example:22/"));
    EXPECT_FALSE(admits(AllowList{}, "http://a.example/"));
}

TEST(Allow, ARuleMayNameAnAddressThatIsNotPublic) {
    const AllowList list = allow({"*:81", "127.0.0.1:81", "[::1]", "10.0.0.1"});
    EXPECT_TRUE(admits(list, "http://127.0.0.1:81/"));
    EXPECT_TRUE(admits(list, "http://[::ffff:127.0.0.1]:81/"));
    EXPECT_TRUE(admits(list, "http://[0:0::1]/"));
    EXPECT_FALSE(admits(list, "http://127.0.0.1/"));
    EXPECT_FALSE(admits(list, "http://127.0.0.2:81/"));
    EXPECT_FALSE(admits(list, "http://[::1]:81/"));
    EXPECT_TRUE(list.check(*Address::parse("127.0.0.1"), 81));
    EXPECT_FALSE(list.check(*Address::parse("127.0.0.1"), 80));
    EXPECT_TRUE(list.check(*Address::parse("10.0.0.1"), 443));
    EXPECT_TRUE(list.check(*Address::parse("8.8.8.8"), 81));
    EXPECT_FALSE(list.check(*Address::parse("10.0.0.2"), 80));
}

TEST(Allow, MalformedRulesAreRefused) {
    for (const std::string_view rule : {"",
                                        ":80",
                                        "*:",
                                        "*.",
                                        "*.*",
                                        "**",
                                        "*a.example",
                                        "a.*",
                                        "*.1.2.3.4",
                                        "127.1",
                                        "0x7f.1",
                                        "::1",
                                        "[::1",
                                        "a.example:",
                                        "a.example:0",
                                        "a.example:99999",
                                        "a.example:http",
                                        "http://a.example",
                                        "a.example/x",
                                        "a@b",
                                        "a b",
                                        "*.[::1]",
                                        "10.0.0.0/8"}) {
        AllowList list;
        EXPECT_FALSE(list.add(rule)) << rule;
        EXPECT_TRUE(list.empty());
    }
}

TEST(Allow, TellsWhetherNamesAreLookedUp) {
    EXPECT_FALSE(allow({"127.0.0.1:81", "[::1]"}).names_hosts());
    EXPECT_TRUE(allow({"127.0.0.1:81", "a.example"}).names_hosts());
    EXPECT_TRUE(allow({"*"}).names_hosts());
    EXPECT_NE(allow({"a.example"}).text(), allow({"*.a.example"}).text());
    EXPECT_NE(allow({"a.example"}).text(), allow({"a.example:80"}).text());
}

// Whatever comes out of a URL can stand in a request as it is, and means the same when it is read again.
TEST(Target, FuzzNothingThatIsTakenBreaksARequest) {
    std::mt19937 random(20261121);
    constexpr std::string_view pieces[] = {
        "http", "https",  ":",        "/",  "//",    "@", "a.example", "127.0.0.1", "0x7f", "[",  "]",
        "::1",  "%0d%0a", "%2e",      "..", ".",     "?", "#",         " ",         "\r",   "\n", "\\",
        "\t",   "\xff",   "\xc3\xa9", "80", "65536", "{", "~",         "user",      "x.jpg"};
    const auto any = [&random](std::size_t count) {
        return std::uniform_int_distribution<std::size_t>{0, count - 1}(random);
    };
    const AllowList all = allow({"*"});
    int taken = 0;
    for (int round = 0; round < 200000; ++round) {
        std::string url = any(2) == 0 ? "http://a.example/" : any(2) == 0 ? "https://" : "";
        for (std::size_t i = any(8); i > 0; --i) {
            url += any(20) == 0 ? std::string(1, static_cast<char>(any(256)))
                                : std::string{pieces[any(std::size(pieces))]};
        }
        const auto target =
            any(2) == 0 ? parse_target(url) : follow(*parse_target("http://b.example/c/d?e"), url);
        if (!target) {
            EXPECT_TRUE(target.error().status == 400 || target.error().status == 403);
            continue;
        }
        ++taken;
        const std::string again = target->url();
        for (const char c : again) {
            ASSERT_TRUE(c > 0x20 && c < 0x7f) << url;
        }
        ASSERT_TRUE(target->uri.starts_with('/')) << url;
        ASSERT_EQ(target->uri.find('#'), std::string::npos) << url;
        ASSERT_EQ(target->host.find_first_of("@/\\?# "), std::string::npos) << url;
        ASSERT_EQ(parsed(again), again) << url;
        if (all.check(*target) && target->address) {
            ASSERT_TRUE(target->address->is_public()) << url;
        }
    }
    EXPECT_GT(taken, 1000);
}

}  // namespace
}  // namespace media
