// Pairs of HTTP calls by bare libcurl: as many threads as pairs are to be in flight, a kept connection each, nothing durable.
//
//     bench_pairs URL PAIRS THREADS          prints pairs per second

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

std::size_t collect(char* data, std::size_t size, std::size_t count, void* body) {
    static_cast<std::string*>(body)->append(data, size * count);
    return size * count;
}

class Caller {
  public:
    explicit Caller(std::string url) : url_(std::move(url)), curl_(curl_easy_init()) {
        curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, collect);
        curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer_);
        curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    }
    ~Caller() { curl_easy_cleanup(curl_); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    bool pair(const std::string& order) {
        if (!post("/reservations", R"({"order":")" + order + R"(","qty":1,"from":"north"})", order + "-first")) return false;
        const std::size_t id = answer_.find(R"("id":")");
        if (id == std::string::npos) return false;
        const std::string rid = answer_.substr(id + 6, answer_.find('"', id + 6) - id - 6);
        return post("/captures", R"({"order":")" + order + R"(","reservation":")" + rid + "\"}", order + "-second");
    }

  private:
    bool post(const char* path, const std::string& body, const std::string& key) {
        answer_.clear();
        curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
        headers = curl_slist_append(headers, ("Idempotency-Key: " + key).c_str());
        curl_easy_setopt(curl_, CURLOPT_URL, (url_ + path).c_str());
        curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.c_str());
        curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
        const CURLcode sent = curl_easy_perform(curl_);
        long status = 0;
        curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
        curl_slist_free_all(headers);
        return sent == CURLE_OK && status == 201;
    }

    std::string url_;
    std::string answer_;
    CURL* curl_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: bench_pairs URL PAIRS THREADS\n", stderr);
        return 64;
    }
    const int pairs = std::atoi(argv[2]);
    std::atomic<int> next = 0;
    std::atomic<int> failed = 0;
    curl_global_init(CURL_GLOBAL_ALL);
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (int i = 0; i < std::atoi(argv[3]); ++i) {
        threads.emplace_back([&] {
            Caller caller(argv[1]);
            for (int n = next++; n < pairs; n = next++) {
                if (!caller.pair("bare-" + std::to_string(n))) ++failed;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (failed > 0) {
        std::fprintf(stderr, "bench_pairs: %d of %d pairs failed\n", failed.load(), pairs);
        return 1;
    }
    std::printf("%.0f\n", pairs / took.count());
}
