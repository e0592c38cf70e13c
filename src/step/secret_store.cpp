#include "step/secret_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <mutex>

#include "step/redact.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

struct SecretStore::Seen {
    std::mutex mutex;
    Redactor redactor;
};

SecretStore::SecretStore(const std::map<std::string, SecretSpec, std::less<>>& specs)
    : specs_(&specs), seen_(std::make_shared<Seen>()) {}

namespace {

std::string cannot_be_had(std::string_view name) { return "secret \"" + std::string(name) + "\" cannot be had: "; }

Result<std::string> read_secret_file(std::string_view name, const std::string& path) {
    const std::string what = cannot_be_had(name) + "file " + path;
    // O_NONBLOCK: a fifo that nobody writes to must not hang us, with the lock held.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return os_error(Failure::secret, what);
    struct stat about{};
    if (::fstat(fd.get(), &about) != 0) return os_error(Failure::secret, what);
    if (!S_ISREG(about.st_mode)) return fail(Failure::secret, cannot_be_had(name) + path + " is not a regular file");
    constexpr std::size_t kLargestSecret = 64 * 1024;
    std::string text;
    std::array<char, 4096> piece{};
    for (;;) {
        const ssize_t length = ::read(fd.get(), piece.data(), piece.size());
        if (length < 0) return os_error(Failure::secret, what);
        if (length == 0) break;
        text.append(piece.data(), static_cast<std::size_t>(length));
        if (text.size() > kLargestSecret) return fail(Failure::secret, what + ": larger than 64 KiB");
    }
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    if (text.empty()) return fail(Failure::secret, what + ": it is empty");
    return text;
}

}  // namespace

Result<std::string> SecretStore::resolve(std::string_view name) const {
    const auto spec = specs_->find(name);
    if (spec == specs_->end()) return fail(Failure::secret, cannot_be_had(name) + "it is not declared in the job file");
    Result<std::string> value;
    if (!spec->second.file.empty()) {
        value = read_secret_file(name, spec->second.file);
        if (!value) return value;
    } else if (const char* text = std::getenv(spec->second.env.c_str()); text != nullptr && *text != '\0') {
        value = text;
    } else {
        return fail(Failure::secret, cannot_be_had(name) + "the environment variable " + spec->second.env +
                                         (text != nullptr ? " is empty" : " is not set"));
    }
    const std::lock_guard guard(seen_->mutex);
    seen_->redactor.add(*value);
    return value;
}

Result<void> SecretStore::resolve_all(const std::set<std::string>& names) const {
    for (const std::string& name : names) {
        if (auto value = resolve(name); !value) return std::unexpected(std::move(value.error()));
    }
    return {};
}

std::string SecretStore::redact(std::string text) const {
    const std::lock_guard guard(seen_->mutex);
    return seen_->redactor.redact(std::move(text));
}

}  // namespace lockstep
