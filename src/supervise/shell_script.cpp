#include "supervise/shell_script.hpp"

#include "base/shell_words.hpp"

namespace lockstep {

namespace {

class Reader {
  public:
    std::vector<ShellCommand> read(std::string_view script) {
        for (const ShellToken& token : shell_tokens(script)) {
            if (token.kind == ShellToken::Kind::op)
                operator_read(token.text);
            else if (token.kind == ShellToken::Kind::word)
                word_read(token);
            else
                redirection_read(token);
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

    void touch(const ShellToken& token) {
        if (!begun_) current_.begin = token.begin;
        begun_ = true;
        current_.end = token.end();
    }

    void redirection_read(const ShellToken& redirection) {
        touch(redirection);
        (current_.redirections += " ") += redirection.text;
    }

    void word_read(const ShellToken& word) {
        if (!begun_ && opens_group(word)) return open(false);
        if (!begun_ && (command_follows(word) || word.text == "time")) return;
        touch(word);
        if (current_.words.empty() && !current_.exec) {
            if (closes_group(word)) closing_ = true;
            if (is_assignment(word)) {
                (current_.assignments += word.text) += " ";
                return;
            }
            if (word.text == "exec") {
                current_.exec = true;
                return;
            }
        } else if (current_.words.empty() && (word.text.starts_with('-') || name_follows_)) {
            // exec -a NAME, -c, -l of bash
            name_follows_ = word.text.starts_with('-') && word.text.ends_with('a');
            return;
        }
        current_.words.push_back(word.unquoted);
        (current_.program += " ") += word.text;
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

std::vector<ShellCommand> shell_commands(std::string_view script) { return Reader().read(script); }

}  // namespace lockstep
