// Stops libvips in work that it does on its own threads.
#pragma once

#include <vips/vips8>

#include "core/base/cancellation.h"

namespace media {

/// While it lives, work on `image` and on what is computed from it is killed once the cancellation says so.
class StopGuard {
  public:
    StopGuard(const vips::VImage& image, const Cancellation& cancellation)
        : image_(image), cancellation_(cancellation) {
        vips_image_set_progress(image_.get_image(), TRUE);
        handler_ = g_signal_connect(image_.get_image(), "eval", G_CALLBACK(on_eval), this);
    }
    ~StopGuard() {
        g_signal_handler_disconnect(image_.get_image(), handler_);
        vips_image_set_progress(image_.get_image(), FALSE);
        vips_image_set_kill(image_.get_image(), FALSE);
    }
    StopGuard(const StopGuard&) = delete;
    StopGuard& operator=(const StopGuard&) = delete;

  private:
    static void on_eval(VipsImage* /*image*/, VipsProgress* /*progress*/, void* self) noexcept {
        auto* guard = static_cast<StopGuard*>(self);
        if (guard->cancellation_.should_stop()) {
            vips_image_set_kill(guard->image_.get_image(), TRUE);
        }
    }

    vips::VImage image_;
    const Cancellation& cancellation_;
    gulong handler_ = 0;
};

}  // namespace media
