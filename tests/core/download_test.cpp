#include "core/rendition/download.h"

#include <gtest/gtest.h>

namespace media {
namespace {

TEST(Download, NamesAreSaidToAllClientsAlike) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"a.jpg", "attachment; filename=\"a.jpg\""},
        {"a b;c=d, 'e'.jpg", "attachment; filename=\"a b;c=d, 'e'.jpg\""},
        {"é.jpg", "attachment; filename=\"_.jpg\"; filename*=UTF-8''%C3%A9.jpg"},
        {"日本 1.jpg", "attachment; filename=\"__ 1.jpg\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%201.jpg"},
        {"🦊", "attachment; filename=\"_\"; filename*=UTF-8''%F0%9F%A6%8A"},
        {"a%41.jpg", "attachment; filename=\"a_41.jpg\"; filename*=UTF-8''a%2541.jpg"},
    };
    for (const auto& [name, value] : cases) {
        EXPECT_EQ(attachment(name), value);
    }
}

}  // namespace
}  // namespace media
