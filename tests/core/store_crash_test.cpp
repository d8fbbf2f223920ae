// What is left of a store when its process dies, or when the disk is full, at every place where that can
// happen.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

#include "tests/core/store_fixture.h"

namespace media {
namespace {

namespace fs = std::filesystem;

const std::string url = "https://example.com/a.jpg";

enum class Stop { killed, finished, impossible };

// Runs `work` in a process of its own, which is killed as it enters or leaves its `count`th system call.
Stop run_and_kill(int count, const std::function<void()>& work) {
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            _exit(77);
        }
        raise(SIGSTOP);
        work();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) {
        return Stop::impossible;
    }
    for (int i = 0; i < count; ++i) {
        ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
        waitpid(child, &status, 0);
        if (!WIFSTOPPED(status)) {
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
            return Stop::finished;
        }
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return Stop::killed;
}

class StoreCrashTest : public StoreTest {
  protected:
    // Events are lines of a file outside of the store.
    void note(const std::string& line) const {
        std::ofstream(log(), std::ios::app) << line << '\n' << std::flush;
    }
    std::string noted() const {
        std::ifstream file(log());
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void TearDown() override {
        fs::remove(log());
        StoreTest::TearDown();
    }
    std::string log() const { return folder.string() + ".log"; }

    Store::PublishHook on_publish() const {
        return [this](const Record&, bool created) -> Status {
            note(created ? "created" : "exists");
            return Nothing{};
        };
    }
    Store::Hook on_remove() const {
        return [this](const Record& record) -> Status {
            note(record.source == url ? "deleted" : "deleted, nobody knows what");
            return Nothing{};
        };
    }
    void mend() const {
        const Status mended = store().mend(on_publish(), on_remove());
        EXPECT_TRUE(mended) << mended.error().detail << ' ' << mended.error().cause;
    }
};

TEST_F(StoreCrashTest, WhatIsKilledWhilePublishingIsWholeOrGone) {
    int whole = 0;
    int gone = 0;
    for (int count = 1;; ++count) {
        fs::remove(log());
        const Stop stop = run_and_kill(count, [&] {
            if (!put("abc", facts(url), on_publish())) {
                _exit(1);
            }
        });
        if (stop == Stop::impossible) {
            GTEST_SKIP() << "processes cannot be traced here";
        }
        const bool told = noted() == "created\n";
        mend();
        const auto found = store().find(key_of("abc"));
        if (found) {
            ++whole;
            EXPECT_EQ(files().size(), 3U) << files().front();
            EXPECT_EQ(text_of(found->path()), "abc");
            EXPECT_EQ(found->md5, "900150983cd24fb0d6963f7d28e17f72");
            EXPECT_EQ(store().find_by_source(url)->key, found->key);
            EXPECT_TRUE(noted().starts_with("created\n")) << noted();
        } else {
            ++gone;
            EXPECT_FALSE(told);
            EXPECT_EQ(noted(), "");
            for (const std::string& name : files()) {
                EXPECT_TRUE(name.starts_with(".sources/")) << name;  // leads nowhere
            }
            EXPECT_EQ(store().find_by_source(url).error().status, 404);
        }
        // Whatever was left, the next one succeeds.
        const auto again = put("abc", facts(url));
        ASSERT_TRUE(again) << "after " << count;
        EXPECT_EQ(again->created, !found);
        EXPECT_EQ(files().size(), 3U);
        fs::remove_all(folder);
        fs::create_directory(folder);
        if (stop == Stop::finished) {
            EXPECT_EQ(noted(), "created\n");
            break;
        }
    }
    EXPECT_GT(whole, 10);
    EXPECT_GT(gone, 10);
}

TEST_F(StoreCrashTest, WhatIsKilledWhileRemovingIsThereOrGone) {
    int whole = 0;
    int gone = 0;
    for (int count = 1;; ++count) {
        fs::remove(log());
        ASSERT_TRUE(put("abc", facts(url)));
        const Stop stop = run_and_kill(count, [&] {
            if (!store().remove(key_of("abc"), on_remove())) {
                _exit(1);
            }
        });
        if (stop == Stop::impossible) {
            GTEST_SKIP() << "processes cannot be traced here";
        }
        mend();
        if (const auto found = store().find(key_of("abc"))) {
            ++whole;
            EXPECT_EQ(noted(), "");
            EXPECT_EQ(text_of(found->path()), "abc");
            EXPECT_EQ(files().size(), 3U);
            EXPECT_TRUE(store().find_by_source(url));
        } else {
            ++gone;
            EXPECT_TRUE(noted().starts_with("deleted\n")) << noted();
            EXPECT_TRUE(files().empty()) << files().front();
        }
        if (stop == Stop::finished) {
            EXPECT_EQ(noted(), "deleted\n");
            break;
        }
    }
    EXPECT_GT(whole, 5);
    EXPECT_GT(gone, 5);
}

TEST_F(StoreCrashTest, ARemovalThatDiedDoesNotTakeWhatWasStoredSince) {
    for (int count = 1;; ++count) {
        ASSERT_TRUE(put("abc", facts(url)));
        const Stop stop = run_and_kill(count, [&] { static_cast<void>(store().remove(key_of("abc"))); });
        if (stop == Stop::impossible) {
            GTEST_SKIP() << "processes cannot be traced here";
        }
        ASSERT_TRUE(put("abc", facts(url)));
        mend();
        const auto found = store().find(key_of("abc"));
        ASSERT_TRUE(found) << "after " << count;
        EXPECT_EQ(text_of(found->path()), "abc");
        EXPECT_EQ(files().size(), 3U);
        if (stop == Stop::finished) {
            break;
        }
    }
}

TEST_F(StoreCrashTest, WhatIsKilledWhileRejectingIsNotServed) {
    int kept = 0;
    for (int count = 1;; ++count) {
        fs::remove(log());
        const Stop stop = run_and_kill(count, [&] {
            auto file = store().begin(100);
            static_cast<void>(file->write(bytes_of("abc")));
            if (!store().reject(std::move(*file), facts(url), "rude", on_remove())) {
                _exit(1);
            }
        });
        if (stop == Stop::impossible) {
            GTEST_SKIP() << "processes cannot be traced here";
        }
        EXPECT_TRUE(store().mend({}, {}, on_remove()));
        EXPECT_EQ(store().find(key_of("abc")).error().status, 404);
        if (const std::size_t left = files().size(); left != 0) {
            ++kept;
            EXPECT_EQ(left, 2U);
            EXPECT_TRUE(files().front().starts_with(".rejected/"));
            EXPECT_TRUE(noted().starts_with("deleted\n"));
        } else {
            EXPECT_EQ(noted(), "");
        }
        fs::remove_all(folder);
        fs::create_directory(folder);
        if (stop == Stop::finished) {
            break;
        }
    }
    EXPECT_GT(kept, 5);
}

TEST_F(StoreCrashTest, MendingLeavesAloneWhatSomebodyWorksOn) {
    auto file = store().begin(100);
    ASSERT_TRUE(file->write(bytes_of("ab")));
    mend();
    EXPECT_EQ(files().size(), 1U);
    ASSERT_TRUE(file->write(bytes_of("c")));
    const auto made = store().publish(std::move(*file), facts(url), [&](const Record&, bool) -> Status {
        mend();  // the intent is there, and the lock held
        return Nothing{};
    });
    ASSERT_TRUE(made);
    mend();
    EXPECT_EQ(noted(), "");
    EXPECT_EQ(files().size(), 3U);
    // Odd things in there go, where they can.
    overwrite(".incoming/" + key_of("abc") + ".json.x", "{");
    overwrite(".incoming/" + key_of("abc") + ".deleted.x", "");
    overwrite(".incoming/" + key_of("abd") + ".deleted.x", "");
    overwrite(".incoming/core", "x");
    fs::create_symlink("/etc/passwd", folder / ".incoming/link");
    fs::create_directory(folder / ".incoming/folder");
    static_cast<void>(store().mend());
    EXPECT_TRUE(store().find(key_of("abc")));
    EXPECT_TRUE(fs::exists("/etc/passwd"));
    EXPECT_FALSE(fs::exists(folder / ".incoming/core"));
    EXPECT_EQ(files().size(), 4U) << "and the link";
}

// A small disk of its own.
class StoreFullTest : public StoreTest {
  protected:
    bool small_disk(const std::string& options) const {
        return mount("media", folder.c_str(), "tmpfs", 0, options.c_str()) == 0;
    }
    void TearDown() override {
        umount2(folder.c_str(), MNT_DETACH);
        StoreTest::TearDown();
    }
};

TEST_F(StoreFullTest, WithoutRoomThereIsNothingLeftAndNothingLost) {
    int stored = 0;
    int refused = 0;
    // A page each for the original, the record, the entry of the index; an inode also for each folder.
    for (const std::string unit : {"nr_blocks=", "nr_inodes="}) {
        for (int room = 1; room < 24; ++room) {
            if (!small_disk(unit + std::to_string(room) + ",mode=755")) {
                GTEST_SKIP() << "no disk can be mounted here";
            }
            const std::string page(3000, 'a');
            int told = 0;
            const auto made = put(page, facts(url), [&](const Record&, bool) -> Status {
                ++told;
                return Nothing{};
            });
            if (made) {
                ++stored;
                EXPECT_EQ(text_of(made->record.path()), page);
                EXPECT_EQ(files().size(), 3U);
                EXPECT_EQ(told, 1);
                // A removal takes no room, or says so.
                const auto removed = store().remove(key_of(page));
                EXPECT_EQ(files().size(), removed ? 0U : 3U);
                EXPECT_EQ(removed ? 507 : removed.error().status, 507);
            } else {
                ++refused;
                EXPECT_EQ(made.error().status, 507) << made.error().cause;
                EXPECT_EQ(made.error().cause, ENOSPC);
                EXPECT_TRUE(files().empty()) << files().front();
                EXPECT_EQ(told, 0);
            }
            EXPECT_TRUE(store().mend());
            umount2(folder.c_str(), MNT_DETACH);
        }
    }
    EXPECT_GT(stored, 10);
    EXPECT_GT(refused, 5);
}

}  // namespace
}  // namespace media
