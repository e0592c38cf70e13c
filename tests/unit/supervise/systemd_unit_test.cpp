// Reading units from files, where no manager runs; that systemd itself reads the same is in tests/system.

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "supervise/systemd_unit.hpp"
#include "supervise/time_span.hpp"
#include "support/temporary_directory.hpp"

using namespace lockstep;

namespace {

using Words = std::vector<std::string>;

struct Root {
    testing::TemporaryDirectory directory;

    std::string write(const std::string& name, const std::string& text) const {
        const std::filesystem::path path = directory.path() + name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
        return path;
    }
    SystemdUnit unit(const std::string& name) const {
        auto read = read_systemd_unit(name, directory.path());
        INFO((read ? "" : read.error().text));
        REQUIRE(read.has_value());
        return *read;
    }
};

Millis timeout(std::string_view text) {
    const auto span = parse_stop_timeout(text);
    INFO(text);
    REQUIRE(span.has_value());
    return span->value_or(Millis{-1});
}

}  // namespace

TEST_CASE("time spans are read as systemd.time(7) has them", "[systemd]") {
    CHECK(timeout("90") == Millis{90'000});
    CHECK(timeout("1min 30s") == Millis{90'000});
    CHECK(timeout("1min30s") == Millis{90'000});
    CHECK(timeout(" 2 h ") == Millis{7'200'000});
    CHECK(timeout("500ms") == Millis{500});
    CHECK(timeout("1.5s") == Millis{1500});
    CHECK(timeout("1d 2hr 3 minutes 4seconds") == Millis{93'784'000});
    CHECK(timeout("infinity") == Millis{-1});
    CHECK(timeout("0") == Millis{-1});
    for (const char* wrong : {"", "soon", "5 parsecs", "-1s", "1s x", "nan", "nan s", "inf s"})
        CHECK_FALSE(parse_stop_timeout(wrong).has_value());
}

TEST_CASE("a unit's words are what systemd makes of them", "[systemd]") {
    CHECK(exec_words(R"(@-/usr/bin/lockstep  loop "/a b/x.json" 'c d' 50%% $$HOME %p %i e\sf)", "job@7.service") ==
          Words{"/usr/bin/lockstep", "loop", "/a b/x.json", "c d", "50%", "$HOME", "job", "7", "e f"});
}

TEST_CASE("a word's escapes are those of C, and one that is none is the character", "[systemd]") {
    CHECK(exec_words(R"(x \x61\x2ejson \141 "a\x20b" a\tb \q\x \x0)", "a.service") ==
          Words{"x", "a.json", "a", "a b", "a\tb", "qx", "x0"});
}

TEST_CASE("what Environment= sets is expanded, in a word as it is, as a word of its own in pieces", "[systemd]") {
    const UnitVariables variables = {{"A", "x y"}, {"B", "$A %n"}, {"E", ""}};
    CHECK(exec_words("p ${A} '${A}'/z $A $E ${E}. $$A $${A} a$A ${B}", "a.service", variables) ==
          Words{"p", "x y", "x y/z", "x", "y", ".", "$A", "${A}", "a$A", "$A %n"});
    CHECK(exec_words("p ${C} $C %h ${", "a.service", variables) == Words{"p", "${C}", "$C", "%h", "${"});
    CHECK(exec_words("-:p ${A}", "a.service", variables) == Words{"p", "${A}"});
}

TEST_CASE("of Environment= the last counts, an empty one resets, and a file may say otherwise", "[systemd]") {
    const Root root;
    const auto word = [&](const std::string& settings) {
        root.write("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/x ${A}\n" + settings);
        return root.unit("a").commands.at(0).at(1);
    };
    CHECK(word("Environment=\"A=one two\" B=1\n") == "one two");
    CHECK(word("Environment=A=1\nEnvironment=A=2 'C=%p'\n") == "2");
    CHECK(word("Environment=A=%N\n") == "a");
    CHECK(word("Environment=A=1\nEnvironment=\n") == "${A}");
    CHECK(word("Environment=A=1\nEnvironmentFile=-/etc/default/a\n") == "${A}");
    CHECK(word("Environment=A=1\nUnsetEnvironment=A\n") == "${A}");
}

TEST_CASE("a working directory may be missing, and is unknown where a specifier or a home names it", "[systemd]") {
    const Root root;
    const auto directory = [&](const std::string& value) {
        root.write("/etc/systemd/system/a@.service", "[Service]\nExecStart=/bin/x\nWorkingDirectory=" + value + "\n");
        return root.unit("a@7").directory;
    };
    CHECK(directory("-/srv") == "/srv");
    CHECK(directory("/srv/%i 100%%") == "/srv/7 100%");
    CHECK(directory("-~").empty());
    CHECK(directory("%h/jobs").empty());
    CHECK(directory("") == "/");
}

TEST_CASE("of a unit that states nothing systemd's defaults hold, and they have no place", "[systemd]") {
    const Root root;
    root.write("/etc/systemd/system/a.service", "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/x\n");
    const SystemdUnit unit = root.unit("a");
    CHECK(unit.stop_timeout == Millis{90'000});
    CHECK(unit.stop_setting.place.file.empty());
    CHECK(unit.kill_mode.value == "control-group");
    CHECK(unit.private_tmp.value == "no");
    CHECK(unit.place.line == 3);
}

TEST_CASE("drop-ins count in the order of their names, wherever they lie, and empty values reset lists", "[systemd]") {
    const Root root;
    root.write("/usr/lib/systemd/system/a.service",
               "[Service]\nExecStart=/bin/x\nTimeoutStopSec=10\nKillMode=process\nSuccessExitStatus=3\n");
    root.write("/usr/lib/systemd/system/a.service.d/20-late.conf", "[Service]\nTimeoutStopSec=40\n");
    root.write(
        "/etc/systemd/system/a.service.d/10-early.conf",
        "[Service]\nTimeoutStopSec=30\nExecStart=\nExecStart=/bin/y \\\n# a comment between\n  z\nSuccessExitStatus=75\n");
    const SystemdUnit unit = root.unit("a.service");
    CHECK(unit.stop_timeout == Millis{40'000});
    CHECK(unit.stop_setting.place.text() == root.directory.path() + "/usr/lib/systemd/system/a.service.d/20-late.conf:2");
    CHECK(unit.commands == std::vector<Words>{{"/bin/y", "z"}});
    CHECK(unit.kill_mode.value == "process");
    CHECK(unit.success_exit_status == "3 75 ");
}

TEST_CASE("a drop-in of /etc hides one of its name elsewhere, and one for all services counts, too", "[systemd]") {
    const Root root;
    root.write("/lib/systemd/system/a-b.service", "[Service]\nExecStart=/bin/x\n");
    root.write("/lib/systemd/system/a-b.service.d/x.conf", "[Service]\nTimeoutStopSec=1\nKillMode=none\n");
    root.write("/etc/systemd/system/a-b.service.d/x.conf", "[Service]\nTimeoutStopSec=2\n");
    root.write("/etc/systemd/system/service.d/a.conf", "[Service]\nPrivateTmp=true\n");
    root.write("/etc/systemd/system/a-.service.d/z.conf", "[Service]\nKillSignal=SIGINT\n");
    const SystemdUnit unit = root.unit("a-b.service");
    CHECK(unit.stop_timeout == Millis{2000});
    CHECK(unit.kill_mode.value == "control-group");
    CHECK(unit.private_tmp.value == "yes");
    CHECK(unit.kill_signal.value == "SIGINT");
}

TEST_CASE("the manager's own configuration gives the default", "[systemd]") {
    const Root root;
    root.write("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/x\n");
    root.write("/etc/systemd/system.conf", "[Manager]\nDefaultTimeoutStopSec=20s\n");
    CHECK(root.unit("a").stop_timeout == Millis{20'000});
    root.write("/usr/lib/systemd/system.conf.d/a.conf", "[Manager]\nDefaultTimeoutStopSec=25s\n");
    CHECK(root.unit("a").stop_timeout == Millis{25'000});
    CHECK(root.unit("a").stop_setting.key == "DefaultTimeoutStopSec");
}

TEST_CASE("TimeoutSec= sets it too, a wrong value is passed over, and without SIGKILL there is no limit", "[systemd]") {
    const Root root;
    root.write("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/x\nTimeoutSec=5\nTimeoutStopSec=soon\n");
    CHECK(root.unit("a").stop_timeout == Millis{5000});
    root.write("/etc/systemd/system/b.service", "[Service]\nExecStart=/bin/x\nTimeoutStopSec=5\nSendSIGKILL=no\n");
    CHECK_FALSE(root.unit("b").stop_timeout.has_value());
}

TEST_CASE("a boolean is read in any case, and what is none is passed over", "[systemd]") {
    const Root root;
    const auto unit = [&](const std::string& settings) {
        root.write("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/x\nTimeoutStopSec=5\n" + settings);
        return root.unit("a");
    };
    for (const char* yes : {"Yes", "TRUE", "On", "1", "Y", "t", "perhaps", "no\nSendSIGKILL=yes", "yes\nSendSIGKILL=2"}) {
        INFO(yes);
        CHECK(unit("SendSIGKILL=" + std::string(yes) + "\n").stop_timeout == Millis{5000});
    }
    for (const char* no : {"No", "FALSE", "Off", "0", "N", "f", "no\nSendSIGKILL=perhaps"}) {
        INFO(no);
        CHECK_FALSE(unit("SendSIGKILL=" + std::string(no) + "\n").stop_timeout.has_value());
    }
    CHECK(unit("PrivateTmp=True\n").private_tmp.value == "yes");
    CHECK(unit("PrivateTmp=True\n").private_tmp.place.line == 4);
    CHECK(unit("PrivateTmp=Off\n").private_tmp.value == "no");
    CHECK(unit("DynamicUser=YES\nPrivateTmp=no\n").private_tmp.key == "DynamicUser");
}

TEST_CASE("an instance is read from its template, and a file by its path with the drop-ins beside it", "[systemd]") {
    const Root root;
    root.write("/etc/systemd/system/t@.service", "[Service]\nExecStart=/bin/x %i\n");
    CHECK(root.unit("t@7.service").commands == std::vector<Words>{{"/bin/x", "7"}});
    CHECK(root.unit("t@.service").commands == std::vector<Words>{{"/bin/x", "%i"}});
    const std::string path = root.write("/home/u/mine.service", "[Service]\nExecStart=/bin/x\n");
    root.write("/home/u/mine.service.d/more.conf", "[Service]\nTimeoutStopSec=3\n");
    CHECK(root.unit(path).stop_timeout == Millis{3000});
}

TEST_CASE("DynamicUser=yes means a private /tmp", "[systemd]") {
    const Root root;
    root.write("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/x\nDynamicUser=yes\n");
    CHECK(root.unit("a").private_tmp.value == "yes");
    CHECK(root.unit("a").private_tmp.key == "DynamicUser");
}

TEST_CASE("a unit that is not there is looked for in vain, and where is said", "[systemd]") {
    const Root root;
    const auto missing = read_systemd_unit("none", root.directory.path());
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().failure == Failure::no_job_file);
    CHECK_THAT(missing.error().text,
               Catch::Matchers::Contains("none.service") && Catch::Matchers::Contains("/etc/systemd/system"));
}
