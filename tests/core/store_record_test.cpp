#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/store/layout.h"
#include "core/store/record.h"

namespace media {
namespace {

// --- layout

TEST(StoreLayout, PrivatePathsAreToldApart) {
    const std::string key(64, 'a');
    const std::string upper(64, 'A');
    for (const std::string& path :
         {std::string(".incoming"), std::string("/.incoming/x"), std::string(".events/1/2"),
          std::string("//.sources/ab/x"), std::string(".rejected/ab/cd/x.jpg"),
          std::string("uploads/.incoming/x"), std::string("./.incoming/x"), std::string(".INCOMING/x"),
          "ab/cd/" + key + ".json", key + ".json", "/ab/cd/" + upper + ".JSON", "ab/cd/" + key + ".json/"}) {
        EXPECT_TRUE(is_private(path)) << path;
    }
    for (const std::string& path :
         {std::string(), std::string("/"), "ab/cd/" + key + ".jpg", "ab/cd/" + key + "0.json",
          "ab/" + key.substr(1) + ".json", std::string("photo.json"), std::string(".incomin"),
          std::string(".incoming2/x"), std::string("x.incoming"), std::string("..")}) {
        EXPECT_FALSE(is_private(path)) << path;
    }
}

TEST(StoreLayout, KeysAreLowerCaseHexOfTheirLength) {
    EXPECT_TRUE(is_key(std::string(64, '0')));
    EXPECT_TRUE(is_key(std::string(64, 'f')));
    for (const std::string& text :
         {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'),
          std::string(64, 'g'), std::string(63, 'a') + '\0', std::string("../") + std::string(61, 'a')}) {
        EXPECT_FALSE(is_key(text)) << text;
    }
}

// --- records

Record whole() {
    const std::string key(64, 'a');
    return {.key = key,
            .extension = "png",
            .type = "image/png",
            .bytes = 482113,
            .width = 2725,
            .height = 2225,
            .pages = 3,
            .sha256 = key,
            .md5 = std::string(32, 'b'),
            .source = "https://example.com/\xC3\xA4?\"q\"",
            .created = "2026-11-21T10:00:00Z",
            .subject = "a\\n\n",
            .claims = R"({"a":[1,2.5,null],"b":"\u0000x"})",
            .sources = {"https://b", "https://c"}};
}

TEST(StoreRecord, ComesBackFromItsJson) {
    for (Record record : {whole(), Record{.key = std::string(64, 'a'),
                                   .extension = "jpg",
                                   .type = "image/jpeg",
                                   .bytes = 1,
                                   .width = 1,
                                   .height = 1,
                                   .sha256 = std::string(64, 'a'),
                                   .md5 = std::string(32, '0'),
                                   .created = "2026-11-21T10:00:00Z"}}) {
        const auto read = Record::parse(record.to_json(""));
        ASSERT_TRUE(read) << read.error().detail;
        EXPECT_EQ(read->to_json(""), record.to_json(""));
        EXPECT_EQ(read->extension, record.extension);
        EXPECT_EQ(read->sources, record.sources);
        // What is told to others can be read as well.
        EXPECT_TRUE(Record::parse(record.to_json("/img/x.png")));
    }
}

TEST(StoreRecord, IsToldInTheContractsWords) {
    const Record record = whole();
    EXPECT_EQ(record.path(), "aa/aa/" + record.key + ".png");
    EXPECT_EQ(
        record.item_json("created", "/img/" + record.path()),
        R"({"status":"created","key":")" + record.key + R"(","url":"/img/aa/aa/)" + record.key +
            R"(.png","type":"image/png","bytes":482113,"width":2725,"height":2225,"pages":3,"sha256":")" +
            record.key +
            R"(","md5":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","source":"https://example.com/ä?\"q\"",)"
            R"("created":"2026-11-21T10:00:00Z"})");
    const std::string json = record.to_json("");
    EXPECT_EQ(json.find("\"url\""), std::string::npos);
    EXPECT_NE(
        json.find(
            R"("subject":"a\\n\n","claims":{"a":[1,2.5,null],"b":"\u0000x"},"sources":["https://b","https://c"]})"),
        std::string::npos);
}

TEST(StoreRecord, NothingElseIsARecord) {
    const std::string good = whole().to_json("");
    ASSERT_TRUE(Record::parse(good));
    const auto with = [&good](const std::string& from, const std::string& to) {
        const auto at = good.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return std::string(good).replace(at, from.size(), to);
    };
    const std::string key(64, 'a');
    for (const std::string& text : {
             std::string(),
             std::string("null"),
             std::string("[]"),
             std::string("{}"),
             std::string(R"("text")"),
             std::string(100000, '['),
             good + good,
             good.substr(0, good.size() - 1),
             '\0' + good,
             with("\"type\":\"image/png\"", "\"type\":\"text/html\""),
             with("\"type\":\"image/png\"", "\"type\":7"),
             with("\"bytes\":482113", "\"bytes\":0"),
             with("\"bytes\":482113", "\"bytes\":-1"),
             with("\"bytes\":482113", "\"bytes\":1.5"),
             with("\"bytes\":482113", "\"bytes\":99999999999999999999"),
             with("\"width\":2725", "\"width\":0"),
             with("\"width\":2725", "\"width\":2147483648"),
             with("\"width\":2725", "\"width\":\"1\""),
             with("\"pages\":3", "\"pages\":null"),
             with("\"height\":2225,", ""),
             with("\"key\":\"" + key + '"', "\"key\":\"../../../etc/passwd\""),
             with("\"key\":\"" + key + '"', "\"key\":\"" + std::string(64, 'b') + '"'),
             with("\"sha256\":\"" + key + "\",", ""),
             with("\"md5\":\"bb", "\"md5\":\"BB"),
             with("\"claims\":{", "\"claims\":[{") + "]",
             with("\"sources\":[", "\"sources\":[7,"),
             with("\"sources\":[", "\"sources\":{}, \"x\":["),
             with("\"pages\":3", "\"pages\":3,\"pages\":4"),
         }) {
        const auto read = Record::parse(text);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().status, 422);
    }
}

TEST(StoreRecord, FuzzDamageIsNoCrash) {
    std::mt19937 random(7);
    const std::string good = whole().to_json("");
    for (int i = 0; i < 20000; ++i) {
        std::string text = good;
        for (std::size_t edits = random() % 3 + 1; edits > 0; --edits) {
            const std::size_t at = random() % text.size();
            if (random() % 3 == 0) {
                text.resize(at + 1);
            } else {
                text[at] = static_cast<char>(random());
            }
        }
        if (const auto read = Record::parse(text)) {
            EXPECT_TRUE(is_key(read->key));
            EXPECT_FALSE(read->extension.empty());
        } else {
            EXPECT_EQ(read.error().status, 422);
        }
    }
}

TEST(StoreRecord, TimeIsInUtc) {
    EXPECT_EQ(utc_time(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(utc_time(1'795'255'200), "2026-11-21T10:00:00Z");
}

}  // namespace
}  // namespace media
