#include "items/link_header.hpp"

#include <catch2/catch.hpp>

namespace lockstep::test {
namespace {

std::string next(std::string_view header) {
    const auto link = next_link(header);
    return link ? *link : "error: " + link.error().text;
}

TEST_CASE("of the links in a header the one to the next page is taken", "[items]") {
    CHECK(next(R"(<https://h/items?page=2>; rel="next", <https://h/items?page=9>; rel="last")") == "https://h/items?page=2");
    CHECK(next(R"(<?page=1>; rel=prev, <?page=3>; rel=next)") == "?page=3");
    CHECK(next(R"(</a>;title="a, b; rel=\"next\"";rel="prev", </c>;REL="Last NEXT")") == "/c");
    CHECK(next(R"(, </a?x=1,2;3>; crossorigin ; rel = "next" ,)") == "/a?x=1,2;3");
    CHECK(next(R"(</a>; rel="next"; rel="prev")") == "/a");
}

TEST_CASE("the last page's links have no next one", "[items]") {
    CHECK(next("") == "");
    CHECK(next(R"(<?page=1>; rel="first")") == "");
    CHECK(next(R"(</a>; rel="nextish"; title=next)") == "");
    CHECK(next(R"(</a>; rel="prev"; rel="next")") == "");
    CHECK(next("</a>") == "");
}

TEST_CASE("what is no Link header may have meant a page that would be missed", "[items]") {
    for (const char* header :
         {"https://h/items?page=2", "</a; rel=next", R"(</a>; rel="next)", "</a> rel=next", "</a>; rel=prev </b>"}) {
        INFO(header);
        CHECK(next(header).starts_with("error: this is no Link header"));
    }
}

}  // namespace
}  // namespace lockstep::test
