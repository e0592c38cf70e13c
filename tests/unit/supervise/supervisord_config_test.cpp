// Reading supervisord's configuration; that supervisord itself reads the same is in tests/system/test_check_supervision.py.

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "supervise/expansion.hpp"
#include "supervise/ini_file.hpp"
#include "supervise/shlex.hpp"
#include "supervise/supervisord_config.hpp"
#include "support/temporary_directory.hpp"

using namespace lockstep;

namespace {

std::optional<std::string> no_environment(const std::string&) { return std::nullopt; }

using Words = std::vector<std::string>;

struct Config {
    testing::TemporaryDirectory directory;

    std::string write(const std::string& name, const std::string& text) const {
        const std::filesystem::path path = std::filesystem::path(directory.path()) / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
        return path;
    }
    std::vector<SupervisordProgram> programs(const std::string& text,
                                             const EnvironmentLookup& environment = no_environment) const {
        auto read = read_supervisord_config(write("supervisord.conf", text), environment);
        INFO((read ? "" : read.error().text));
        REQUIRE(read.has_value());
        return *read;
    }
    std::string refused(const std::string& text) const {
        const auto read = read_supervisord_config(write("supervisord.conf", text), no_environment);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().failure == Failure::job_file);
        return read.error().text;
    }
};

}  // namespace

TEST_CASE("an ini file is read as configparser reads it", "[ini]") {
    IniFile ini;
    REQUIRE(
        ini.read_text("; comment\n"
                      "[program:a]   \n"
                      "Command = x --y ; tail\n"
                      "  continued # tail\n"
                      "\n"
                      "url=http://h/#a;b\n"
                      "with:colon\n"
                      "[other]\n"
                      "x=1\n"
                      "[program:a]\n"
                      "x=2\n"
                      "[DEFAULT]\n"
                      "d=3\n",
                      "f"));
    CHECK(ini.find("program:a", "command")->value == "x --y\ncontinued");
    CHECK(ini.find("program:a", "command")->place.text() == "f:3");
    CHECK(ini.find("program:a", "url")->value == "http://h/#a;b");
    CHECK(ini.find("program:a", "with")->value == "colon");
    CHECK(ini.find("program:a", "x")->place.text() == "f:11");
    CHECK(ini.find("program:a", "d")->value == "3");
    CHECK(ini.find("program:a")->place.text() == "f:2");
    CHECK(ini.find("program:b") == nullptr);
    IniFile wrong;
    CHECK(wrong.read_text("a=1\n", "f").error().text == "f:1: stands before the first [section]");
    CHECK(wrong.read_text("[a]\nx\n", "f").error().text == "f:2: is neither a [section] nor NAME=VALUE: x");
}

TEST_CASE("words are split as shlex splits them", "[shlex]") {
    CHECK(shlex_split(R"(a 'b c' "d \" \e" f\ g '' x"y"'z')") == Words{"a", "b c", R"(d " \e)", "f g", "", "xyz"});
    CHECK(shlex_split("  ") == Words{});
    CHECK_FALSE(shlex_split("a 'b").has_value());
    CHECK_FALSE(shlex_split("a\\").has_value());
}

TEST_CASE("an environment is read in pairs", "[shlex]") {
    const auto pairs = key_values(R"(A="x,y", B=z ,C='q')");
    REQUIRE(pairs.size() == 3);
    CHECK(pairs[0] == std::pair<std::string, std::string>("A", "x,y"));
    CHECK(pairs[1] == std::pair<std::string, std::string>("B", "z"));
    CHECK(pairs[2] == std::pair<std::string, std::string>("C", "q"));
}

TEST_CASE("%(name)s is expanded as Python does it, and what Python would not take is no text", "[expansion]") {
    const auto value = [](const std::string& name) -> std::optional<std::string> {
        if (name == "n") return "7";
        if (name == "s") return "x";
        return std::nullopt;
    };
    CHECK(expand_percent("a %(s)s 100%% %(n)02d|%(n)d|%(s)3s|%(s)-3s|", value) == "a x 100% 07|7|  x|x  |");
    for (const char* wrong : {"100%", "%(other)s", "%(n", "%(s)d", "%s", "%(s)", "%(s)q"}) {
        INFO(wrong);
        CHECK_FALSE(expand_percent(wrong, value).has_value());
    }
}

TEST_CASE("a program's settings are those of its section, else supervisord's defaults, each with its place", "[supervisord]") {
    const Config config;
    const auto programs = config.programs("[supervisord]\n[program:a]\ncommand=lockstep loop a.json\nstopwaitsecs=7\n");
    REQUIRE(programs.size() == 1);
    CHECK(programs[0].name == "a");
    CHECK(programs[0].words == Words{"lockstep", "loop", "a.json"});
    CHECK(programs[0].stopwaitsecs.value == "7");
    CHECK(programs[0].stopwaitsecs.place.line == 4);
    CHECK(programs[0].exitcodes.value == "0");
    CHECK(programs[0].exitcodes.place.file.empty());
}

TEST_CASE("included files count, in the order of their names, each with its own here", "[supervisord]") {
    const Config config;
    config.write("conf.d/b.conf", "[program:a]\nstopwaitsecs=30\n");
    config.write("conf.d/a.conf", "[program:a]\ncommand=%(here)s/x\nstopwaitsecs=20\n");
    const auto programs = config.programs("[supervisord]\n[include]\nfiles = conf.d/*.conf none/*.ini\n");
    REQUIRE(programs.size() == 1);
    CHECK(programs[0].words == Words{config.directory.path() + "/conf.d/x"});
    CHECK(programs[0].stopwaitsecs.value == "30");
    CHECK(programs[0].stopwaitsecs.place.text() == config.directory.path() + "/conf.d/b.conf:2");
    CHECK(programs[0].place.text() == config.directory.path() + "/conf.d/a.conf:1");
}

TEST_CASE("every process of a program and of a group is told by its name", "[supervisord]") {
    const Config config;
    const auto programs = config.programs(
        "[supervisord]\n[group:g]\nprograms=a\n[program:a]\ncommand=%(program_name)s %(group_name)s "
        "%(process_num)d/%(numprocs)d\n"
        "numprocs=2\nnumprocs_start=5\nprocess_name=%(program_name)s_%(process_num)02d\n");
    REQUIRE(programs.size() == 2);
    CHECK(programs[0].name == "g:a_05");
    CHECK(programs[1].name == "g:a_06");
    CHECK(programs[1].words == Words{"a", "g", "6/2"});
    CHECK(programs[0].processes == 2);
    CHECK(programs[0].processes_place.line == 6);
}

TEST_CASE("variables come from supervisord's environment, its section and the program's own", "[supervisord]") {
    const Config config;
    const auto programs = config.programs(
        "[supervisord]\nenvironment=B=\"two\"\n[program:a]\nenvironment=C=\"three\"\ncommand=%(ENV_A)s %(ENV_B)s %(ENV_C)s\n"
        "stopwaitsecs=%(ENV_MISSING)s\n",
        [](const std::string& name) { return name == "A" ? std::optional<std::string>("one") : std::nullopt; });
    CHECK(programs[0].words == Words{"one", "two", "three"});
    CHECK(programs[0].stopwaitsecs.unknown);
}

TEST_CASE("a program without a directory is run where supervisord goes as a daemon, else nobody knows where", "[supervisord]") {
    const Config config;
    const auto directory = [&](const std::string& daemon, const std::string& own) {
        return config.programs("[supervisord]\n" + daemon + "\n[program:a]\ncommand=x\n" + own + "\n").at(0).directory;
    };
    CHECK(directory("directory=/srv", "") == "/srv");
    CHECK(directory("directory=%(here)s", "") == config.directory.path());
    CHECK(directory("directory=/srv", "directory=/opt") == "/opt");
    CHECK(directory("directory=/srv", "directory=jobs") == "/srv/jobs");
    CHECK(directory("directory=/srv\nnodaemon=true", "").empty());
    CHECK(directory("", "").empty());
    CHECK(directory("", "directory=jobs").empty());
    CHECK(directory("directory=/srv", "directory=%(ENV_NONE)s").empty());
}

TEST_CASE("killasgroup follows stopasgroup unless it is stated", "[supervisord]") {
    const Config config;
    const auto programs = config.programs("[supervisord]\n[program:a]\ncommand=x\nstopasgroup=TRUE\n");
    CHECK(is_true(programs[0].killasgroup.value));
    CHECK(programs[0].killasgroup.place.line == 4);
}

TEST_CASE("what supervisord would refuse is refused, with its place", "[supervisord]") {
    const Config config;
    CHECK_THAT(config.refused("[program:a]\ncommand=x\n"), Catch::Matchers::Contains("no [supervisord] section"));
    CHECK_THAT(config.refused("[supervisord]\n[program:a]\n"), Catch::Matchers::Contains("conf:2: [program:a] has no command"));
    CHECK_THAT(config.refused("[supervisord]\n[program:a]\ncommand=x\nstopwaitsecs=ten\n"),
               Catch::Matchers::Contains("conf:4: stopwaitsecs=ten is not a whole number"));
    const auto missing = read_supervisord_config("/nowhere/at/all.conf", no_environment);
    CHECK(missing.error().failure == Failure::no_job_file);
}
