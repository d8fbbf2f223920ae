// Writing down what happens to originals, for those who want to hear of it.
#pragma once

#include <string>
#include <string_view>

#include "core/store/store.h"
#include "module/config.h"

namespace media {

/// What a store calls when something has happened to an original: an event is then on the disk before anybody
/// is answered. They are empty where nobody is told. Pool threads call them, as long as the worker lives.
struct EventHooks {
    Store::PublishHook published;
    Store::Hook removed;
    Store::Hook rejected;
};

/// For the store at a path. `url` is what URLs of its originals begin with; empty: as its first location
/// says.
EventHooks event_hooks(const MainConfig& main, std::string_view store, std::string_view url = {});

/// A rendition of the original at `below` in the folder `root` has failed, because the original is none that
/// can be rendered: whoever is told of that store's events hears of it, once an hour for each original. Event
/// loop; the disk is the pool's.
void note_failed_rendition(const MainConfig& main, std::string_view root, std::string_view below);

}  // namespace media
