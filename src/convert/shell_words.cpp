#include "convert/shell_words.hpp"

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

/// The longest first.
constexpr std::array<std::string_view, 8> kOperators = {"&&", "||", ";;", "|&", ";", "&", "|", "\n"};
constexpr std::array<std::string_view, 9> kRedirections = {"&>>", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "<"};

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool ends_word(char c) { return is_blank(c) || std::string_view(";&|()<>\n").find(c) != std::string_view::npos; }

class Splitter {
  public:
    explicit Splitter(std::string_view line) : line_(line) {}

    std::optional<std::vector<ShellToken>> split() {
        if (!read()) return std::nullopt;
        return std::move(tokens_);
    }

    std::size_t first_line() {
        only_first_ = true;
        read();
        for (const HereDocument& document : here_documents_) skip(document);
        return at_;
    }

  private:
    struct HereDocument {
        std::string end;
        bool behind_tabs = false;
    };

    /// false: not all that was read is among the tokens. Then at_ is the text's end, if it cannot be told how it goes on.
    bool read() {
        while (true) {
            while (at_ < line_.size() && (is_blank(line_[at_]) || rest().starts_with("\\\n")))
                at_ += is_blank(line_[at_]) ? 1 : 2;
            if (at_ == line_.size() || (only_first_ && line_[at_] == '\n')) return !goes_on_elsewhere_;
            if (line_[at_] == '#') {
                at_ = std::min(line_.find('\n', at_), line_.size());
            } else if (!one_token()) {
                at_ = line_.size();
                return false;
            }
        }
    }

    std::string_view rest() const { return line_.substr(at_); }

    bool one_token() {
        ShellToken token;
        token.begin = at_;
        if (is_redirection()) {
            token.kind = ShellToken::Kind::redirect;
            if (!redirection()) return false;
        } else if (const std::string_view op = operator_here(); !op.empty()) {
            token.kind = ShellToken::Kind::op;
            at_ += op.size();
        } else {
            token.value = "";
            if (!word(token.value)) return false;
        }
        token.text = line_.substr(token.begin, at_ - token.begin);
        tokens_.push_back(std::move(token));
        return true;
    }

    std::string_view operator_here() const {
        if (line_[at_] == '(' || line_[at_] == ')') return line_.substr(at_, 1);
        const auto* const found = std::ranges::find_if(kOperators, [&](std::string_view op) { return rest().starts_with(op); });
        return found == kOperators.end() ? "" : *found;
    }

    /// "2>", ">", "&>": the number belongs to it only if it touches the operator.
    bool is_redirection() const {
        const std::size_t digits = line_.find_first_not_of("0123456789", at_);
        if (digits == std::string_view::npos) return false;
        return line_[digits] == '<' || line_[digits] == '>' || (digits == at_ && rest().starts_with("&>"));
    }

    bool redirection() {
        at_ = line_.find_first_not_of("0123456789", at_);
        const auto* const op =
            std::ranges::find_if(kRedirections, [&](std::string_view one) { return rest().starts_with(one); });
        at_ += op == kRedirections.end() ? 1 : op->size();
        const bool is_here_document = op != kRedirections.end() && *op == "<<" && !rest().starts_with("<");
        if (op != kRedirections.end() && *op == "<<") goes_on_elsewhere_ = true;
        if (rest().starts_with("<")) ++at_;  // the third of <<<, whose word is no end of anything
        if (rest().starts_with("(")) {       // a substituted process
            goes_on_elsewhere_ = true;
            return closed('(', ')');
        }
        const bool behind_tabs = is_here_document && rest().starts_with("-");
        if (behind_tabs) ++at_;
        while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
        if (at_ == line_.size() || ends_word(line_[at_])) return false;
        const std::size_t begin = at_;
        std::optional<std::string> target = "";
        if (!word(target)) return false;
        if (is_here_document)
            here_documents_.push_back({target.value_or(std::string(line_.substr(begin, at_ - begin))), behind_tabs});
        return true;
    }

    /// From the end of a line to that of the line that ends the document.
    void skip(const HereDocument& document) {
        while (at_ < line_.size()) {
            const std::size_t begin = at_ + 1;
            at_ = std::min(line_.find('\n', begin), line_.size());
            std::string_view text = line_.substr(begin, at_ - begin);
            if (document.behind_tabs) text.remove_prefix(std::min(text.find_first_not_of('\t'), text.size()));
            if (text == document.end) return;
        }
    }

    /// Up to the word's end; `value` is what the shell makes of it, or nothing if that cannot be known from the text.
    bool word(std::optional<std::string>& value) {
        const std::size_t begin = at_;
        while (at_ < line_.size() && !ends_word(line_[at_])) {
            const char c = line_[at_];
            if (c == '\'') {
                if (!single_quoted(value)) return false;
            } else if (c == '"') {
                if (!double_quoted(value)) return false;
            } else if (c == '\\') {
                if (++at_ == line_.size()) return false;
                if (line_[at_] != '\n') add(value, line_[at_]);
                ++at_;
            } else if (c == '$' || c == '`') {
                value.reset();
                if (!expansion()) return false;
            } else {
                // A pattern, a home directory, a list in braces: what becomes of it depends on the day.
                if (c == '*' || c == '?' || c == '[' || (c == '~' && at_ == begin) ||
                    (c == '{' && at_ + 1 < line_.size() && !is_blank(line_[at_ + 1])))
                    value.reset();
                add(value, c);
                ++at_;
            }
        }
        return true;
    }

    static void add(std::optional<std::string>& value, char c) {
        if (value) *value += c;
    }

    bool single_quoted(std::optional<std::string>& value) {
        const std::size_t close = line_.find('\'', at_ + 1);
        if (close == std::string_view::npos) return false;
        if (value) value->append(line_.substr(at_ + 1, close - at_ - 1));
        at_ = close + 1;
        return true;
    }

    bool double_quoted(std::optional<std::string>& value) {
        for (++at_; at_ < line_.size();) {
            const char c = line_[at_];
            if (c == '"') {
                ++at_;
                return true;
            }
            if (c == '$' || c == '`') {
                value.reset();
                if (!expansion()) return false;
                continue;
            }
            if (c == '\\' && at_ + 1 < line_.size() &&
                std::string_view("$`\"\\\n").find(line_[at_ + 1]) != std::string_view::npos)
                ++at_;
            add(value, line_[at_]);
            ++at_;
        }
        return false;
    }

    /// $NAME, ${…}, $(…), `…`
    bool expansion() {
        if (line_[at_] == '`') {
            for (++at_; at_ < line_.size() && line_[at_] != '`'; ++at_) {
                if (line_[at_] == '\\') ++at_;
            }
            return at_++ < line_.size();
        }
        ++at_;
        if (at_ == line_.size()) return true;
        if (line_[at_] == '{') return closed('{', '}');
        if (line_[at_] == '(') return closed('(', ')');
        if (line_[at_] == '\'') {  // $'…' of bash
            std::optional<std::string> ignored;
            return single_quoted(ignored);
        }
        return true;
    }

    bool closed(char open, char close) {
        std::optional<std::string> ignored;
        int depth = 0;
        while (at_ < line_.size()) {
            const char c = line_[at_];
            if (c == '\'') {
                if (!single_quoted(ignored)) return false;
                continue;
            }
            if (c == '"') {
                if (!double_quoted(ignored)) return false;
                continue;
            }
            if (c == '\\') ++at_;
            if (c == open) ++depth;
            ++at_;
            if (c == close && --depth == 0) return at_ <= line_.size();
        }
        return false;
    }

    std::string_view line_;
    std::size_t at_ = 0;
    std::vector<ShellToken> tokens_;
    bool only_first_ = false;
    bool goes_on_elsewhere_ = false;  // what belongs to the line is not all in its words
    std::vector<HereDocument> here_documents_;
};

}  // namespace

std::optional<std::vector<ShellToken>> split_shell_line(std::string_view line) { return Splitter(line).split(); }

std::size_t shell_line_length(std::string_view script) { return Splitter(script).first_line(); }

}  // namespace lockstep
