#include "items/link_header.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kBlanks = " \t";

class LinkParser {
  public:
    explicit LinkParser(std::string_view text) : text_(text) {}

    Result<std::string> next() {
        for (skip(" \t,"); at_ < text_.size(); skip(" \t,")) {
            const auto target = take_target();
            if (!target) return unreadable();
            std::optional<std::string> relation;
            while (take(';')) {
                const std::string name = lower_case(token());
                const auto value = take('=') ? take_value() : std::string();
                if (!value) return unreadable();
                if (name == "rel" && !relation) relation = *value;  // a second one does not count (section 3.3)
            }
            if (at_ < text_.size() && text_[at_] != ',') return unreadable();
            if (relation && has_word(lower_case(*relation), "next")) return std::string(*target);
        }
        return std::string();
    }

  private:
    std::unexpected<Error> unreadable() const {
        return fail(Failure::items, "this is no Link header: " + printable(text_, 120));
    }

    void skip(std::string_view which) { at_ = std::min(text_.find_first_not_of(which, at_), text_.size()); }

    bool take(char c) {
        skip(kBlanks);
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        skip(kBlanks);
        return true;
    }

    std::optional<std::string_view> take_target() {
        const std::size_t end = text_.find('>', at_);
        if (text_[at_] != '<' || end == std::string_view::npos) return std::nullopt;
        const std::string_view target = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        skip(kBlanks);
        return target;
    }

    std::string_view token() {
        const std::size_t start = at_;
        at_ = std::min(text_.find_first_of(" \t=;,\"", at_), text_.size());
        return text_.substr(start, at_ - start);
    }

    /// A token or a quoted string.
    std::optional<std::string> take_value() {
        std::string value;
        if (at_ == text_.size() || text_[at_] != '"') {
            value = token();
        } else {
            for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
                if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
                value += text_[at_];
            }
            if (at_ == text_.size()) return std::nullopt;
            ++at_;
        }
        skip(kBlanks);
        return value;
    }

    static bool has_word(std::string_view words, std::string_view word) {
        while (!words.empty()) {
            const std::size_t end = std::min(words.find_first_of(kBlanks), words.size());
            if (words.substr(0, end) == word) return true;
            words.remove_prefix(std::min(end + 1, words.size()));
        }
        return false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Result<std::string> next_link(std::string_view header) { return LinkParser(header).next(); }

}  // namespace lockstep
