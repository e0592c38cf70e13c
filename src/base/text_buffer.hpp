#pragma once
// Text without an allocation: for the records and messages of code that runs before the C++ runtime does (the room
// `start`), and for what must not fail when memory is short.

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lockstep {

/// At most N bytes; what does not fit is cut off.
template <std::size_t N>
class TextBuffer {
  public:
    TextBuffer& append(std::string_view text) {
        for (const char c : text) push_back(c);
        return *this;
    }
    TextBuffer& append(std::integral auto number) {
        // Not to_chars(3), whose table of digits would be shared with the program by those who run before it.
        std::array<char, 24> digits;
        std::size_t first = digits.size();
        auto rest = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
        do digits[--first] = static_cast<char>('0' + rest % 10);
        while ((rest /= 10) > 0);
        if (number < 0) push_back('-');
        return append({digits.data() + first, digits.size() - first});
    }
    /// At least `width` digits: "007".
    TextBuffer& append_padded(std::unsigned_integral auto number, std::size_t width) {
        std::size_t digits = 1;
        for (auto rest = number; rest >= 10; rest /= 10) ++digits;
        for (; digits < width; ++digits) push_back('0');
        return append(number);
    }
    void push_back(char c) {
        if (size_ < N) bytes_[size_++] = c;
    }
    TextBuffer& operator+=(char c) {
        push_back(c);
        return *this;
    }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::string_view view() const { return {bytes_.data(), size_}; }
    operator std::string_view() const { return view(); }

    /// The text with a '\0' behind it, for system calls; nullptr if there is no room for that.
    const char* c_str() {
        if (size_ == N) return nullptr;
        bytes_[size_] = '\0';
        return bytes_.data();
    }

  private:
    std::size_t size_ = 0;
    std::array<char, N> bytes_;  // uninitialized: an unused page costs nothing
};

}  // namespace lockstep
