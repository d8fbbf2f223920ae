#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <random>
#include <set>
#include <thread>

#include "core/store/layout.h"
#include "tests/core/store_fixture.h"

namespace media {
namespace {

namespace fs = std::filesystem;

const std::string url = "https://example.com/a.jpg";

// --- coming in

TEST_F(StoreTest, HashesWhatComesInPieces) {
    std::mt19937 random(1);
    std::string all;
    auto file = store().begin(1 << 20);
    ASSERT_TRUE(file);
    while (all.size() < 300000) {
        std::string piece(random() % 5000, '\0');
        std::generate(piece.begin(), piece.end(), [&] { return static_cast<char>(random()); });
        ASSERT_TRUE(file->write(bytes_of(piece)));
        all += piece;
    }
    EXPECT_TRUE(file->sha256().empty());
    ASSERT_TRUE(file->finish());
    ASSERT_TRUE(file->finish());
    EXPECT_EQ(file->size(), all.size());
    EXPECT_EQ(file->sha256(), key_of(all));
    std::string back(all.size(), '\0');
    ASSERT_EQ(pread(file->fd(), back.data(), back.size(), 0), static_cast<ssize_t>(all.size()));
    EXPECT_EQ(back, all);
    EXPECT_FALSE(file->write(bytes_of("x")));
}

TEST_F(StoreTest, DigestsOfNothingAndOfAbc) {
    auto file = store().begin(3);
    ASSERT_TRUE(file && file->finish());
    EXPECT_EQ(file->md5(), "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(file->sha256(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    file = store().begin(3);
    ASSERT_TRUE(file && file->write(bytes_of("abc")) && file->finish());
    EXPECT_EQ(file->md5(), "900150983cd24fb0d6963f7d28e17f72");  // RFC 1321, A.5
    EXPECT_EQ(file->sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(StoreTest, TakesNoMoreThanTheLimit) {
    auto file = store().begin(10);
    ASSERT_TRUE(file->write(bytes_of("0123456789")));
    const Status more = file->write(bytes_of("a"));
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().status, 413);
    // What is not whole is not published.
    const auto published = store().publish(std::move(*file), facts());
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().status, 500);
    EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, LeavesNothingOfWhatIsNotPublished) {
    {
        auto file = store().begin(100);
        ASSERT_TRUE(file->write(bytes_of("abc")));
        EXPECT_EQ(files().size(), 1U);
        Incoming moved = std::move(*file);
        EXPECT_EQ(files().size(), 1U);
    }
    EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, SaysThatItDoesNotExist) {
    const Store nowhere((folder / "not-there").string());
    const auto file = nowhere.begin(100);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().status, 500);
    EXPECT_EQ(file.error().cause, ENOENT);
    EXPECT_EQ(file.error().detail.find('/'), std::string::npos);
    EXPECT_FALSE(fs::exists(folder / "not-there"));
    EXPECT_EQ(nowhere.find(std::string(64, 'a')).error().status, 404);
    EXPECT_EQ(nowhere.remove(std::string(64, 'a')).error().status, 404);
    EXPECT_EQ(nowhere.find_by_source("x").error().status, 404);
    EXPECT_FALSE(nowhere.list("", 1));
    EXPECT_TRUE(nowhere.mend());
}

// --- publishing

TEST_F(StoreTest, PublishesAFileWithItsRecord) {
    std::vector<std::string> seen;
    const std::string key = key_of("abc");
    const auto made = put("abc", facts(url), [&](const Record& record, bool created) -> Status {
        EXPECT_TRUE(created);
        EXPECT_EQ(store().find(record.key)->to_json(""), record.to_json(""));
        seen.push_back(record.key);
        return Nothing{};
    });
    ASSERT_TRUE(made) << made.error().detail;
    EXPECT_TRUE(made->created);
    EXPECT_EQ(seen, std::vector{key});
    const Record& record = made->record;
    EXPECT_EQ(record.key, key);
    EXPECT_EQ(record.sha256, key);
    EXPECT_EQ(record.md5, "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(record.bytes, 3U);
    EXPECT_EQ(record.extension, "jpg");
    std::tm time{};
    const char* const end = strptime(record.created.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
    EXPECT_TRUE(end != nullptr && *end == '\0' && record.created.size() == 20) << record.created;
    EXPECT_NEAR(static_cast<double>(timegm(&time)), static_cast<double>(std::time(nullptr)), 300);
    EXPECT_EQ(text_of(record.path()), "abc");
    const std::string place = key.substr(0, 2) + '/' + key.substr(2, 2) + '/' + key;
    EXPECT_EQ(record.path(), place + ".jpg");
    EXPECT_EQ(text_of(place + ".json"), record.to_json(""));
    EXPECT_EQ(files().size(), 3U);  // and the entry of the index
    for (const auto& found : {store().find(key), store().find_by_source(url)}) {
        ASSERT_TRUE(found);
        EXPECT_EQ(found->to_json(""), record.to_json(""));
    }
    struct stat of_original {};
    struct stat of_record {};
    ASSERT_EQ(stat((folder / record.path()).c_str(), &of_original), 0);
    ASSERT_EQ(stat((folder / (place + ".json")).c_str(), &of_record), 0);
    EXPECT_EQ(of_record.st_mode & 077U, 0U);
    EXPECT_EQ(of_original.st_nlink, 1U);
    EXPECT_EQ(of_record.st_nlink, 1U);
}

TEST_F(StoreTest, StoresTheSameBytesOnce) {
    ASSERT_TRUE(put("abc", facts(url)));
    const std::string before = store().find(key_of("abc"))->to_json("");
    Record others = facts(url);
    others.subject = "bob";
    others.width = 7;
    bool created = true;
    const auto again = put("abc", others, [&](const Record& record, bool is_new) -> Status {
        created = is_new;
        EXPECT_EQ(record.subject, "ann");
        return Nothing{};
    });
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->created);
    EXPECT_FALSE(created);
    EXPECT_EQ(again->record.to_json(""), before);
    EXPECT_EQ(store().find(key_of("abc"))->to_json(""), before);
    EXPECT_EQ(files().size(), 3U);
}

TEST_F(StoreTest, AnotherUrlLeadsToTheSameBytes) {
    ASSERT_TRUE(put("abc", facts(url)));
    const auto again = put("abc", facts(url + "?2"));
    ASSERT_TRUE(again && !again->created);
    EXPECT_EQ(again->record.source, url);
    EXPECT_EQ(again->record.sources, std::vector{url + "?2"});
    EXPECT_EQ(store().find_by_source(url)->key, key_of("abc"));
    EXPECT_EQ(store().find_by_source(url + "?2")->key, key_of("abc"));
    EXPECT_EQ(store().find_by_source(url + "?3").error().status, 404);
    // Bytes that came without a URL learn of one as well.
    ASSERT_TRUE(put("def"));
    ASSERT_TRUE(put("def", facts(url + "?3")));
    EXPECT_EQ(store().find_by_source(url + "?3")->key, key_of("def"));
    ASSERT_TRUE(store().remove(key_of("abc")));
    EXPECT_EQ(store().find_by_source(url).error().status, 404);
    EXPECT_EQ(store().find_by_source(url + "?2").error().status, 404);
    EXPECT_EQ(files().size(), 3U);
}

TEST_F(StoreTest, AUrlLeadsToWhatItGaveLast) {
    ASSERT_TRUE(put("abc", facts(url)));
    ASSERT_TRUE(put("def", facts(url)));
    EXPECT_EQ(store().find_by_source(url)->key, key_of("def"));
    // What goes now is not what the URL leads to.
    ASSERT_TRUE(store().remove(key_of("abc")));
    EXPECT_EQ(store().find_by_source(url)->key, key_of("def"));
    ASSERT_TRUE(put("abc", facts(url)));
    ASSERT_TRUE(store().remove(key_of("abc")));
    EXPECT_EQ(store().find_by_source(url).error().status, 404);
    ASSERT_TRUE(put("def", facts(url)));
    EXPECT_EQ(store().find_by_source(url)->key, key_of("def"));
}

TEST_F(StoreTest, AnEntryIsNoTrueOneWithoutTheRecord) {
    ASSERT_TRUE(put("abc", facts(url)));
    const std::string entry = files().front();
    ASSERT_TRUE(entry.starts_with(".sources/")) << entry;
    const std::string key = text_of(entry);
    ASSERT_TRUE(store().remove(key));
    fs::create_directories((folder / entry).parent_path());
    overwrite(entry, key);
    EXPECT_EQ(store().find_by_source(url).error().status, 404);
    ASSERT_TRUE(put("abc"));  // not from there
    EXPECT_EQ(store().find_by_source(url).error().status, 404);
    for (const std::string& damage : {std::string(), std::string("../../etc/passwd"), std::string(64, 'G'),
                                      key + "\n", std::string(100000, 'a')}) {
        overwrite(entry, damage);
        EXPECT_EQ(store().find_by_source(url).error().status, 404);
    }
    ASSERT_TRUE(put("abc", facts(url)));
    EXPECT_EQ(store().find_by_source(url)->key, key);
}

TEST_F(StoreTest, RemembersSoManyUrlsAndNoMore) {
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(put("abc", facts(url + std::to_string(i))));
    }
    EXPECT_EQ(store().find(key_of("abc"))->sources.size(), 64U);
    EXPECT_TRUE(store().find_by_source(url + "64"));
    EXPECT_EQ(store().find_by_source(url + "65").error().status, 404);
    ASSERT_TRUE(store().remove(key_of("abc")));
    EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, RefusesFactsThatMakeNoRecord) {
    std::vector<Record> wrong(7, facts());
    wrong[0].type = "text/html";
    wrong[1].width = 0;
    wrong[2].pages = -1;
    wrong[3].claims = "[1]";
    wrong[4].claims = R"({"a":1,"a":2})";
    wrong[5].source = "https://\xFF";
    wrong[6].source = std::string(10000, 'a');
    for (const Record& record : wrong) {
        const auto made = put("abc", record);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().status, 422);
        EXPECT_TRUE(files().empty());
    }
    EXPECT_EQ(put("").error().status, 422);
}

TEST_F(StoreTest, AnErrorOfTheHookUndoesWhatIsNew) {
    const auto refuse = [](const Record&, bool) -> Status { return Error{507, "no room for the event"}; };
    auto made = put("abc", facts(url), refuse);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().status, 507);
    EXPECT_TRUE(files().empty());
    const auto crash = [](const Record&, bool) -> Status { throw std::bad_alloc(); };
    made = put("abc", facts(url), crash);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().status, 500);
    EXPECT_TRUE(files().empty());
    ASSERT_TRUE(put("abc", facts(url)));
    EXPECT_EQ(put("abc", facts(url), refuse).error().status, 507);
    EXPECT_TRUE(store().find(key_of("abc")));
    EXPECT_TRUE(store().find_by_source(url));
}

// --- damage

TEST_F(StoreTest, DamagedRecordsAreSaidToBeAndHealed) {
    const std::string key = key_of("abc");
    for (const std::string& damage : {std::string(), std::string("{"), std::string(3 << 20, ' '),
                                      std::string("{\"key\":1}"), put("other")->record.to_json("")}) {
        ASSERT_TRUE(put("abc"));
        const std::string name = store().find(key)->path().substr(0, 6) + key + ".json";
        overwrite(name, damage);
        EXPECT_EQ(store().find(key).error().status, 422);
        const auto page = store().list("", 10);
        EXPECT_EQ(page->records.size(), 1U);  // the other one
        const auto healed = put("abc");
        ASSERT_TRUE(healed);
        EXPECT_TRUE(healed->created);
        EXPECT_TRUE(store().find(key));
        overwrite(name, damage);
        const auto removed = store().remove(key);
        ASSERT_TRUE(removed);
        EXPECT_EQ(removed->key, key);
        EXPECT_EQ(removed->extension, "jpg");
        EXPECT_EQ(store().find(key).error().status, 404);
        EXPECT_EQ(files().size(), 2U);
    }
}

TEST_F(StoreTest, OriginalsOfAnotherSizeAreReplaced) {
    ASSERT_TRUE(put("abc"));
    const std::string key = key_of("abc");
    const std::string path = store().find(key)->path();
    for (const bool gone : {false, true}) {
        if (gone) {
            fs::remove(folder / path);
        } else {
            overwrite(path, "ab");
        }
        EXPECT_EQ(store().find(key).error().status, 404);
        const auto again = put("abc");
        ASSERT_TRUE(again && again->created);
        EXPECT_EQ(text_of(path), "abc");
    }
    // An original without a record is no original, but can be removed.
    fs::remove(folder / (path.substr(0, 6) + key + ".json"));
    EXPECT_EQ(store().find(key).error().status, 404);
    EXPECT_TRUE(store().remove(key));
    EXPECT_TRUE(files().empty());
}

TEST_F(StoreTest, OddThingsInTheFolderDoNoHarm) {
    ASSERT_TRUE(put("abc"));
    const std::string key = key_of("abc");
    const fs::path shard = folder / key.substr(0, 2) / key.substr(2, 2);
    const std::string other = key.substr(0, 4) + std::string(60, '1');
    fs::create_directory(shard / (other + ".json"));
    const std::string third = key.substr(0, 4) + std::string(60, '2');
    ASSERT_EQ(mkfifo((shard / (third + ".json")).c_str(), 0600), 0);
    const std::string fourth = key.substr(0, 4) + std::string(60, '3');
    fs::create_symlink("/etc/passwd", shard / (fourth + ".json"));
    std::ofstream(folder / "zz") << "a file";
    std::ofstream(folder / "00") << "a file where a folder is";
    for (const std::string& each : {other, third, fourth}) {
        EXPECT_EQ(store().find(each).error().status, 404);
    }
    fs::remove(folder / "00");
    EXPECT_EQ(store().list("", 10)->records.size(), 1U);
}

TEST_F(StoreTest, HostileKeysLeadNowhere) {
    ASSERT_TRUE(put("abc"));
    const std::string key = key_of("abc");
    std::string upper = key;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](char c) { return static_cast<char>(std::toupper(c)); });
    for (const std::string& text :
         {std::string(), std::string("../../etc/passwd"), key + ".json", key + '/', upper,
          std::string("..") + '/' + key.substr(3), std::string(1 << 20, 'a'), key.substr(0, 63) + '\0'}) {
        EXPECT_EQ(store().find(text).error().status, 404);
        EXPECT_EQ(store().remove(text).error().status, 404);
        if (!text.empty()) {
            EXPECT_EQ(store().list(text, 1).error().status, 400);
        }
    }
    EXPECT_TRUE(store().find(key));
}

// --- removing

TEST_F(StoreTest, RemovesAllThatBelongsToAKey) {
    ASSERT_TRUE(put("abc", facts(url)));
    int calls = 0;
    const auto removed = store().remove(key_of("abc"), [&](const Record& record) -> Status {
        ++calls;
        EXPECT_EQ(record.source, url);
        EXPECT_EQ(store().find(record.key).error().status, 404);
        EXPECT_FALSE(fs::exists(folder / record.path()));
        return Nothing{};
    });
    ASSERT_TRUE(removed);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(removed->subject, "ann");
    EXPECT_TRUE(files().empty());
    EXPECT_FALSE(fs::exists(folder / key_of("abc").substr(0, 2)));  // no trail of empty folders
    EXPECT_EQ(store().remove(key_of("abc")).error().status, 404);
}

TEST_F(StoreTest, WhatTheHookCouldNotDoIsDoneLater) {
    ASSERT_TRUE(put("abc", facts(url)));
    const auto refuse = [](const Record&) -> Status { return Error{507, "no room"}; };
    ASSERT_TRUE(store().remove(key_of("abc"), refuse));
    EXPECT_EQ(files().size(), 1U);  // the intent
    EXPECT_EQ(store().mend({}, refuse).error().status, 507);
    std::vector<std::string> told;
    EXPECT_TRUE(store().mend({}, [&](const Record& record) -> Status {
        told.push_back(record.source);
        return Nothing{};
    }));
    EXPECT_EQ(told, std::vector{url});
    EXPECT_TRUE(files().empty());
}

// --- listing

TEST_F(StoreTest, ListsInOrderPageByPage) {
    std::set<std::string> all;
    for (int i = 0; i < 57; ++i) {
        ASSERT_TRUE(put("picture " + std::to_string(i)));
        all.insert(key_of("picture " + std::to_string(i)));
    }
    for (const std::size_t limit : {1, 7, 56, 57, 58, 1000}) {
        std::vector<std::string> seen;
        std::string after;
        std::size_t pages = 0;
        do {
            const auto page = store().list(after, limit);
            ASSERT_TRUE(page);
            EXPECT_LE(page->records.size(), limit);
            EXPECT_FALSE(page->records.empty());
            for (const Record& record : page->records) {
                seen.push_back(record.key);
            }
            after = page->next;
            ++pages;
        } while (!after.empty());
        EXPECT_EQ(seen, std::vector<std::string>(all.begin(), all.end()));
        EXPECT_EQ(pages, (57 + limit - 1) / limit);
    }
    // From keys that are not there.
    EXPECT_EQ(store().list(std::string(64, '0'), 1)->records.front().key, *all.begin());
    EXPECT_TRUE(store().list(std::string(64, 'f'), 1)->records.empty());
    EXPECT_TRUE(store().list(*all.rbegin(), 5)->records.empty());
}

TEST_F(StoreTest, ListsManyOfOneFolder) {
    // Keys cannot be had at will, so that records are written by hand.
    const Record record = put("abc")->record;
    ASSERT_TRUE(store().remove(record.key));
    fs::create_directories(folder / "ab/cd");
    for (int i = 0; i < 40; ++i) {
        Record each = record;
        each.key = each.sha256 = "abcd" + std::string(58, '0') + std::to_string(10 + i);
        overwrite(each.path(), "abc");
        overwrite("ab/cd/" + each.key + ".json", each.to_json(""));
    }
    std::string after;
    std::size_t count = 0;
    do {
        const auto page = store().list(after, 3);
        ASSERT_TRUE(page);
        count += page->records.size();
        after = page->next;
    } while (!after.empty());
    EXPECT_EQ(count, 40U);
}

// --- rejecting

TEST_F(StoreTest, PutsAwayWhatIsRejected) {
    for (int i = 0; i < 2; ++i) {
        auto file = store().begin(100);
        ASSERT_TRUE(file->write(bytes_of("abc")));
        int calls = 0;
        ASSERT_TRUE(
            store().reject(std::move(*file), facts(url), "\"rude\"", [&](const Record& record) -> Status {
                ++calls;
                EXPECT_EQ(record.key, key_of("abc"));
                return Nothing{};
            }));
        EXPECT_EQ(calls, 1);
        const std::string key = key_of("abc");
        const std::string place = ".rejected/" + key.substr(0, 2) + '/' + key.substr(2, 2) + '/' + key;
        EXPECT_EQ(files(), (std::vector{place + ".jpg", place + ".json"}));
        EXPECT_EQ(text_of(place + ".jpg"), "abc");
        const std::string json = text_of(place + ".json");
        EXPECT_NE(json.find(R"("reason":"\"rude\"")"), std::string::npos) << json;
        EXPECT_TRUE(Record::parse(json));
        EXPECT_TRUE(is_private(place + ".jpg"));
        EXPECT_EQ(store().find(key).error().status, 404);
        EXPECT_EQ(store().find_by_source(url).error().status, 404);
        EXPECT_TRUE(store().list("", 10)->records.empty());
    }
}

// --- many at once

TEST_F(StoreTest, OneOfManySendersCreates) {
    for (int round = 0; round < 10; ++round) {
        const std::string text = "round " + std::to_string(round);
        std::atomic<int> created{0};
        std::atomic<int> existed{0};
        std::vector<std::thread> senders;
        for (int i = 0; i < 8; ++i) {
            senders.emplace_back([&, i] {
                const auto made = put(text, facts(url + std::to_string(i)));
                ASSERT_TRUE(made);
                (made->created ? created : existed)++;
            });
        }
        for (std::thread& sender : senders) {
            sender.join();
        }
        EXPECT_EQ(created, 1);
        EXPECT_EQ(existed, 7);
        for (int i = 0; i < 8; ++i) {
            EXPECT_EQ(store().find_by_source(url + std::to_string(i))->key, key_of(text));
        }
    }
}

TEST_F(StoreTest, PublishingRemovingAndMendingAtOnceLeavesWholeThings) {
    const std::vector<std::string> texts{"a", "b", "c"};
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed < 6; ++seed) {
        threads.emplace_back([&, seed] {
            std::mt19937 random(seed);
            for (int i = 0; i < 60; ++i) {
                const std::string& text = texts[random() % texts.size()];
                if (random() % 2 == 0) {
                    const auto made = put(text, facts(url + std::to_string(random() % 3)));
                    wrong += made ? 0 : 1;
                } else {
                    const auto removed = store().remove(key_of(text));
                    wrong += removed || removed.error().status == 404 ? 0 : 1;
                }
            }
        });
    }
    std::thread mender([&] {
        while (!stop) {
            wrong += store().mend() ? 0 : 1;
            const auto page = store().list("", 10);
            wrong += page ? 0 : 1;
        }
    });
    for (std::thread& thread : threads) {
        thread.join();
    }
    stop = true;
    mender.join();
    EXPECT_EQ(wrong, 0);
    for (const std::string& text : texts) {
        if (const auto record = store().find(key_of(text))) {
            EXPECT_EQ(text_of(record->path()), text);
            ASSERT_TRUE(store().remove(record->key));
        }
    }
    EXPECT_TRUE(files().empty()) << files().front();
}

}  // namespace
}  // namespace media
