#include "cli/completion.hpp"

namespace lockstep {

std::string brief_help(const std::string& text, std::string_view apostrophe) {
    std::string line;
    for (const char c : text) line += c == '\'' ? std::string(apostrophe) : std::string(1, c == '\n' ? ' ' : c);
    return line;
}

std::string completion_script(const Manual& manual, Shell shell) {
    switch (shell) {
        case Shell::bash: return bash_completion(manual);
        case Shell::zsh: return zsh_completion(manual);
        case Shell::fish: return fish_completion(manual);
    }
    return "";
}

}  // namespace lockstep
