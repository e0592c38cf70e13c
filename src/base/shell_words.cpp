#include "base/shell_words.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace lockstep {

namespace {

/// Of two that begin alike the longer one first.
constexpr std::string_view kOperators[] = {"&&", "||", ";;", "|&", ";", "&", "|", "\n", "(", ")"};
constexpr std::string_view kRedirections[] = {"&>>", "<<<", "<<-", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "<", ">"};

template <std::size_t N>
std::string_view first_that_begins(const std::string_view (&signs)[N], std::string_view text) {
    const auto* const found = std::ranges::find_if(signs, [&](std::string_view sign) { return text.starts_with(sign); });
    return found == std::end(signs) ? "" : *found;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

class Splitter {
  public:
    explicit Splitter(std::string_view line) : line_(line) {}

    void read() {
        while (true) {
            skip_blanks();
            if (at_ == line_.size() || (only_first_ && line_[at_] == '\n')) return;
            if (line_[at_] == '#')
                at_ = std::min(line_.find('\n', at_), line_.size());
            else
                one_token();
        }
    }

    std::size_t first_line() {
        only_first_ = true;
        read();
        for (const HereDocument& document : here_documents_) skip(document);
        return at_;
    }

    bool all_read() const { return all_read_; }
    std::vector<ShellToken> take_tokens() { return std::move(tokens_); }

  private:
    struct HereDocument {
        std::string end;
        bool behind_tabs = false;
    };

    struct Word {
        std::string unquoted;
        bool expands = false;  ///< what the shell makes of it cannot be known from the text
    };

    std::string_view rest() const { return line_.substr(at_); }

    void skip_blanks() {
        while (at_ < line_.size() && (is_blank(line_[at_]) || rest().starts_with("\\\n"))) at_ += is_blank(line_[at_]) ? 1 : 2;
    }

    /// Past the sign at `at`. Without one, what is open is not closed.
    void past(std::size_t at) {
        if (at >= line_.size()) all_read_ = false;
        at_ = std::min(at + 1, line_.size());
    }

    void one_token() {
        ShellToken token;
        token.begin = at_;
        if (is_redirection()) {
            token.kind = ShellToken::Kind::redirect;
            redirection();
        } else if (const std::string_view op = first_that_begins(kOperators, rest()); !op.empty()) {
            token.kind = ShellToken::Kind::op;
            at_ += op.size();
        } else {
            Word read = word();
            if (!read.expands) token.value = read.unquoted;
            token.unquoted = std::move(read.unquoted);
        }
        token.text = line_.substr(token.begin, at_ - token.begin);
        tokens_.push_back(std::move(token));
    }

    /// "2>", ">", "&>": the number belongs to it only if it touches the operator.
    bool is_redirection() const {
        const std::size_t digits = line_.find_first_not_of("0123456789", at_);
        if (digits == std::string_view::npos) return false;
        if (digits == at_ && rest().starts_with("&>")) return true;
        return (line_[digits] == '<' || line_[digits] == '>') && !is_process(digits);
    }

    /// <(…) or >(…), as bash(1) has it: a part of a word.
    bool is_process(std::size_t at) const { return line_.substr(at).starts_with("<(") || line_.substr(at).starts_with(">("); }

    bool word_ends() const {
        return at_ == line_.size() || (std::string_view(" \t;&|()<>\n").contains(line_[at_]) && !is_process(at_));
    }

    void redirection() {
        at_ = line_.find_first_not_of("0123456789", at_);
        const std::string_view op = first_that_begins(kRedirections, rest());
        at_ += op.size();
        skip_blanks();
        if (word_ends() || op.starts_with("<<")) all_read_ = false;
        std::string target = word().unquoted;
        if (op == "<<" || op == "<<-") here_documents_.push_back({std::move(target), op == "<<-"});
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

    Word word() {
        Word word;
        for (const std::size_t begin = at_; !word_ends();) {
            if (quoted_or_expanded(word)) continue;
            const char c = line_[at_];
            if (c == '\\') {
                if (at_ + 1 < line_.size() && line_[at_ + 1] != '\n') word.unquoted += line_[at_ + 1];
                past(at_ + 1);
                continue;
            }
            // A pattern, a home directory, a list in braces: what becomes of it depends on the day.
            if (c == '*' || c == '?' || c == '[' || (c == '~' && at_ == begin) ||
                (c == '{' && at_ + 1 < line_.size() && !is_blank(line_[at_ + 1])))
                word.expands = true;
            word.unquoted += c;
            ++at_;
        }
        return word;
    }

    bool quoted_or_expanded(Word& word) {
        if (line_[at_] == '\'')
            single_quoted(word);
        else if (line_[at_] == '"')
            double_quoted(word);
        else if (line_[at_] == '$' || line_[at_] == '`' || is_process(at_))
            expansion(word);
        else
            return false;
        return true;
    }

    void single_quoted(Word& word) {
        const std::size_t close = line_.find('\'', at_ + 1);
        word.unquoted += line_.substr(at_ + 1, close - at_ - 1);
        past(std::min(close, line_.size()));
    }

    void double_quoted(Word& word) {
        for (++at_; at_ < line_.size() && line_[at_] != '"';) {
            if (line_[at_] == '$' || line_[at_] == '`') {
                expansion(word);
                continue;
            }
            if (line_[at_] == '\\' && at_ + 1 < line_.size() && std::string_view("$`\"\\\n").contains(line_[at_ + 1])) ++at_;
            word.unquoted += line_[at_++];
        }
        past(at_);
    }

    /// ${…}, $(…), `…`, <(…); of $NAME, and of $'…' of bash, the sign only.
    void expansion(Word& word) {
        const std::size_t begin = at_++;
        if (line_[begin] == '`') {
            for (; at_ < line_.size() && line_[at_] != '`'; ++at_) {
                if (line_[at_] == '\\') ++at_;
            }
            past(at_);
        } else if (rest().starts_with('{')) {
            closed('{', '}');
        } else if (rest().starts_with('(')) {
            if (line_[begin] != '$') all_read_ = false;
            closed('(', ')');
        }
        word.expands = true;
        word.unquoted += line_.substr(begin, at_ - begin);
    }

    void closed(char open, char close) {
        Word ignored;
        for (int depth = 0; at_ < line_.size();) {
            const char c = line_[at_];
            if (c == '\'' || c == '"' || c == '`') {
                quoted_or_expanded(ignored);
                continue;
            }
            if (c == open) ++depth;
            if (c == close && --depth == 0) break;
            at_ += c == '\\' ? 2 : 1;
        }
        past(at_);
    }

    std::string_view line_;
    std::size_t at_ = 0;
    std::vector<ShellToken> tokens_;
    bool only_first_ = false;
    bool all_read_ = true;  // all that belongs to the line is in its words
    std::vector<HereDocument> here_documents_;
};

}  // namespace

std::optional<std::vector<ShellToken>> split_shell_line(std::string_view line) {
    Splitter splitter(line);
    splitter.read();
    if (!splitter.all_read()) return std::nullopt;
    return splitter.take_tokens();
}

std::vector<ShellToken> shell_tokens(std::string_view script) {
    Splitter splitter(script);
    splitter.read();
    return splitter.take_tokens();
}

bool is_assignment(const ShellToken& word) {
    constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    constexpr std::string_view kInName = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.";
    std::string_view rest = word.text;
    if (rest.empty() || !kLetters.contains(rest.front())) return false;
    rest.remove_prefix(std::min(rest.find_first_not_of(kInName), rest.size()));
    if (rest.starts_with('[')) rest.remove_prefix(std::min(rest.find(']'), rest.size() - 1) + 1);
    return rest.starts_with('=') || rest.starts_with("+=");
}

bool opens_group(const ShellToken& word) {
    constexpr std::array<std::string_view, 6> kWords = {"{", "if", "for", "while", "until", "case"};
    return std::ranges::find(kWords, word.text) != kWords.end();
}

bool closes_group(const ShellToken& word) {
    constexpr std::array<std::string_view, 4> kWords = {"}", "fi", "done", "esac"};
    return std::ranges::find(kWords, word.text) != kWords.end();
}

bool command_follows(const ShellToken& word) {
    constexpr std::array<std::string_view, 9> kWords = {"{", "if", "while", "until", "then", "else", "elif", "do", "!"};
    return std::ranges::find(kWords, word.text) != kWords.end();
}

std::size_t shell_line_length(std::string_view script) { return Splitter(script).first_line(); }

}  // namespace lockstep
