#include "convert/simple_command.hpp"

namespace lockstep {

std::string SimpleCommand::program() const {
    if (words.empty() || !words.front().value) return "";
    return words.front().value->substr(words.front().value->rfind('/') + 1);
}

SimpleCommand simple_command_at(std::span<const ShellToken> tokens, std::size_t first) {
    SimpleCommand command{first, first, {}, {}};
    for (; command.last < tokens.size() && tokens[command.last].kind != ShellToken::Kind::op; ++command.last) {
        const ShellToken& token = tokens[command.last];
        (token.kind == ShellToken::Kind::word ? command.words : command.redirects).push_back(token);
    }
    return command;
}

}  // namespace lockstep
