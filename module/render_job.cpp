#include "module/render_job.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/base/hash.h"
#include "core/picture/info.h"
#include "core/picture/jpeg_sequential.h"
#include "core/rendition/cost.h"
#include "core/share/envelope.h"
#include "module/rendition_request.h"

namespace media {

namespace {

// Outcomes that say something about the original; the others say something about us or the moment.
bool lasting(int status) noexcept {
    return status != 500 && status != 503 && status != 504;
}

// A copy stays right for as long as its original: the cache drops it when nobody uses it.
constexpr time_t life_of_copy = 365 * 24 * 3600;

// CPU seconds of what is read and written, and not rendered.
constexpr double copying = 0.001;

// The untouched bytes of a stranger: only what is a picture by its content, and cannot hold a program.
Result<Encoded> pass_on(Bytes original, const RenderSettings& settings) {
    const auto format = sniff(original.view());
    if (!format || !settings.input.has(*format)) {
        return Error{415, "the original is not a picture of a format that is decoded here"};
    }
    if (!info(*format).raster) {
        return Error{403, "the original itself is not served here; ask for a rendition"};
    }
    Encoded encoded;
    encoded.body = std::move(original);
    encoded.format = *format;
    return encoded;
}

}  // namespace

std::optional<double> RenderJob::estimate() noexcept {
    if (stored || kept || outcome || rendition.original) {
        return copying;
    }
    try {
        if (decoded_) {
            const Format unsaid =
                rendition.auto_formats.empty() ? Format::jpeg : rendition.auto_formats.front();
            return encoding_seconds(rendition, settings, rendition.format.value_or(unsaid));
        }
        if (original_) {
            const ByteView whole = original_->view();
            const auto original =
                outline_of(whole.first(std::min(whole.size(), outline_bytes)), whole.size());
            return original ? seconds_of(*original, rendition, settings) : copying;
        }
        auto original = outline_of(source.head(outline_bytes), source.size());
        if (original && !copy_path.empty()) {
            original->progressive = false;
        }
        return original ? seconds_of(*original, rendition, settings) : copying;  // a refusal is soon said
    } catch (...) {
        return std::nullopt;
    }
}

void RenderJob::work() noexcept {
    const bool foretold = outcome.has_value();
    try {
        begin();
        if (stored) {
            open_stored();
            return;
        }
        if (foretold) {
            // Only to be stored.
        } else if (kept) {
            source_bytes = kept->facts.source_bytes;
            signpost = kept->facts.signpost != 0;
            if (!signpost) {
                outcome.emplace(kept->read());
            }
        } else if (cancellation.should_stop()) {
            outcome.emplace(Error{504, "the rendition was not begun in time"});
        } else {
            make();
        }
        store(foretold);
    } catch (...) {
        outcome.emplace(Error{500, "out of memory"});
        file.reset();
    }
}

void RenderJob::begin() noexcept {
    if (std::exchange(begun_, true)) {
        return;
    }
    queue_seconds = std::chrono::duration<double>(Cancellation::Clock::now() - posted).count();
    source_bytes = source.size();
    if (time_from_begin && !cancellation.expired()) {
        cancellation.set_deadline(Cancellation::Clock::now() + *time_from_begin);
    }
    const bool stays = file || !shared_key.empty();
    if (stays && rendition.auto_formats.size() > 1) {
        // The key tells no more of what a client accepts.
        rendition.auto_formats.erase(rendition.auto_formats.begin() + 1, rendition.auto_formats.end());
    }
}

void RenderJob::open_stored() {
    const std::string_view reply = stored.value().text();
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(reply.data()), reply.size());
    const auto content = unseal(bytes, shared_key);
    foreign = !content || content->facts.size() != sizeof(facts);
    if (foreign) {
        return;
    }
    lapsed = content->valid <= std::time(nullptr);
    if (lapsed) {
        return;
    }
    std::memcpy(&facts, content->facts.data(), sizeof(facts));
    if (!facts.sound() || facts.status != 200) {
        foreign = true;
        return;
    }
    if (file && !file->write(facts, content->body, content->etag, content->valid, content->last_modified)) {
        // publish() says why.
    }
    signpost = facts.signpost != 0;
    if (signpost) {
        return;
    }
    Encoded encoded;
    encoded.body = Bytes::copy_of(content->body);
    encoded.format = OutputFormat::from_code(facts.format).value();
    encoded.width = facts.width;
    encoded.height = facts.height;
    encoded.pages = facts.pages;
    etag = content->etag;
    freshness.last_modified = content->last_modified;
    freshness.cache_control = facts.cache_control.view();
    outcome.emplace(std::move(encoded));
}

// What is ever so slightly wrong with a copy was not wrong with its original.
void RenderJob::begin_with_copy() noexcept {
    from_copy_ = true;
    forgives_ = std::exchange(settings.fail_on, FailOn::warning);
}

// The original, or a copy of it that is there; then `source` stays.
void RenderJob::take_in() {
    if (!copy_path.empty()) {
        if (const auto body = StoredBody::at(copy_path, copy_key)) {
            if (Result<Encoded> copy = body->read()) {
                begin_with_copy();
                gathered_.emplace(std::move(copy->body));
                return;
            }
        }
    }
    gathered_.emplace(source.gather(changed));
}

// Where the copy cannot be decoded, the original has the say. If that can be, the copy is to be made anew.
void RenderJob::make() {
    make_of_what_there_is();
    if (!from_copy_ || signpost || *outcome || outcome->error().status != 422 ||
        !outcome->error().parameter.empty()) {
        return;
    }
    from_copy_ = false;
    settings.fail_on = forgives_;
    const std::string bad_copy = std::exchange(copy_path, {});
    outcome.reset();
    make_of_what_there_is();
    if (*outcome) {
        unlink(bad_copy.c_str());
    }
}

void RenderJob::make_of_what_there_is() {
    if (!gathered_ && !original_) {
        take_in();
    }
    if (gathered_ && !*gathered_) {
        outcome.emplace(std::move(*gathered_).error());
        return;
    }
    const ByteView bytes = original_ ? original_->view() : (*gathered_)->view();
    if (copies) {
        outcome.emplace(copy_of(bytes));
        return;
    }
    if (rendition.original) {
        outcome.emplace(pass_on(std::move(**gathered_), settings));
        return;
    }
    const RenderTask wanted = task(bytes);
    signpost = (file || !shared_key.empty()) && moves_past_first_format(wanted);
    if (!signpost) {
        outcome.emplace(rendition.describe ? describe(wanted) : render(wanted));
    }
    if (!copy_key.empty() && !from_copy_ && !signpost && *outcome) {
        const auto outline = outline_of(bytes.first(std::min(bytes.size(), outline_bytes)), source_bytes);
        slow_ = outline && pays_as_sequential(*outline, {(*outcome)->width, (*outcome)->height});
    }
    if (!from_copy_ && (signpost || gives_way() || leaves_source())) {
        source = Source{original_ ? Bytes::copy_of(original_->view()) : std::move(**gathered_)};
    }
    gathered_.reset();
    original_.reset();
    decoded_.reset();
}

Result<Encoded> RenderJob::copy_of(ByteView original) const {
    const auto outline =
        outline_of(original.first(std::min(original.size(), outline_bytes)), original.size());
    if (!outline ||
        static_cast<std::uint64_t>(outline->size.width) * static_cast<std::uint64_t>(outline->size.height) >
            settings.max_source_pixels) {
        return Error{500, "the original cannot be copied"};
    }
    auto bytes = as_sequential(original, cancellation);
    if (!bytes) {
        return std::move(bytes).error();
    }
    Encoded copy;
    copy.body = std::move(*bytes);
    copy.width = outline->size.width;
    copy.height = outline->size.height;
    return copy;
}

RenderTask RenderJob::task(ByteView original) const {
    return {.original = original,
            .rendition = rendition,
            .settings = settings,
            .watermarks = watermarks,
            .cancellation = cancellation,
            .decoded = decoded_.get()};
}

bool RenderJob::gives_way() const noexcept {
    if (!rendition.hinted_size || !outcome || *outcome) {
        return false;
    }
    const Error& error = outcome->error();
    // A picture that cannot be decoded cannot be in any size.
    return may_be_of_size(error.status) && (error.status == 400 || error.parameter == "max_bytes");
}

void RenderJob::store(bool foretold) {
    facts.source_bytes = source_bytes;
    facts.signpost = signpost ? 1 : 0;
    freshness.note(facts);

    ByteView body;
    if (signpost) {
        // Nothing but the facts.
    } else if (*outcome) {
        const Encoded& encoded = **outcome;
        facts.format = encoded.format.code();
        facts.width = encoded.width;
        facts.height = encoded.height;
        facts.pages = encoded.pages;
        body = encoded.body.view();
        etag = '"' + hex(sha256(body), 16) + '"';
    } else {
        facts.status = static_cast<std::uint16_t>(outcome->error().status);
        problem = problem_json(outcome->error());
        body = {reinterpret_cast<const std::uint8_t*>(problem.data()), problem.size()};
        if (!lasting(facts.status)) {
            file.reset();
        }
    }
    if (cancellation.cancelled()) {
        file.reset();
        return;
    }
    const time_t valid =
        copies ? std::time(nullptr) + life_of_copy : freshness.valid_until(facts.status, foretold);
    if (valid <= 0) {
        file.reset();
        return;
    }
    const bool good = facts.status == 200;
    const time_t modified = good ? freshness.last_modified : -1;
    if (file) {
        file->write(facts, body, etag, valid, modified);
    }
    const time_t seconds = valid - std::time(nullptr);
    if (!shared_key.empty() && good && seconds > 0 && body.size() <= shared_limit) {
        fresh_seconds = seconds;
        sealed = seal({.facts = {reinterpret_cast<const char*>(&facts), sizeof(facts)},
                       .etag = etag,
                       .valid = valid,
                       .last_modified = modified,
                       .body = body},
                      shared_key);
    }
}

void RenderJob::complete() noexcept {
    if (owner != nullptr) {
        owner->on_rendered(*this);
    }
}

}  // namespace media
