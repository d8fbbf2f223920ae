#include "core/store/audit.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/core/store_fixture.h"

namespace media {
namespace {

namespace fs = std::filesystem;

const std::string url = "https://example.com/a.jpg";

class AuditTest : public StoreTest {
  protected:
    using Found = std::map<std::string, std::string>;

    Found findings() const {
        Found found;
        const auto done =
            audit(folder, [&found](const std::string& name, std::string_view what) { found[name] = what; });
        EXPECT_TRUE(done);
        EXPECT_EQ(done->wrong, found.size());
        return found;
    }
    std::string record_of(std::string_view text) const {
        const std::string path = store().find(key_of(text))->path();
        return path.substr(0, path.rfind('.')) + ".json";
    }
    std::string entry_of(const std::string& address) const {
        const std::string name = key_of(address);
        return ".sources/" + name.substr(0, 2) + '/' + name;
    }
};

TEST_F(AuditTest, FindsNothingWrongWithAStore) {
    EXPECT_EQ(audit(folder, {})->originals, 0U);
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(put("picture " + std::to_string(i % 15), facts(url + std::to_string(i))));
    }
    const auto incoming = store().begin(10);
    EXPECT_TRUE(findings().empty());
    EXPECT_EQ(audit(folder, {})->originals, 15U);
    EXPECT_EQ(audit((folder / "not-there").string(), {}).error().status, 500);
}

TEST_F(AuditTest, FindsWhatIsWrong) {
    ASSERT_TRUE(put("whole", facts(url)));
    ASSERT_TRUE(put("flipped"));
    ASSERT_TRUE(put("short"));
    ASSERT_TRUE(put("gone"));
    ASSERT_TRUE(put("damaged"));
    ASSERT_TRUE(put("unrecorded"));
    ASSERT_TRUE(put("unindexed", facts(url + "?2")));
    const std::string flipped = store().find(key_of("flipped"))->path();
    const std::string shortened = store().find(key_of("short"))->path();
    const std::string gone = record_of("gone");
    const std::string damaged = record_of("damaged");
    const std::string unrecorded = store().find(key_of("unrecorded"))->path();
    const std::string unindexed = record_of("unindexed");
    overwrite(flipped, "fLipped");
    overwrite(shortened, "shor");
    fs::remove(folder / store().find(key_of("gone"))->path());
    overwrite(damaged, "{");
    fs::remove(folder / record_of("unrecorded"));
    fs::remove(folder / entry_of(url + "?2"));
    const std::string stale = entry_of(url + "?3");
    fs::create_directories((folder / stale).parent_path());
    overwrite(stale, key_of("whole"));
    const std::string stranger = gone.substr(0, 6) + "notes.txt";
    overwrite(stranger, "x");
    const std::string damaged_original = damaged.substr(0, damaged.rfind('.')) + ".jpg";
    const Found expected{{flipped, "is not what its record says"},
                         {shortened, "is not what its record says"},
                         {gone, "has no original"},
                         {damaged, "is damaged"},
                         {damaged_original, "has no record"},
                         {unrecorded, "has no record"},
                         {unindexed, "has a source that does not lead to it"},
                         {stale, "leads nowhere"},
                         {stranger, "does not belong here"}};
    EXPECT_EQ(findings(), expected);
    EXPECT_EQ(findings(), expected);  // nothing was changed
}

TEST_F(AuditTest, MakesTheIndexAnew) {
    ASSERT_TRUE(put("a", facts(url)));
    ASSERT_TRUE(put("a", facts(url + "?also")));
    ASSERT_TRUE(put("b", facts(url + "?b")));
    ASSERT_TRUE(put("c", facts(url)));  // what it gives now
    fs::remove_all(folder / ".sources");
    ASSERT_TRUE(rebuild_index(folder));
    EXPECT_EQ(store().find_by_source(url + "?also")->key, key_of("a"));
    EXPECT_EQ(store().find_by_source(url + "?b")->key, key_of("b"));
    EXPECT_TRUE(store().find_by_source(url));  // one of the two: their order is not known any more
    // What is there stays, what leads nowhere goes.
    ASSERT_TRUE(put("a", facts(url)));
    overwrite(entry_of(url + "?b"), key_of("a"));
    overwrite(entry_of(url + "?also"), "");
    const std::string stale = entry_of(url + "?d");
    fs::create_directories((folder / stale).parent_path());
    overwrite(stale, std::string(64, '0'));
    ASSERT_TRUE(rebuild_index(folder));
    EXPECT_EQ(store().find_by_source(url)->key, key_of("a"));
    EXPECT_EQ(store().find_by_source(url + "?also")->key, key_of("a"));
    EXPECT_FALSE(fs::exists(folder / stale));
    EXPECT_EQ(store().find_by_source(url + "?b")->key, key_of("b"));
    EXPECT_TRUE(findings().empty());
}

TEST_F(AuditTest, GoesThroughRecordsUntilToldToStop) {
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(put(std::to_string(i)));
    }
    int count = 0;
    std::string last;
    EXPECT_TRUE(each_record(folder, [&](const Record& record) -> Status {
        EXPECT_LT(last, record.key);
        last = record.key;
        ++count;
        return Nothing{};
    }));
    EXPECT_EQ(count, 10);
    const Status stopped = each_record(folder, [&](const Record&) -> Status {
        return --count == 5 ? Status{Error{418, "enough"}} : Status{Nothing{}};
    });
    EXPECT_EQ(stopped.error().status, 418);
    EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace media
