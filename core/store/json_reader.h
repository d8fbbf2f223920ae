// JSON (RFC 8259) as it comes, for strings that are longer than memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace media::detail {

/// What is in a JSON text, in its order. A handler ends the reading by throwing.
class JsonHandler {
  public:
    virtual ~JsonHandler() = default;

    virtual void begin_object() = 0;
    virtual void end_object() = 0;
    virtual void begin_array() = 0;
    virtual void end_array() = 0;
    /// The name of a member; its end is missing where it is longer than any name that is asked for.
    virtual void member(const std::string& name) = 0;
    virtual void begin_string() = 0;
    /// A piece of a string, escapes decoded. Whether it is UTF-8 is not looked at.
    virtual void text(std::string_view piece) = 0;
    virtual void end_string() = 0;
    virtual void boolean(bool value) = 0;
    /// The first byte of a number or of null. Nothing that is read here takes one: must throw.
    [[noreturn]] virtual void other() = 0;
};

/// Takes a JSON text in pieces of any size. Throws BadBody where it is malformed. How deep it may be nested
/// is the handler's to say.
class JsonReader {
  public:
    explicit JsonReader(JsonHandler& handler) noexcept : handler_(handler) {}

    void feed(std::string_view text);
    /// The text has ended.
    void finish() const;

  private:
    enum class At : std::uint8_t {
        value,
        first_value,   ///< or the end of the array
        first_member,  ///< or the end of the object
        member,
        colon,
        after_value,
        string,
        escape,
        hex,
        low_surrogate,  ///< its backslash
        low_escape,     ///< its u
        literal,
    };

    void sign(char c);
    void value(char c);
    void after_value(char c);
    void begin_text(bool name);
    void text(std::string_view piece);
    void end_text();
    void escape(char c);
    void hex(char c);
    void character(std::uint32_t code);
    void close(char closing);
    std::string_view string(std::string_view text);

    JsonHandler& handler_;
    At at_ = At::value;
    std::string open_{};  ///< how the open objects and arrays will close
    bool in_name_ = false;
    std::string name_{};
    std::uint32_t code_ = 0;  ///< of an escape
    std::uint32_t high_ = 0;  ///< a surrogate that waits for its other half, or 0
    unsigned digits_ = 0;
    std::string_view literal_{};  ///< what is still to come of true or false
    bool truth_ = false;
};

}  // namespace media::detail
