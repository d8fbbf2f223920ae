#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <new>
#include <random>

#include "core/rendition/parse.h"
#include "core/share/purge_index.h"
#include "core/share/purge_record.h"

namespace media {
namespace {

constexpr std::uint64_t start = 1'700'000'000'000'000;  // microseconds
constexpr std::uint64_t second = 1'000'000;
constexpr std::uint32_t lifetime = 1000;  // seconds

const PurgeScope original{.server = "a", .path = "/img/a.jpg", .preset = "", .prefix = false};
const PurgeScope of_card{.server = "a", .path = "/img/a.jpg", .preset = "card", .prefix = false};
const PurgeScope folder{.server = "a", .path = "/img/", .preset = "", .prefix = true};
const PurgeScope folder_of_card{.server = "a", .path = "/img/", .preset = "card", .prefix = true};

// --- records

TEST(PurgeRecord, ScopesAreToldApart) {
    const PurgeScope scopes[] = {
        original,
        of_card,
        folder,
        folder_of_card,
        {.server = "b", .path = "/img/a.jpg", .preset = "", .prefix = false},
        {.server = "a", .path = "/img/a.jpg", .preset = "", .prefix = true},
        {.server = "a/", .path = "img/a.jpg", .preset = "", .prefix = false},
        {.server = "", .path = "a/img/a.jpg", .preset = "", .prefix = false},
        {.server = "a", .path = "/img/a.jp", .preset = "g", .prefix = false},
    };
    for (const PurgeScope& one : scopes) {
        for (const PurgeScope& other : scopes) {
            EXPECT_EQ(PurgeRecord::of(one, 1).scope == PurgeRecord::of(other, 1).scope, &one == &other)
                << one.server << one.path << ' ' << other.server << other.path;
        }
    }
}

TEST(PurgeRecord, TextThereAndBack) {
    const std::string deep = '/' + std::string(5000, 'd');
    for (const PurgeScope& scope : {original, of_card, folder, folder_of_card,
                                    PurgeScope{.server = "", .path = deep, .preset = "", .prefix = true}}) {
        const PurgeRecord record = PurgeRecord::of(scope, start);
        const std::string text = record.to_text();
        EXPECT_EQ(PurgeRecord::from_text(text), record) << text;
        EXPECT_EQ(std::count_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }), 0);
        EXPECT_LT(text.size(), 100U);
    }
    EXPECT_EQ(PurgeRecord::from_text(PurgeRecord::everything(7).to_text()), PurgeRecord::everything(7));
}

TEST(PurgeRecord, ALongPrefixIsCut) {
    const std::string deep = '/' + std::string(5000, 'd');
    const std::string cut = deep.substr(0, longest_purge_prefix);
    const PurgeRecord record =
        PurgeRecord::of({.server = "a", .path = deep, .preset = "", .prefix = true}, start);
    EXPECT_EQ(record.length, longest_purge_prefix);
    EXPECT_EQ(record, PurgeRecord::of({.server = "a", .path = cut, .preset = "", .prefix = true}, start));
}

TEST(PurgeRecord, DamageIsNoticed) {
    const std::string text = PurgeRecord::of(folder, start).to_text();
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(PurgeRecord::from_text(text.substr(0, i))) << i;
        for (const char c : {'0', 'x', ' ', '\n'}) {
            std::string damaged = text;
            damaged[i] = c;
            EXPECT_EQ(PurgeRecord::from_text(damaged).has_value(), damaged == text) << damaged;
        }
    }
    EXPECT_FALSE(PurgeRecord::from_text(text + ' '));
    EXPECT_FALSE(PurgeRecord::from_text(' ' + text));
}

TEST(PurgeRecord, WhatNoPurgeIsLikeIsRefused) {
    PurgeRecord record = PurgeRecord::of(original, 0);
    EXPECT_FALSE(PurgeRecord::from_text(record.to_text())) << "no generation";
    record.generation = UINT64_MAX;
    EXPECT_FALSE(PurgeRecord::from_text(record.to_text())) << "no generation could follow";
    record.generation = start;
    record.length = 5;
    EXPECT_FALSE(PurgeRecord::from_text(record.to_text())) << "a length without a prefix";
    record = PurgeRecord::of(folder, start);
    record.length = 0;
    EXPECT_FALSE(PurgeRecord::from_text(record.to_text())) << "a prefix without a length";
    record.length = longest_purge_prefix + 1;
    EXPECT_FALSE(PurgeRecord::from_text(record.to_text())) << "a prefix that would have been cut";
}

TEST(PurgeLog, DamagedAndUnfinishedLines) {
    const PurgeRecord first = PurgeRecord::of(original, start);
    const PurgeRecord second_entry = PurgeRecord::of(folder, start + 1);
    const std::string whole = first.to_line() + second_entry.to_line();
    const struct {
        const char* what;
        std::string text;
        std::size_t entries, damaged, left;
    } cases[] = {
        {"nothing", "", 0, 0, 0},
        {"whole", whole, 2, 0, 0},
        {"unfinished", whole.substr(0, whole.size() - 1), 1, 0, second_entry.to_line().size() - 1},
        {"unfinished, then more", first.to_line().substr(0, 30) + '\n' + whole, 2, 1, 0},
        {"run together", first.to_line().substr(0, 30) + whole, 1, 1, 0},
        {"zeros", std::string(100, '\0') + '\n' + whole, 2, 1, 0},
        {"another word", "else" + whole.substr(4), 1, 1, 0},
    };
    for (const auto& [what, text, wanted, broken, left] : cases) {
        std::vector<PurgeRecord> entries;
        std::size_t damaged = 0;
        const std::size_t read = read_purge_lines(text, entries, damaged);
        EXPECT_EQ(entries.size(), wanted) << what;
        EXPECT_EQ(damaged, broken) << what;
        EXPECT_EQ(text.size() - read, left) << what;
    }
}

// --- the index

class Index {
  public:
    explicit Index(std::size_t slots = 1024)
        : memory_(new (std::align_val_t{64}) unsigned char[PurgeIndex::bytes_for(slots)]{}),
          index_(PurgeIndex::make(memory_.get(), slots)) {}
    PurgeIndex* operator->() const noexcept { return index_; }

    std::string key(std::string_view path, const std::vector<std::string>& presets = {},
                    std::string_view server = "a") const {
        return index_->generations(index_->scopes_of(server, path, presets), start);
    }

  private:
    struct Free {
        void operator()(unsigned char* memory) const noexcept {
            ::operator delete[](memory, std::align_val_t{64});
        }
    };
    std::unique_ptr<unsigned char[], Free> memory_;
    PurgeIndex* index_;
};

TEST(PurgeIndex, NothingPurgedAddsNothing) {
    const Index index;
    EXPECT_TRUE(index->empty());
    EXPECT_EQ(index.key("/img/a.jpg", {"card"}), "");
    EXPECT_EQ(index->oldest(), 0U);
}

TEST(PurgeIndex, EachScopeReachesWhatItNames) {
    struct Asked {
        const char* path;
        std::vector<std::string> presets;
        const char* server;
    };
    constexpr std::size_t count = 10;
    const Asked asked[count] = {
        {"/img/a.jpg", {}, "a"},       {"/img/a.jpg", {"base", "card"}, "a"},
        {"/img/b.jpg", {}, "a"},       {"/img/b.jpg", {"card"}, "a"},
        {"/img/sub/c.jpg", {}, "a"},   {"/img", {}, "a"},
        {"/imgs/a.jpg", {}, "a"},      {"/other/a.jpg", {"card"}, "a"},
        {"/img/a.jpg", {"card"}, "b"}, {"/img/", {}, "a"},
    };
    const struct {
        PurgeScope scope;
        std::array<bool, count> reached;
    } cases[] = {
        {original, {true, true, false, false, false, false, false, false, false, false}},
        {of_card, {false, true, false, false, false, false, false, false, false, false}},
        {folder, {true, true, true, true, true, false, false, false, false, true}},
        {folder_of_card, {false, true, false, true, false, false, false, false, false, false}},
        {{.server = "a", .path = "/img", .preset = "", .prefix = true},
         {true, true, true, true, true, true, true, false, false, true}},
        {{.server = "a", .path = "/", .preset = "card", .prefix = true},
         {false, true, false, true, false, false, false, true, false, false}},
    };
    for (const auto& [scope, reached] : cases) {
        const Index index;
        index->purge(scope, start, lifetime);
        EXPECT_FALSE(index->empty());
        for (std::size_t i = 0; i < reached.size(); ++i) {
            EXPECT_EQ(!index.key(asked[i].path, asked[i].presets, asked[i].server).empty(), reached[i])
                << scope.path << (scope.prefix ? "*?p=" : "?p=") << scope.preset << " -> " << asked[i].server
                << ' ' << asked[i].path;
        }
    }
}

TEST(PurgeIndex, EveryPurgeMakesANewKey) {
    const Index index;
    std::vector<std::string> keys{""};
    // The clock stands still, goes back, goes on.
    for (const std::uint64_t now : {start, start, start - 5 * second, start + second}) {
        for (const PurgeScope& scope : {original, folder, of_card, folder_of_card}) {
            index->purge(scope, now, lifetime);
            const std::string key = index.key("/img/a.jpg", {"card"});
            EXPECT_EQ(std::count(keys.begin(), keys.end(), key), 0);
            EXPECT_EQ(key, index.key("/img/a.jpg", {"card"}));
            keys.push_back(key);
        }
    }
}

TEST(PurgeIndex, MergingTakesTheHighestInAnyOrder) {
    std::vector<PurgeRecord> records;
    for (std::uint64_t i = 0; i < 200; ++i) {
        const std::string path = "/img/" + std::to_string(i % 20);
        records.push_back(PurgeRecord::of({.server = "a", .path = path, .preset = "", .prefix = i % 2 == 0},
                                          start + i * second / 3));
    }
    records.push_back(PurgeRecord::everything(start));
    const Index sorted;
    for (const PurgeRecord& record : records) {
        EXPECT_TRUE(sorted->merge(record, start, lifetime));
        EXPECT_FALSE(sorted->merge(record, start, lifetime)) << "twice is once";
    }
    std::mt19937 random{7};  // NOLINT: the same order every time
    for (int round = 0; round < 10; ++round) {
        std::shuffle(records.begin(), records.end(), random);
        const Index index;
        for (const PurgeRecord& record : records) {
            index->merge(record, start, lifetime);
        }
        EXPECT_EQ(index->size(), 20U);
        EXPECT_EQ(index->recent(0).size(), 21U);
        for (int i = 0; i < 20; ++i) {
            const std::string path = "/img/" + std::to_string(i) + "/more";
            EXPECT_EQ(index.key(path), sorted.key(path)) << path;
        }
    }
}

TEST(PurgeIndex, APurgeIsLaterThanWhatWasMerged) {
    const Index index;
    const PurgeRecord ahead = PurgeRecord::of(original, start + 100 * second);
    index->merge(ahead, start, lifetime);
    EXPECT_GT(index->purge(original, start, lifetime).generation, ahead.generation);
    EXPECT_GT(index->purge(folder, start, lifetime).generation, ahead.generation);
}

std::string numbered(std::size_t i) {
    return "/img/" + std::to_string(i) + ".jpg";
}

void fill(const Index& index, std::size_t from, std::size_t to, std::uint64_t now) {
    for (std::size_t i = from; i < to; ++i) {
        const std::string path = numbered(i);
        index->purge({.server = "a", .path = path, .preset = "", .prefix = false}, now, lifetime);
    }
}

TEST(PurgeIndex, ExpiredRecordsMakeRoom) {
    const Index index{1024};
    index->purge({.server = "a", .path = "/old/", .preset = "", .prefix = true}, start, lifetime);
    fill(index, 0, 500, start);
    fill(index, 500, 700, start + (lifetime - 1) * second);
    fill(index, 700, 1000, start + (lifetime + 1) * second);
    EXPECT_EQ(index->floor(), 0U);
    EXPECT_EQ(index->size(), 500U);
    EXPECT_EQ(index.key(numbered(3)), "");
    EXPECT_EQ(index.key("/old/x"), "");
    EXPECT_NE(index.key(numbered(600)), "");
    EXPECT_NE(index.key(numbered(999)), "");
    EXPECT_EQ(index->oldest(), start / second + lifetime - 1);
}

TEST(PurgeIndex, TooManyPurgesPurgeEverything) {
    const Index index{1024};
    fill(index, 0, 5000, start);
    EXPECT_NE(index->floor(), 0U);
    EXPECT_LT(index->size(), 717U);
    EXPECT_NE(index.key("/never/purged.jpg"), "");
    EXPECT_NE(index.key(numbered(4999)), index.key("/never/purged.jpg"));
    EXPECT_GE(index->recent(0).size(), 2U);
    EXPECT_EQ(index->recent(0)[0], PurgeRecord::everything(index->floor()));
}

TEST(PurgeIndex, OverIsOver) {
    const Index index;
    fill(index, 0, 10, start);
    index->purge(folder_of_card, start, lifetime);
    index->drop_expired(start + lifetime * second, lifetime);
    EXPECT_EQ(index->size(), 11U);
    index->drop_expired(start + (lifetime + 1) * second, lifetime);
    EXPECT_TRUE(index->empty());
    EXPECT_EQ(index->oldest(), 0U);
    EXPECT_EQ(index->scopes_of("a", "/img/a.jpg", std::vector<std::string>{"card"}).size(), 0U);
}

TEST(PurgeIndex, AClockSetBackDropsNothing) {
    const Index index;
    fill(index, 0, 10, start);
    index->drop_expired(start - 2 * lifetime * second, lifetime);
    EXPECT_EQ(index->size(), 10U);
}

TEST(PurgeIndex, RecentIsByTheTimeItWasLearned) {
    const Index index;
    fill(index, 0, 3, start);
    index->merge(PurgeRecord::of(folder, start - 50 * second), start + 10 * second, lifetime);
    const auto late = index->recent(static_cast<std::uint32_t>(start / second + 10));
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(late[0], PurgeRecord::of(folder, start - 50 * second));
    EXPECT_EQ(index->recent(0).size(), 4U);
}

// Workers share the memory and may be killed at any instruction, with the lock in their hands.
TEST(PurgeIndex, LosesNothingWhenAWorkerIsKilled) {
    constexpr std::size_t slots = 64;
    const std::size_t size = PurgeIndex::bytes_for(slots);
    std::mt19937 random{11};  // NOLINT: the same delays every time
    for (int round = 0; round < 100; ++round) {
        void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        PurgeIndex* index = PurgeIndex::make(memory, slots);
        index->purge(original, start + lifetime * second, lifetime);
        index->purge(folder_of_card, start + lifetime * second, lifetime);
        const pid_t worker = fork();
        if (worker == 0) {
            for (std::size_t i = 0;; ++i) {
                const std::string path = numbered(i);
                // Old ones, so that the table is cleared and filled again all the time.
                index->merge(
                    PurgeRecord::of({.server = "b", .path = path, .preset = "", .prefix = false}, i + 1),
                    start, lifetime);
                if (i % 8 == 0) {
                    index->drop_expired(start + (lifetime + 1) * second, lifetime);
                }
            }
        }
        usleep(static_cast<useconds_t>(500 + random() % 2000));
        kill(worker, SIGKILL);
        waitpid(worker, nullptr, 0);
        EXPECT_FALSE(index->empty());
        const auto key = [&](const char* path, const std::vector<std::string>& presets) {
            return index->generations(index->scopes_of("a", path, presets), start);
        };
        EXPECT_NE(key("/img/a.jpg", {}), "") << round;
        EXPECT_NE(key("/img/b.jpg", {"card"}), "") << round;
        const std::string before = key("/img/a.jpg", {});
        index->purge(original, start, lifetime);
        EXPECT_NE(key("/img/a.jpg", {}), before) << round;
        munmap(memory, size);
    }
}

// --- what a rendition was made with

TEST(Presets, NamesOfAllThatWereApplied) {
    const Presets presets{{"base", "q=50"}, {"card", "p=base&w=100"}, {"wide", "w=900"}};
    const RenderSettings settings;
    const struct {
        const char* query;
        std::vector<std::string> names;
    } cases[] = {
        {"", {}},
        {"w=5", {}},
        {"p=base", {"base"}},
        {"p=card", {"base", "card"}},
        {"p=wide,card&w=7", {"base", "card", "wide"}},
        {"p=card,base", {"base", "card"}},
    };
    for (const auto& [query, names] : cases) {
        const auto parsed = parse_query(query, {.presets = &presets, .settings = &settings});
        ASSERT_TRUE(parsed) << query;
        EXPECT_EQ(parsed->presets, names) << query;
    }
}

}  // namespace
}  // namespace media
