#include "drive/http.h"

#include <gtest/gtest.h>

#include "drive/fake_server.h"
#include "drive/testing.h"

namespace fjord::study {
namespace {

using Clock = std::chrono::steady_clock;

TEST(Endpoint, HasHostPortAndPath) {
  struct Row {
    const char *url, *host, *port, *path;
  };
  const Row rows[] = {
      {"http://127.0.0.1:9515", "127.0.0.1", "9515", ""},
      {"http://grid:4444/", "grid", "4444", ""},
      {"http://grid:4444/wd/hub", "grid", "4444", "/wd/hub"},
      {"http://grid:4444/wd/hub//", "grid", "4444", "/wd/hub"},
      {"http://grid", "grid", "80", ""},
      {"http://grid/wd/hub", "grid", "80", "/wd/hub"},
      {"http://[::1]:4444", "::1", "4444", ""},
      {"http://[fe80::1]/wd/hub", "fe80::1", "80", "/wd/hub"},
  };
  for (const Row& row : rows) {
    auto e = parseEndpoint(row.url);
    ASSERT_TRUE(e) << row.url << ": " << errorOf(e);
    EXPECT_EQ(e->host, row.host) << row.url;
    EXPECT_EQ(e->port, row.port) << row.url;
    EXPECT_EQ(e->path, row.path) << row.url;
  }
  EXPECT_EQ(parseEndpoint("http://[::1]/wd/hub")->authority(), "[::1]:80");
  EXPECT_EQ(parseEndpoint("http://grid:4444/")->authority(), "grid:4444");
}

TEST(Endpoint, RefusesWhatItDoesNotSpeak) {
  const std::pair<const char*, const char*> rows[] = {
      {"https://grid:4444", "only http://"},
      {"grid:4444", "only http://"},
      {"", "only http://"},
      {"http://", "the host is missing"},
      {"http://:4444", "the host is missing"},
      {"http://grid:", "the port is not a number"},
      {"http://grid:99999", "the port is not"},
      {"http://grid:4x", "the port is not"},
      {"http://grid:111111111111", "the port is"},
      {"http://me:secret@grid", "passwords"},
      {"http://[::1", "the bracket"},
      {"http://[::1]x:80", "follows the bracket"},
      {"http://[::1]x", "follows the bracket"},
      {"http://grid/?a=b", "only a path"},
      {"http://grid/a\r\nB: c", "only a path"},
  };
  for (auto [url, why] : rows) EXPECT_HAS(errorOf(parseEndpoint(url)), why) << url;
}

/// Asks a server that answers so.
Result<HttpAnswer> askOf(FakeServer::Answer answer, const HttpRequest& request = {"GET", "/", ""},
                         Milliseconds deadline = Milliseconds(5000)) {
  FakeServer server(std::move(answer));
  FJORD_TRY(Endpoint endpoint, parseEndpoint(server.url() + "/base"));
  return ask(endpoint, request, deadline);
}

TEST(Ask, SendsTheRequestAndGivesTheAnswer) {
  Heard got;
  auto reply = askOf(
      [&](const Heard& heard) {
        got = heard;
        return answer(404, "\xc3\xa9 {}");
      },
      {"POST", "/session", "{\"a\": 1}"});
  ASSERT_FINE(reply);
  EXPECT_EQ(reply->status, 404u);
  EXPECT_EQ(reply->body, "\xc3\xa9 {}");
  EXPECT_EQ(got.method, "POST");
  EXPECT_EQ(got.path, "/base/session");
  EXPECT_EQ(got.body, "{\"a\": 1}");
}

TEST(Ask, ReadsChunksAndLargeAnswers) {
  auto chunked = askOf([](const Heard&) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  });
  ASSERT_FINE(chunked);
  EXPECT_EQ(chunked->body, "abcde");
  std::string large(20 << 20, 'x');
  auto all = askOf([&](const Heard&) { return answer(200, large); });
  ASSERT_FINE(all);
  EXPECT_TRUE(all->body == large);
}

TEST(Ask, SaysWhatDidNotWork) {
  // A port on which nothing listens any more.
  std::string url = FakeServer([](const Heard&) { return ""; }).url();
  auto refused = ask(*parseEndpoint(url), {"GET", "/", ""}, Milliseconds(5000));
  EXPECT_STARTS(errorOf(refused), "no connection to 127.0.0.1:");
  EXPECT_HAS(errorOf(refused), "Connection refused");

  const std::string broken[] = {
      "",                                                      // closed at once
      "HTTP/1.1 200 OK\r\nContent-Le",                         // within the head
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"val",  // within the body
      "220 mail.example ESMTP\r\n",                            // another protocol
  };
  for (const std::string& bytes : broken) {
    auto reply = askOf([&](const Heard&) { return bytes; });
    EXPECT_STARTS(errorOf(reply), "no whole answer from 127.0.0.1:");
    ASSERT_FALSE(reply);
    EXPECT_FALSE(passed(reply.error()));
  }
}

TEST(Ask, GivesUpAtTheDeadline) {
  auto begin = Clock::now();
  auto reply =
      askOf([](const Heard&) { return FakeServer::kHang; }, {"GET", "/", ""}, Milliseconds(300));
  auto took = Clock::now() - begin;
  EXPECT_EQ(errorOf(reply), "no answer within 0.3 s");
  ASSERT_FALSE(reply);
  EXPECT_TRUE(passed(reply.error()));
  EXPECT_GE(took, Milliseconds(300));
  EXPECT_LT(took, Milliseconds(3000));
}

}  // namespace
}  // namespace fjord::study
