#include "core/picture/together.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/picture/contain.h"
#include "core/picture/decoded_planes.h"
#include "core/picture/direct.h"
#include "core/picture/plan.h"

namespace media {

namespace {

using Shared = std::vector<std::shared_ptr<const DecodedPlanes>>;

// Of all planes that are made by one decode.
constexpr std::uint64_t most_bytes = std::uint64_t{64} << 20U;

std::uint64_t bytes_of(const PlaneOrder& order) {
    const auto pixels =
        static_cast<std::uint64_t>(order.cut.width) * static_cast<std::uint64_t>(order.cut.height);
    return order.halved ? pixels + pixels / 2 : pixels * 3;
}

// What all tasks want, each thing once.
struct Orders {
    std::vector<PlaneOrder> wanted;
    std::vector<std::vector<std::size_t>> by;  // for each: the tasks
    std::uint64_t bytes = 0;
    int tasks = 0;

    void add(const PlaneOrder& order, std::size_t task) {
        auto at = static_cast<std::size_t>(std::find(wanted.begin(), wanted.end(), order) - wanted.begin());
        if (at == wanted.size()) {
            if (bytes + bytes_of(order) > most_bytes) {
                return;
            }
            bytes += bytes_of(order);
            wanted.push_back(order);
            by.emplace_back();
        }
        by[at].push_back(task);
        ++tasks;
    }
};

Orders orders_of(std::span<const RenderTask> tasks) {
    Orders orders;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        const RenderTask& task = tasks[i];
        // How damaged it may be is the reader's business, and there is one.
        if (task.settings.fail_on != tasks.front().settings.fail_on) {
            continue;
        }
        const auto order = contained(task.cancellation, [&] { return order_of(task, RenderPlan(task)); });
        if (order && *order) {
            orders.add(**order, i);
        }
    }
    return orders;
}

Shared decode(std::span<const RenderTask> tasks, const Orders& orders) {
    const auto start = std::chrono::steady_clock::now();
    Shared shared(tasks.size());
    std::vector<const Cancellation*> all;
    for (const auto& those : orders.by) {
        for (const std::size_t i : those) {
            all.push_back(&tasks[i].cancellation);
        }
    }
    const Cancellation cancellation(all);
    const auto wanted = [&](std::size_t order) {
        return std::any_of(orders.by[order].begin(), orders.by[order].end(),
                           [&](std::size_t i) { return !tasks[i].cancellation.should_stop(); });
    };
    PlaneReading reading(orders.wanted);
    // What is lacking after a failure may still be had alone: of a part of the original, or in a small size.
    const auto read = contained(cancellation, [&] {
        return reading.read(tasks.front().original, tasks.front().settings.fail_on, cancellation, wanted);
    });
    if (read && !*read) {
        return shared;
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    int renditions = 0;
    for (std::size_t order = 0; order < orders.wanted.size(); ++order) {
        renditions += reading.complete(order) ? static_cast<int>(orders.by[order].size()) : 0;
    }
    for (std::size_t order = 0; order < orders.wanted.size(); ++order) {
        if (!reading.complete(order)) {
            continue;
        }
        const auto planes = std::make_shared<const DecodedPlanes>(
            DecodedPlanes{orders.wanted[order], reading.take(order), renditions, seconds});
        for (const std::size_t i : orders.by[order]) {
            shared[i] = planes;
        }
    }
    return shared;
}

}  // namespace

std::vector<std::shared_ptr<const DecodedPlanes>> decode_together(
    std::span<const RenderTask> tasks) noexcept {
    try {
        const auto format = tasks.size() < 2 ? std::nullopt : sniff(tasks.front().original);
        if (format == Format::jpeg || format == Format::webp) {
            const Orders orders = orders_of(tasks);
            if (orders.tasks > 1) {
                return decode(tasks, orders);
            }
        }
        return Shared(tasks.size());
    } catch (...) {
        return {};  // out of memory
    }
}

ByteView header_of(ByteView original) noexcept {
    // T.81, section B.1.1.
    constexpr std::uint8_t start_of_image = 0xD8;
    constexpr std::uint8_t start_of_scan = 0xDA;
    if (original.size() < 2 || original[0] != 0xFF || original[1] != start_of_image) {
        return original;
    }
    // Of the markers that have no length, and of fill bytes, none is expected here.
    const auto has_length = [](std::uint8_t code) {
        return code >= 0xC0 && code != 0xFF && (code < 0xD0 || code >= start_of_scan);
    };
    std::size_t at = 2;
    while (at + 4 <= original.size() && original[at] == 0xFF && has_length(original[at + 1])) {
        const std::size_t length = std::size_t{original[at + 2]} << 8U | original[at + 3];
        const std::size_t behind = at + 2 + length;
        if (length < 2 || behind > original.size()) {
            break;
        }
        if (original[at + 1] == start_of_scan) {
            return original.first(behind);
        }
        at = behind;
    }
    return original;
}

}  // namespace media
