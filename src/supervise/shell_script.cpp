#include "supervise/shell_script.hpp"

#include <algorithm>
#include <cctype>

namespace lockstep {

namespace {

// Of two that begin alike the longer one first.
constexpr std::string_view kRedirections[] = {"&>>", "&>", "<<<", "<<-", "<<", "<&", "<>", "<", ">>", ">&", ">|", ">"};
constexpr std::string_view kOperators[] = {"&&", "||", "|&", "|", "&", ";;", ";", "\n", "(", ")"};
constexpr std::string_view kOpening[] = {"{", "if", "while", "until", "for", "case"};
constexpr std::string_view kClosing[] = {"}", "fi", "done", "esac"};
constexpr std::string_view kPassedOver[] = {"then", "elif", "else", "do", "!", "time"};

template <std::size_t N>
bool is_one_of(const std::string_view (&words)[N], std::string_view word) {
    return std::ranges::find(words, word) != std::end(words);
}

template <std::size_t N>
std::string_view first_that_begins(const std::string_view (&words)[N], std::string_view text) {
    const auto found = std::ranges::find_if(words, [&](std::string_view word) { return text.starts_with(word); });
    return found != std::end(words) ? *found : "";
}

bool is_assignment(std::string_view word) {
    const std::size_t equals = word.find('=');
    return equals != std::string_view::npos && equals > 0 && std::isdigit(static_cast<unsigned char>(word.front())) == 0 &&
           std::ranges::all_of(word.substr(0, equals), [](unsigned char c) { return c == '_' || std::isalnum(c) != 0; });
}

class Reader {
  public:
    explicit Reader(std::string_view script) : script_(script) {}

    std::vector<ShellCommand> read() {
        while (to_token()) {
            const std::size_t begin = at_;
            if (is_redirection()) {
                redirection();
                touch(begin);
                current_.redirections += " " + std::string(script_.substr(begin, at_ - begin));
            } else if (const std::string_view op = first_that_begins(kOperators, rest()); !op.empty()) {
                at_ += op.size();
                operator_read(op);
            } else {
                const std::string value = word();
                word_read(value, begin);
            }
        }
        end_command("");
        return std::move(commands_);
    }

  private:
    /// A { } or ( ), a condition or a loop that is not closed yet.
    struct Group {
        bool parenthesis = false;
        bool reads_pipe = false;
        std::size_t first = 0;       ///< its first command
        std::size_t list_begin = 0;  ///< of the list that it is in
    };

    std::string_view rest() const { return script_.substr(at_); }

    /// Past blanks, comments and line ends behind a backslash; whether anything is left.
    bool to_token() {
        for (; at_ < script_.size(); ++at_) {
            if (script_[at_] == '#') at_ = std::min(script_.find('\n', at_), script_.size());
            if (rest().starts_with("\\\n"))
                ++at_;
            else if (rest().empty() || (script_[at_] != ' ' && script_[at_] != '\t'))
                break;
        }
        return at_ < script_.size();
    }

    bool is_redirection() const {
        const std::string_view from = rest().substr(std::min(rest().find_first_not_of("0123456789"), rest().size()));
        if (from.starts_with("&>")) return from.size() == rest().size();
        return (from.starts_with('<') || from.starts_with('>')) && !from.substr(1).starts_with('(');
    }

    void redirection() {
        at_ = script_.find_first_not_of("0123456789", at_);
        at_ += first_that_begins(kRedirections, rest()).size();
        if (to_token()) word();
    }

    /// To the word's end. What it is without quotes; expansions stay as they are written.
    std::string word() {
        std::string value;
        while (at_ < script_.size()) {
            const char c = script_[at_];
            if (is_expansion() || rest().starts_with("<(") || rest().starts_with(">(")) {
                value += to_close();
            } else if (c == '\'' || c == '"' || c == '`') {
                quoted(value);
            } else if (c == '\\' && at_ + 1 < script_.size()) {
                value += script_[at_ + 1];
                at_ += 2;
            } else if (std::string_view(" \t\n;&|()<>").contains(c)) {
                break;
            } else {
                value += c;
                ++at_;
            }
        }
        return value;
    }

    /// Past the quote that ends what begins here.
    void quoted(std::string& value) {
        const char quote = script_[at_];
        if (quote == '`') value += quote;
        for (++at_; at_ < script_.size() && script_[at_] != quote;) {
            if (quote == '"' && is_expansion()) {
                value += to_close();
                continue;
            }
            const bool escapes = quote != '\'' && script_[at_] == '\\' && at_ + 1 < script_.size();
            if (escapes && std::string_view("$`\"\\\n").contains(script_[at_ + 1])) ++at_;
            value += script_[at_++];
        }
        if (quote == '`') value += quote;
        at_ = std::min(at_ + 1, script_.size());
    }

    bool is_expansion() const { return rest().starts_with("$(") || rest().starts_with("${"); }

    /// Past the parenthesis or brace that closes the one behind the sign here; all of it, as it is written.
    std::string_view to_close() {
        const std::size_t from = at_++;
        const char open = script_[at_];
        std::string ignored;
        for (int depth = 0; at_ < script_.size();) {
            const char c = script_[at_];
            if (c == '\'' || c == '"' || c == '`') {
                quoted(ignored);
                continue;
            }
            at_ = std::min(at_ + (c == '\\' ? 2 : 1), script_.size());
            if (c == open) ++depth;
            if (c == (open == '{' ? '}' : ')') && --depth == 0) break;
        }
        return script_.substr(from, at_ - from);
    }

    void touch(std::size_t begin) {
        if (!begun_) current_.begin = begin;
        begun_ = true;
        current_.end = at_;
    }

    void word_read(const std::string& value, std::size_t begin) {
        const std::string_view raw = script_.substr(begin, at_ - begin);
        if (current_.words.empty() && !current_.exec) {
            if (is_one_of(kPassedOver, raw) && !begun_) return;
            if (is_one_of(kOpening, raw) && !begun_) return open(false);
            if (is_one_of(kClosing, raw)) closing_ = true;
            if (is_assignment(raw)) {
                touch(begin);
                current_.assignments += std::string(raw) + " ";
                return;
            }
        }
        touch(begin);
        if (current_.words.empty() && raw == "exec" && !current_.exec) {
            current_.exec = true;
            return;
        }
        // exec -a NAME, -c, -l of bash
        if (current_.words.empty() && current_.exec && (raw.starts_with('-') || name_follows_)) {
            name_follows_ = raw.starts_with('-') && raw.ends_with('a');
            return;
        }
        current_.words.push_back(value);
        current_.program += " " + std::string(raw);
    }

    void operator_read(std::string_view op) {
        if (op == "\n" && !begun_) return;  // a pipeline goes on in the next line
        end_command(op);
        if (op == "(") {
            open(true);
        } else if (op == ")") {
            if (!groups_.empty() && groups_.back().parenthesis) close(true);
        } else if (op == "&") {
            for (std::size_t i = list_begin_; i < commands_.size(); ++i) commands_[i].child = true;
        }
        if (op == "&" || op == ";" || op == ";;" || op == "\n") list_begin_ = commands_.size();
        reads_pipe_ = op == "|" || op == "|&";
    }

    /// The command before an operator, "" for the end of the script.
    void end_command(std::string_view op) {
        const bool feeds_pipe = op == "|" || op == "|&";
        if (closing_) {
            if (!groups_.empty() && !groups_.back().parenthesis) close(feeds_pipe);
        } else if (begun_) {
            current_.reads_pipe = reads_pipe_;
            current_.feeds_pipe = feeds_pipe;
            current_.child = reads_pipe_ || feeds_pipe;
            if (op == "|&") current_.redirections += " 2>&1";
            commands_.push_back(std::move(current_));
        }
        current_ = {};
        begun_ = closing_ = name_follows_ = false;
    }

    void open(bool parenthesis) {
        groups_.push_back({parenthesis, reads_pipe_, commands_.size(), list_begin_});
        list_begin_ = commands_.size();
        reads_pipe_ = false;
    }

    void close(bool children) {
        const Group group = groups_.back();
        groups_.pop_back();
        list_begin_ = group.list_begin;
        if (!children && !group.reads_pipe) return;
        for (std::size_t i = group.first; i < commands_.size(); ++i) commands_[i].child = true;
    }

    std::string_view script_;
    std::size_t at_ = 0;
    std::vector<ShellCommand> commands_;
    ShellCommand current_;
    bool begun_ = false;          ///< current_ has a part already
    bool closing_ = false;        ///< it is no command but a word that closes a group
    bool name_follows_ = false;   ///< behind exec -a
    bool reads_pipe_ = false;     ///< what comes next
    std::size_t list_begin_ = 0;  ///< first command of the list that a & would put into the background
    std::vector<Group> groups_;
};

}  // namespace

std::vector<ShellCommand> shell_commands(std::string_view script) { return Reader(script).read(); }

}  // namespace lockstep
