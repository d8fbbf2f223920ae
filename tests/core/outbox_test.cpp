#include "core/store/outbox.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "core/base/hash.h"

namespace media {
namespace {

namespace fs = std::filesystem;

const std::string key_a(64, 'a');
const std::string key_b(64, 'b');

class OutboxTest : public testing::Test {
  protected:
    OutboxTest() {
        std::string pattern = (fs::temp_directory_path() / "outbox-XXXXXX").string();
        store = mkdtemp(pattern.data());
        folder = store + "/.events";
        outbox.emplace(store);
    }
    ~OutboxTest() override { fs::remove_all(store); }

    void add(const std::string& key, std::string_view name = event_name::created) {
        const Status status = outbox->add({.id = {},
                                           .time = {},
                                           .name = std::string(name),
                                           .key = key,
                                           .record = R"({"key": "k"})",
                                           .subject = "me"});
        ASSERT_TRUE(status) << status.error().detail;
    }
    std::vector<Waiting> list() {
        auto found = outbox->list();
        return found ? *found : std::vector<Waiting>{};
    }

    std::string store;
    std::string folder;
    std::optional<Outbox> outbox;
};

TEST_F(OutboxTest, KeepsEventsInOrder) {
    add(key_a);
    add(key_b);
    add(key_a, event_name::deleted);
    const auto found = list();
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].key, key_a);
    EXPECT_EQ(found[1].key, key_b);
    EXPECT_EQ(found[2].key, key_a);
    const auto body = outbox->read(found[2]);
    ASSERT_TRUE(body);
    EXPECT_NE(body->find(R"("event": "original.deleted")"), std::string::npos) << *body;
    EXPECT_NE(body->find(R"("id": ")" + found[2].id), std::string::npos) << *body;
    EXPECT_NE(body->find(R"("record": {"key": "k"}, "subject": "me"})"), std::string::npos) << *body;
}

TEST_F(OutboxTest, OrderSurvivesAClockThatGoesBack) {
    add(key_a);
    // The clock was an hour ahead when this was written.
    std::ofstream(folder + "/.sequence") << "7fff000000000000";
    add(key_a);
    add(key_a);
    const auto found = list();
    ASSERT_EQ(found.size(), 3U);
    EXPECT_TRUE(found[1].id.starts_with("7fff000000000001"));
    EXPECT_TRUE(found[2].id.starts_with("7fff000000000002"));
}

TEST_F(OutboxTest, ManyWritersNeverTakeOneNumber) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([this] {
            const Outbox mine{store};
            for (int n = 0; n < 20; ++n) {
                EXPECT_TRUE(mine.add({.id = {},
                                      .time = {},
                                      .name = "original.created",
                                      .key = key_a,
                                      .record = {},
                                      .subject = {}}));
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    std::set<std::string> numbers;
    for (const Waiting& waiting : list()) {
        numbers.insert(waiting.id.substr(0, 16));
    }
    EXPECT_EQ(numbers.size(), 160U);
}

TEST_F(OutboxTest, RemembersWhoHasIt) {
    add(key_a);
    Waiting waiting = list().at(0);
    EXPECT_FALSE(waiting.delivered_to("0011"));
    ASSERT_TRUE(outbox->mark(waiting, {"0011"}));
    ASSERT_TRUE(outbox->mark(waiting, {"0011", "22ff"}));
    const auto found = list();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].delivered, (std::vector<std::string>{"0011", "22ff"}));
    EXPECT_TRUE(outbox->read(found[0]));
    ASSERT_TRUE(outbox->remove(found[0]));
    EXPECT_TRUE(outbox->remove(found[0])) << "gone is gone";
    EXPECT_TRUE(list().empty());
    const auto gone = outbox->read(found[0]);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().status, 404);
}

TEST_F(OutboxTest, OneDeliversAtATime) {
    auto first = outbox->claim();
    ASSERT_TRUE(first && *first);
    auto second = Outbox{store}.claim();
    ASSERT_TRUE(second);
    EXPECT_FALSE(*second) << "another has it";
    *first = Fd();
    auto third = outbox->claim();
    EXPECT_TRUE(third && *third);
}

TEST_F(OutboxTest, SetsDamagedOnesAside) {
    add(key_a);
    const Waiting waiting = list().at(0);
    EXPECT_TRUE(outbox->set_aside(waiting));
    EXPECT_TRUE(list().empty());
    EXPECT_TRUE(fs::exists(folder + '/' + waiting.file() + ".damaged"));
}

TEST_F(OutboxTest, DoesNotShowWhatIsBeingWritten) {
    add(key_a);
    const Waiting first = list().at(0);
    // A later number was taken and its file is there; who looks has read the number before.
    const Waiting later{"7fff000000000000" + first.id.substr(16), key_a, {}};
    fs::copy_file(folder + '/' + first.file(), folder + '/' + later.file());
    EXPECT_EQ(list().size(), 1U);
    fs::remove(folder + "/.sequence");
    EXPECT_EQ(list().size(), 2U) << "of a store that was copied without it all are shown";
}

TEST_F(OutboxTest, RefusesWhatIsNoKey) {
    for (const std::string key :
         {"", "abc", "../../../../../../../../../../../../../../../../../../../../../x"}) {
        const Status status =
            outbox->add({.id = {}, .time = {}, .name = "x", .key = key, .record = {}, .subject = {}});
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().status, 422);
    }
    EXPECT_TRUE(list().empty());
}

TEST_F(OutboxTest, SaysWhereItCannotWrite) {
    const Outbox nowhere{store + "/missing"};
    const Status status =
        nowhere.add({.id = {}, .time = {}, .name = "x", .key = key_a, .record = {}, .subject = {}});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().status, 500);
    EXPECT_EQ(status.error().detail.find(store), std::string::npos) << "no path of the server";
    EXPECT_FALSE(nowhere.list());
    EXPECT_FALSE(nowhere.claim());
}

TEST(WaitingTest, NamesOfFiles) {
    Waiting waiting;
    const std::string id = "00064f0000000001-0123456789abcdef0123456789abcdef";
    ASSERT_TRUE(Waiting::parse(id + "-" + key_a + ".json", waiting));
    EXPECT_EQ(waiting.id, id);
    EXPECT_EQ(waiting.key, key_a);
    EXPECT_TRUE(waiting.delivered.empty());
    ASSERT_TRUE(Waiting::parse(id + "-" + key_a + ".00ff.1234abcd.json", waiting));
    EXPECT_EQ(waiting.file(), id + "-" + key_a + ".00ff.1234abcd.json");
    for (const std::string& wrong :
         {id + "-" + key_a, id + "-" + key_a + ".json.tmp", id + "-" + key_a + "..json",
          id + "-" + key_a + ".x.json", id + "-" + key_a + "x.json", id + "_" + key_a + ".json",
          id + "-" + key_a + ".0123456789abcdef0.json", id.substr(1) + "-" + key_a + ".json",
          std::string(".sequence"), std::string(".json"), std::string()}) {
        EXPECT_FALSE(Waiting::parse(wrong, waiting)) << wrong;
    }
}

TEST(EventTest, Json) {
    Event event{.id = "i", .time = "t", .name = "original.created", .key = "k", .record = {}, .subject = {}};
    EXPECT_EQ(
        event.to_json(),
        R"({"id": "i", "time": "t", "event": "original.created", "key": "k", "record": null, "subject": null})");
    event.subject = "a\"b\n";
    event.record = "{}";
    EXPECT_EQ(
        event.to_json(),
        R"({"id": "i", "time": "t", "event": "original.created", "key": "k", "record": {}, "subject": "a\"b\n"})");
}

TEST(EventTest, NameInABody) {
    const Event event{
        .id = "i", .time = "t", .name = "original.deleted", .key = "k", .record = {}, .subject = {}};
    EXPECT_EQ(event_in(event.to_json()), "original.deleted");
    for (const char* wrong : {"", "{", "[]", "{}", R"({"event": 1})", R"({"event": "a", "event": "b"})"}) {
        EXPECT_EQ(event_in(wrong), "") << wrong;
    }
}

TEST(EventTest, Signatures) {
    // RFC 4231, test case 2, spelled as a time and a body.
    const std::string key = "Jefe";
    EXPECT_EQ(hex(hmac_sha256(bytes_of(key), bytes_of("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(sign_event(bytes_of(key), 1700000000, "{}"),
              "t=1700000000,v1=" + hex(hmac_sha256(bytes_of(key), bytes_of("1700000000.{}"))));
}

}  // namespace
}  // namespace media
