// Items from files, stdin and no source at all.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "item_source_fixture.hpp"

namespace lockstep::test {
namespace {

using Ndjson = ItemsSpec::Ndjson;
using Csv = ItemsSpec::Csv;

TEST_CASE_METHOD(ItemsFixture, "NDJSON: one item a line, whatever its line ends", "[items]") {
    const char* content = GENERATE("{\"id\":\"a\",\"qty\":1.10}\n\n  \n{\"id\":\"b\"}\n",
                                   "\xEF\xBB\xBF{\"id\":\"a\",\"qty\":1.10}\r\n\r\n \r\n{\"id\":\"b\"}\r\n",
                                   "{\"id\":\"a\",\"qty\":1.10}\n\n\n{\"id\":\"b\"}");
    items_from(Ndjson{place.write("a.ndjson", content)});
    const All all = read_all();
    CHECK_FALSE(all.error);
    CHECK(all.bad.empty());
    CHECK(all.keys() == "a b");
    CHECK(to_text(all.items[0].inputs) == R"({"id":"a","qty":1.10})");
}

TEST_CASE_METHOD(ItemsFixture, "NDJSON: bad lines are named, and the others go on", "[items]") {
    const std::string path = place.write(
        "a.ndjson", "{\"id\":1}\n{\"id\":\n[1]\n{\"other\":1}\n{\"id\":null}\n{\"id\":\"1\"}\n{\"id\":\"\"}\n{\"id\":2}\n");
    items_from(Ndjson{path});
    const All all = read_all();
    CHECK(all.keys() == "1 2");
    REQUIRE(all.bad.size() == 6);
    for (std::size_t i = 0; i < all.bad.size(); ++i) {
        CHECK_THAT(all.bad[i].what, Catch::StartsWith(path + ":" + std::to_string(i + 2) + ":"));
    }
    CHECK_THAT(all.bad[0].what, Catch::Contains("not JSON"));
    CHECK_THAT(all.bad[1].what, Catch::Contains("must be a JSON object, not [1]"));
    CHECK_THAT(all.bad[2].what, Catch::Contains("has no key"));
    CHECK_THAT(all.bad[3].what, Catch::Contains("has no key"));
    CHECK_THAT(all.bad[4].what, Catch::Contains("the key \"1\" was there before"));
    CHECK_THAT(all.bad[5].what, Catch::Contains("key is empty"));
}

TEST_CASE_METHOD(ItemsFixture, "NDJSON: a line beyond the limit is passed over, its neighbours are not", "[items]") {
    const std::string huge = "{\"id\":\"huge\",\"x\":\"" + std::string((std::size_t{16} << 20) + 100, 'x') + "\"}";
    const std::string large = "{\"id\":\"large\",\"x\":\"" + std::string(std::size_t{1} << 20, 'x') + "\"}";
    items_from(Ndjson{place.write("a.ndjson", "{\"id\":\"a\"}\n" + huge + "\n" + large + "\n{\"id\":\"b\"}\n" + huge)});
    const All all = read_all();
    CHECK(all.keys() == "a large b");
    REQUIRE(all.bad.size() == 2);
    CHECK_THAT(all.bad[0].what, Catch::Contains(":2: the line is longer than 16 MiB"));
    CHECK_THAT(all.bad[1].what, Catch::Contains(":5: "));
}

TEST_CASE_METHOD(ItemsFixture, "a key may be made of inputs, params and the date", "[items]") {
    items_from(Ndjson{place.write("a.ndjson", "{\"id\":7}\n")}, "{$params.warehouse}/{$inputs.id}/{$run.date}");
    CHECK(read_all().keys() == "north/7/2026-11-23");
}

TEST_CASE_METHOD(ItemsFixture, "a file that cannot be had is named with the reason", "[items]") {
    SECTION("missing") {
        items_from(Ndjson{directory + "/none.ndjson"});
        const All all = read_all();
        REQUIRE(all.error);
        CHECK(all.error->failure == Failure::items);
        CHECK_THAT(all.error->text, Catch::Contains(directory + "/none.ndjson: No such file or directory"));
    }
    SECTION("a directory") {
        items_from(Csv{directory});
        const All all = read_all();
        REQUIRE(all.error);
        CHECK_THAT(all.error->text, Catch::Contains(directory + ": Is a directory"));
    }
}

TEST_CASE_METHOD(ItemsFixture, "an empty file has no items", "[items]") {
    items_from(Ndjson{place.write("a.ndjson", "")});
    const All all = read_all();
    CHECK_FALSE(all.error);
    CHECK(all.items.empty());
}

TEST_CASE_METHOD(ItemsFixture, "a hundred thousand keys are told apart", "[items]") {
    std::string content;
    for (int i = 0; i < 100'000; ++i) content += "{\"id\":" + std::to_string(i) + "}\n";
    content += "{\"id\":4711}\n";
    items_from(Ndjson{place.write("a.ndjson", content)});
    const All all = read_all();
    CHECK(all.items.size() == 100'000);
    REQUIRE(all.bad.size() == 1);
    CHECK_THAT(all.bad[0].what, Catch::Contains(":100001: "));
}

TEST_CASE_METHOD(ItemsFixture, "CSV as RFC 4180 has it", "[items]") {
    items_from(Csv{place.write("a.csv",
                               "\xEF\xBB\xBFid,\"na\"\"me\",note\r\n1,plain,\r\n2,\"with, "
                               "comma\",\"two\r\nlines\"\r\n\r\n3,\"say \"\"hi\"\"\",\"\"\n4,\xc3\xa4,end")});
    const All all = read_all();
    CHECK(all.bad.empty());
    REQUIRE(all.keys() == "1 2 3 4");
    CHECK(to_text(all.items[0].inputs) == R"({"id":"1","na\"me":"plain","note":""})");
    CHECK(to_text(all.items[1].inputs) == R"({"id":"2","na\"me":"with, comma","note":"two\r\nlines"})");
    CHECK(to_text(all.items[2].inputs) == R"({"id":"3","na\"me":"say \"hi\"","note":""})");
    CHECK(all.items[3].inputs.find("note")->text == "end");
}

TEST_CASE_METHOD(ItemsFixture, "CSV: bad rows are named by the line they begin on, and the others go on", "[items]") {
    const std::string path = place.write(
        "a.csv", "id,qty\n1\n2,3,4\n5,6\n\"7\"x,8\n9\"9,1\n\xff,1\n10,\"\nx\"\n13\r14,1\n11,\"never closed\n12,3\n");
    items_from(Csv{path});
    const All all = read_all();
    CHECK(all.keys() == "5 10");
    std::vector<std::string> what;
    for (const BadItem& bad : all.bad) what.push_back(bad.what.substr(path.size()));
    CHECK(what == std::vector<std::string>{
                      ":2: the row has 1 fields, the first row names 2", ":3: the row has 3 fields, the first row names 2",
                      ":5: there is text behind a closing quote",
                      ":6: there is a quote inside a field that does not begin with one", ":7: field 1 is not UTF-8",
                      ":10: there is a carriage return without a line feed; end the lines with LF or CRLF",
                      ":11: a quote is never closed"});
}

TEST_CASE_METHOD(ItemsFixture, "CSV without a usable first row is no source of items", "[items]") {
    const auto [content, says] =
        GENERATE(table<const char*, const char*>({{"", "no first row"},
                                                  {"\n\n", "no first row"},
                                                  {"id,,x\n", "has no name"},
                                                  {"id,x,id\n", "two columns of the first row are named \"id\""},
                                                  {"id,n\r1,2\r3,4\r", "a carriage return without a line feed"},
                                                  {"\"id\n1,2\n", "a quote is never closed"}}));
    items_from(Csv{place.write("a.csv", content)});
    const All all = read_all();
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::items);
    CHECK_THAT(all.error->text, Catch::Contains(says) && Catch::Contains(directory + "/a.csv"));
}

TEST_CASE_METHOD(ItemsFixture, "a job without items has one item a pass", "[items]") {
    SECTION("a new one every pass, by run and pass") {
        auto source = open(7).value();
        const auto item = std::get<Item>(source->next()->value());
        CHECK(item.key == "run-1/7");
        CHECK(to_text(item.inputs) == "{}");
        CHECK_FALSE(source->next()->has_value());
    }
    SECTION("the one that its key names") {
        job.key = parse_template("{$params.warehouse}-{$run.date}").value();
        CHECK(read_all().keys() == "north-2026-11-23");
    }
    SECTION("none if its key cannot be made") {
        job.key = parse_template("{$params.missing}").value();
        const All all = read_all();
        REQUIRE(all.error);
        CHECK(all.error->failure == Failure::items);
    }
}

/// Puts a pipe into the place of stdin.
class PipedStdin {
  public:
    PipedStdin() : saved_(::dup(STDIN_FILENO)) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        ::dup2(ends[0], STDIN_FILENO);
        ::close(ends[0]);
        write_end = ends[1];
    }
    ~PipedStdin() {
        hang_up();
        ::dup2(saved_, STDIN_FILENO);
        ::close(saved_);
    }
    PipedStdin(const PipedStdin&) = delete;
    PipedStdin& operator=(const PipedStdin&) = delete;
    void say(std::string_view text) const {
        REQUIRE(::write(write_end, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    void hang_up() {
        if (write_end >= 0) ::close(write_end);
        write_end = -1;
    }
    int write_end = -1;

  private:
    int saved_;
};

TEST_CASE_METHOD(ItemsFixture, "items come from stdin as they are written, and a stop ends the wait for more", "[items]") {
    PipedStdin pipe;
    items_from(Ndjson{"-"});
    auto source = open().value();
    pipe.say("{\"id\":\"a\"}\n{\"id\":");
    CHECK(std::get<Item>(source->next()->value()).key == "a");
    pipe.say("\"b\"}\nnonsense\n");
    CHECK(std::get<Item>(source->next()->value()).key == "b");
    CHECK_THAT(std::get<BadItem>(source->next()->value()).what, Catch::StartsWith("stdin:3:"));
    SECTION("the writer's end ends them") {
        pipe.hang_up();
        CHECK_FALSE(source->next()->has_value());
        CHECK_FALSE(source->next()->has_value());
    }
    SECTION("a stop while nothing comes") {
        std::thread stopper([&] { stop.fire(); });
        const auto next = source->next();
        stopper.join();
        REQUIRE_FALSE(next);
        CHECK(next.error().failure == Failure::stopped);
    }
}

TEST_CASE_METHOD(ItemsFixture, "a fifo that nobody writes to does not outwait a stop", "[items]") {
    const std::string path = directory + "/fifo";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    items_from(Ndjson{path});
    auto source = open().value();
    SECTION("stopped") {
        std::thread stopper([&] { stop.fire(); });
        const auto next = source->next();
        stopper.join();
        REQUIRE_FALSE(next);
        CHECK(next.error().failure == Failure::stopped);
    }
    SECTION("written to after all") {
        std::thread writer([&] { std::ofstream(path) << "{\"id\":\"late\"}\n"; });
        const auto next = source->next();
        writer.join();
        CHECK(std::get<Item>(next->value()).key == "late");
        CHECK_FALSE(source->next()->has_value());
    }
}

}  // namespace
}  // namespace lockstep::test
