// One noexcept wrapper for every function that nginx calls.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "module/ngx.h"

namespace media {

namespace detail {

template <auto Function, class Signature>
struct Guard;

template <auto Function, class R, class... Args>
struct Guard<Function, R (*)(Args...)> {
    static R call(Args... args) noexcept {
        try {
            return Function(args...);
        } catch (const std::exception& error) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: unexpected exception: %s", error.what());
        } catch (...) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: unexpected exception");
        }
        return failure();
    }

    // What "it failed" looks like in each shape of callback that nginx knows.
    static R failure() noexcept {
        if constexpr (std::is_same_v<R, char*>) {
            return static_cast<char*>(NGX_CONF_ERROR);
        } else if constexpr (std::is_pointer_v<R>) {
            return nullptr;
        } else if constexpr (!std::is_void_v<R>) {
            return NGX_ERROR;
        }
    }
};

template <auto Function, class R, class... Args>
struct Guard<Function, R (*)(Args...) noexcept> : Guard<Function, R (*)(Args...)> {};

}  // namespace detail

/// `guard<f>` is f, with a bug inside it ending one request instead of the worker.
template <auto Function>
inline constexpr auto guard = &detail::Guard<Function, decltype(Function)>::call;

/// The pool cleanup that destroys a T; its address tells such cleanups from others.
template <class T>
void cleanup_of(void* data) noexcept {
    static_cast<T*>(data)->~T();
}

/// The T that make_in_pool() has put into `pool` and that `is_it`; null where there is none.
template <class T, class Is>
T* find_in_pool(ngx_pool_t* pool, Is is_it) noexcept {
    for (const ngx_pool_cleanup_t* cleanup = pool->cleanup; cleanup != nullptr; cleanup = cleanup->next) {
        if (cleanup->handler == &cleanup_of<T> && is_it(*static_cast<const T*>(cleanup->data))) {
            return static_cast<T*>(cleanup->data);
        }
    }
    return nullptr;
}

/// A T in `pool`, destroyed with it. Null where memory has run out or the constructor threw.
template <class T, class... Args>
T* make_in_pool(ngx_pool_t* pool, Args&&... args) noexcept {
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(pool, sizeof(T));
    if (cleanup == nullptr) {
        return nullptr;
    }
    try {
        T* object = new (cleanup->data) T(std::forward<Args>(args)...);
        cleanup->handler = &cleanup_of<T>;
        return object;
    } catch (...) {
        return nullptr;
    }
}

}  // namespace media
