// Items files that others change while they are read.

#include <fstream>

#include "item_source_fixture.hpp"

namespace lockstep::test {
namespace {

class ChangingFile : public ItemsFixture {
  public:
    /// Rows "<letter><n>,<pad>", the keys all of one length.
    static std::string rows(char letter, int count, std::size_t pad) {
        std::string text = "id,pad\n";
        for (int i = 0; i < count; ++i) text += letter + std::to_string(100'000 + i) + "," + std::string(pad, 'p') + "\n";
        return text;
    }

    /// In place: what is open reads on in the new content.
    static void put(const std::string& path, const std::string& content, std::ios::openmode mode = std::ios::trunc) {
        std::ofstream(path, mode | std::ios::out) << content;
    }

    /// All keys, the file changed by `change` after the first.
    template <class Change>
    All read_around(const Change& change) {
        All all;
        auto source = open();
        REQUIRE(source);
        for (bool first = true;; first = false) {
            auto next = (*source)->next();
            if (!next) all.error = next.error();
            if (!next || !*next) return all;
            REQUIRE(std::holds_alternative<Item>(**next));
            all.items.push_back(std::get<Item>(std::move(**next)));
            if (first) change();
        }
    }
};

TEST_CASE_METHOD(ChangingFile,
                 "of a file that is written over no record is taken from the middle of one, and its rest is not called done",
                 "[items]") {
    const std::string path = place.write("a.csv", rows('a', 5000, 50));
    items_from(ItemsSpec::Csv{path});
    const std::string other = GENERATE(std::string(), rows('b', 100, 10), rows('b', 20'000, 47));
    const All all = read_around([&] { put(path, other); });
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::items);
    CHECK(all.error->text.find("was written over while it was read") != std::string::npos);
    CHECK(all.items.size() < 5000);
    for (const Item& item : all.items) REQUIRE((item.key.size() == 7 && item.key[0] == 'a'));
}

TEST_CASE_METHOD(ChangingFile, "a file that was read to its end before it was written over has ended there", "[items]") {
    const std::string path = place.write("a.csv", rows('a', 100, 50));
    items_from(ItemsSpec::Csv{path});
    const std::string other = GENERATE(std::string(), rows('b', 20'000, 47));
    const All all = read_around([&] { put(path, other); });
    CHECK_FALSE(all.error);
    CHECK(all.items.size() == 100);
}

TEST_CASE_METHOD(ChangingFile, "what is appended to a file while it is read is read, too", "[items]") {
    const int count = GENERATE(100, 5000);
    const std::string path = place.write("a.csv", rows('a', count, 50));
    items_from(ItemsSpec::Csv{path});
    const All all = read_around([&] { put(path, "last,p\n", std::ios::app); });
    CHECK_FALSE(all.error);
    CHECK(all.items.size() == static_cast<std::size_t>(count) + 1);
}

TEST_CASE_METHOD(ChangingFile, "a file that was renamed over the one being read waits for the next pass", "[items]") {
    const std::string path = place.write("a.csv", rows('a', 5000, 50));
    const std::string other = place.write("b.csv", rows('b', 100, 10));
    items_from(ItemsSpec::Csv{path});
    const All all = read_around([&] { REQUIRE(::rename(other.c_str(), path.c_str()) == 0); });
    CHECK_FALSE(all.error);
    CHECK(all.items.size() == 5000);
}

}  // namespace
}  // namespace lockstep::test
