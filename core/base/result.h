// A value or the error that stood in its way.
#pragma once

#include <utility>
#include <variant>

#include "core/base/error.h"

namespace media {

/// Either a T or an Error. Test it before use; reading the side that is not there is undefined.
template <class T>
class [[nodiscard]] Result {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): `return value;` is the point
    Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}
    // NOLINTNEXTLINE(google-explicit-constructor): `return Error{...};` likewise
    Result(Error error) : value_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const noexcept { return value_.index() == 0; }

    T& operator*() & noexcept { return *std::get_if<0>(&value_); }
    const T& operator*() const& noexcept { return *std::get_if<0>(&value_); }
    T&& operator*() && noexcept { return std::move(*std::get_if<0>(&value_)); }
    T* operator->() noexcept { return std::get_if<0>(&value_); }
    const T* operator->() const noexcept { return std::get_if<0>(&value_); }

    Error& error() & noexcept { return *std::get_if<1>(&value_); }
    const Error& error() const& noexcept { return *std::get_if<1>(&value_); }
    Error&& error() && noexcept { return std::move(*std::get_if<1>(&value_)); }

  private:
    std::variant<T, Error> value_;
};

/// Success without a value.
struct Nothing {};
using Status = Result<Nothing>;

}  // namespace media
