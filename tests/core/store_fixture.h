// A store in a folder of its own, and files to put into it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/hash.h"
#include "core/store/store.h"

namespace media {

class StoreTest : public testing::Test {
  protected:
    void SetUp() override {
        // Where syncing costs nothing, if there is such a place: there is a lot of it.
        const std::filesystem::path memory = "/dev/shm";
        const auto base = access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
        std::string name = (base / "media-store-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    Store store() const { return Store(folder.string()); }

    static Record facts(std::string source = "") {
        return {.key = "",
                .type = "image/jpeg",
                .width = 40,
                .height = 30,
                .pages = 1,
                .source = std::move(source),
                .subject = "ann",
                .claims = R"({"team":7})"};
    }

    static std::string key_of(std::string_view text) { return hex(sha256(bytes_of(text))); }

    /// Stores `text` as if it were a picture.
    Result<Store::Published> put(std::string_view text, Record record = facts(),
                                 const Store::PublishHook& hook = {}) const {
        auto file = store().begin(1 << 20);
        if (!file) {
            return file.error();
        }
        if (Status written = file->write(bytes_of(text)); !written) {
            return written.error();
        }
        return store().publish(std::move(*file), std::move(record), hook);
    }

    /// All files below the store, sorted.
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
            if (!entry.is_directory()) {
                names.push_back(std::filesystem::relative(entry.path(), folder).string());
            }
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string text_of(const std::string& name) const {
        std::ifstream file(folder / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void overwrite(const std::string& name, std::string_view text) const {
        std::ofstream(folder / name, std::ios::binary | std::ios::trunc) << text;
    }

    std::filesystem::path folder;
};

}  // namespace media
