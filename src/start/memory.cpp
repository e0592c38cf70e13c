// What the compiler itself calls: memcpy(3) and its like. Not from <cstring>, whose declarations are C++'s own.

#include <cstddef>

namespace {

/// Or the compiler would make of it a call of the very function that it is in.
void stay_a_loop() { asm volatile(""); }

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) noexcept {
    void* const start = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}
void* memmove(void* to, const void* from, std::size_t size) noexcept {
    auto* target = static_cast<char*>(to);
    const auto* source = static_cast<const char*>(from);
    if (target <= source || target >= source + size) return memcpy(to, from, size);
    while (size-- > 0) {
        target[size] = source[size];
        stay_a_loop();
    }
    return to;
}
void* memset(void* to, int byte, std::size_t size) noexcept {
    void* const start = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
    return start;
}
int memcmp(const void* a, const void* b, std::size_t size) noexcept {
    const auto* left = static_cast<const unsigned char*>(a);
    const auto* right = static_cast<const unsigned char*>(b);
    for (std::size_t i = 0; i < size; ++i) {
        if (left[i] != right[i]) return left[i] - right[i];
    }
    return 0;
}
void* memchr(const void* bytes, int wanted, std::size_t size) noexcept {
    const auto* all = static_cast<const unsigned char*>(bytes);
    for (std::size_t i = 0; i < size; ++i) {
        if (all[i] == static_cast<unsigned char>(wanted)) return const_cast<unsigned char*>(all + i);
    }
    return nullptr;
}
std::size_t strlen(const char* text) noexcept {
    std::size_t length = 0;
    for (; text[length] != '\0'; ++length) stay_a_loop();
    return length;
}
}
