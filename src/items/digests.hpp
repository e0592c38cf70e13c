#pragma once
// Which texts have been seen, in 16 bytes each: keys of items are not kept in memory.

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace lockstep {

/// A set of 128-bit digests with open addressing. That two different texts have one is as likely as 1 in 2^128.
class SeenTexts {
  public:
    /// @return false if it was there already
    bool insert(std::string_view text) {
        if (2 * (count_ + 1) > slots_.size()) grow();
        const Digest digest = digest_of(text);
        Digest& slot = find(digest);
        if (slot != Digest{}) return false;
        slot = digest;
        ++count_;
        return true;
    }

  private:
    using Digest = std::array<std::uint64_t, 2>;  // all zero: an empty slot

    static Digest digest_of(std::string_view text) {
        const std::string hex = sha256_of_parts({text});
        Digest digest{};
        std::from_chars(hex.data(), hex.data() + 16, digest[0], 16);
        std::from_chars(hex.data() + 16, hex.data() + 32, digest[1], 16);
        return digest;
    }

    Digest& find(const Digest& digest) {
        std::size_t at = digest[0] & (slots_.size() - 1);
        while (slots_[at] != Digest{} && slots_[at] != digest) at = (at + 1) & (slots_.size() - 1);
        return slots_[at];
    }

    void grow() {
        std::vector<Digest> before(slots_.empty() ? 64 : 2 * slots_.size());
        before.swap(slots_);
        for (const Digest& digest : before) {
            if (digest != Digest{}) find(digest) = digest;
        }
    }

    std::vector<Digest> slots_;  // a power of two of them, at most half full
    std::size_t count_ = 0;
};

}  // namespace lockstep
