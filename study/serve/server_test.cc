#include "serve/server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "serve/test_client.h"

namespace fjord::study {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kResult =
    R"({"outcome": "ok", "samples": [{"phase": "steady", "unit": "ms", "value": 1}]})";

// ---- the API over HTTP

TEST_F(ServerTest, AnswersTheApi) {
  start();
  Client client(*server);
  Response response = client.ask("GET", "/api/subjects");
  EXPECT_EQ(response.body, R"({"subjects":[]})");
  EXPECT_EQ(response.field("content-type"), "application/json; charset=utf-8");
  EXPECT_EQ(client.ask("GET", "/api/next").body, "null");
  EXPECT_EQ(
      client.ask("POST", "/api/trials", R"({"subject":"tfjs","backend":"cpu","task":"probe"})")
          .status,
      201);
  EXPECT_EQ(client.ask("POST", "/api/trials/3/phase", R"({"phase":"steady"})").status, 204);
  EXPECT_EQ(client.ask("POST", "/api/trials/3/result", kResult).status, 204);
  EXPECT_EQ(client.ask("POST", "/api/trials/3/result", kResult).status, 409);
  Response wrong =
      client.ask("POST", "/api/trials/4/result",
                 R"({"outcome":"ok","samples":[{"phase":"steady","unit":"s","value":1}]})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(faultAt(wrong), "samples/0/unit");
  EXPECT_EQ(client.ask("GET", "/data/echo?size=2x128&hidden=a%26b").body, "hidden=a&b;size=2x128;");
  EXPECT_EQ(client.ask("GET", "/api/nothing").status, 404);
  EXPECT_EQ(fake.results.size(), 1u);
}

TEST_F(ServerTest, BodiesHaveALimit) {
  options.largestJson = 2000;
  start();
  std::string padded = kResult + std::string(2000 - std::strlen(kResult), ' ');
  EXPECT_EQ(status("POST", "/api/trials/1/result", padded), 204);
  EXPECT_EQ(status("POST", "/api/trials/2/result", padded + " "), 413);
  // A length that is only claimed is refused at once, and counts in 64 bits.
  Client client(*server);
  client.send(cat("POST /api/trials/3/result HTTP/1.1\r\nHost: ", client.host(),
                  "\r\nContent-Length: 18446744073709551615\r\n\r\n"));
  EXPECT_EQ(client.read().status, 413);
  EXPECT_EQ(fake.results.size(), 1u);
}

// ---- HTTP

TEST_F(ServerTest, KeepsConnectionsAsTheyAsk) {
  start();
  Client client(*server);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(client.ask("GET", "/run.js").field("connection"), "keep-alive");
  EXPECT_EQ(client.ask("GET", "/run.js", "", "Connection: close\r\n").field("connection"), "close");
  EXPECT_TRUE(client.ended());
  // HTTP/1.0 closes unless it is asked not to.
  Client old(*server);
  old.send(cat("GET /run.js HTTP/1.0\r\nHost: ", old.host(), "\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_EQ(old.read().field("connection"), "keep-alive");
  old.send(cat("GET /run.js HTTP/1.0\r\nHost: ", old.host(), "\r\n\r\n"));
  EXPECT_EQ(old.read().body, "run();");
  EXPECT_TRUE(old.ended());
}

TEST_F(ServerTest, AnswersRequestsThatComeTogether) {
  start();
  Client client(*server);
  std::string all;
  for (int i = 1; i <= 50; ++i) {
    all += client.request("POST", cat("/api/trials/", i, "/result"), kResult);
    all += client.request("GET", cat("/data/echo?i=", i));
  }
  ASSERT_TRUE(client.send(all));
  for (int i = 1; i <= 50; ++i) {
    ASSERT_EQ(client.read().status, 204);
    ASSERT_EQ(client.read().body, cat("i=", i, ";"));
  }
  EXPECT_EQ(fake.results.size(), 50u);
}

TEST_F(ServerTest, ReadsRequestsByteByByte) {
  start();
  Client client(*server);
  for (char c : client.request("POST", "/api/trials/9/result", kResult))
    ASSERT_TRUE(client.send({&c, 1}));
  EXPECT_EQ(client.read().status, 204);
}

TEST_F(ServerTest, AnswersAClientThatHasFinishedSending) {
  start();
  Client client(*server);
  client.send(client.request("GET", "/run.js"));
  client.finish();
  EXPECT_EQ(client.read().body, "run();");
  EXPECT_TRUE(client.ended());
  // Half of a request is none.
  Client half(*server);
  half.send(half.request("POST", "/api/trials/5/result", kResult).substr(0, 100));
  half.finish();
  Response response = half.read();
  EXPECT_TRUE(!response || response.status == 400);
  EXPECT_TRUE(half.ended());
  EXPECT_TRUE(fake.results.empty());
}

/// Where a proxy and a server disagree on where a request ends, somebody can put one request into
/// another.
TEST_F(ServerTest, RefusesWhatHasTwoMeanings) {
  start();
  struct Case {
    const char* head;  // after the Host
    int status;
  };
  const Case kCases[] = {
      {"Content-Length: 5\r\nContent-Length: 6", 400},
      {"Content-Length: 5, 6", 400},
      {"Content-Length: +5", 400},
      {"Content-Length: -5", 400},
      {"Content-Length: 0x5", 400},
      {"Content-Length: 5 5", 400},
      {"Content-Length: 5a", 400},
      {"Content-Length: ", 400},
      {"Content-Length: 99999999999999999999999", 400},
      {"Content-Length : 5", 400},
      {" Content-Length: 5", 400},
      {"Content-Length: 5\r\nTransfer-Encoding: chunked", 400},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5", 400},
      {"Transfer-Encoding: chunked", 411},
      {"Transfer-Encoding: Chunked", 411},
      {"Transfer-Encoding: gzip, chunked", 411},
      {"Transfer-Encoding: chunked, identity", 411},
      {"Transfer-Encoding: xchunked", 411},
      {"Transfer-Encoding:\tchunked", 411},
      {"Transfer-Encoding: identity", 411},
      {"Transfer-Encoding: gzip\r\nContent-Length: 5", 411},
      {"Transfer-Encoding: ", 411},
      {"Transfer-Encoding : chunked", 400},
      {"Host: evil.example", 400},
      {"No-Colon", 400},
      {": no name", 400},
      {"Bad\x01Name: 1", 400},
      {"A: b\x01"
       "c",
       400},
      {"A: b\rc", 400},
      {"A: b\nContent-Length: 5", 400},
  };
  for (const Case& c : kCases) {
    Client client(*server);
    client.send(cat("POST /api/trials/3/result HTTP/1.1\r\nHost: ", client.host(), "\r\n", c.head,
                    "\r\n\r\n0\r\n\r\nGET /api/next HTTP/1.1\r\nHost: ", client.host(),
                    "\r\n\r\n"));
    Response response = client.read();
    ASSERT_TRUE(response) << c.head;
    EXPECT_EQ(response.status, c.status) << c.head << ": " << response.body;
    EXPECT_EQ(response.field("connection"), "close") << c.head;
    EXPECT_NE(response.body.find("\"message\""), std::string::npos) << c.head;
    EXPECT_TRUE(client.ended()) << c.head << ": what came after it was answered";
  }
  EXPECT_EQ(fake.nexts, 0);
  EXPECT_TRUE(fake.results.empty());
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
  start();
  const std::pair<std::string, int> kCases[] = {
      {"\r\n\r\n", 400},
      {"GET\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/1.1\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n b: folded\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},  // no Host
      {"GET / HTTP/1.0\r\n\r\n", 421},
      {"G@T / HTTP/1.1\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\0\1\0\1\xfc\3\3\r\n\r\n", 15), 400},  // TLS
      {"<html>\r\n\r\n", 400},
  };
  for (const auto& [text, status] : kCases) {
    Client client(*server);
    client.send(text);
    client.finish();
    Response response = client.read();
    ASSERT_TRUE(response) << text;
    EXPECT_EQ(response.status, status) << text;
    EXPECT_TRUE(client.ended());
  }
}

TEST_F(ServerTest, HeadsHaveALimit) {
  start();
  Client fits(*server);
  EXPECT_EQ(fits.ask("GET", "/run.js", "", cat("A: ", std::string(15'000, 'a'), "\r\n")).status,
            200);
  for (const std::string& more :
       {cat("A: ", std::string(70'000, 'a'), "\r\n"), cat(std::string(40'000, 'a'), ": b\r\n"), [] {
          std::string many;
          for (int i = 0; i < 6000; ++i) many += "A: b\r\n";
          return many;
        }()}) {
    Client client(*server);
    client.send(client.request("GET", "/run.js", "", more));
    Response response = client.read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response.status, 431);
    EXPECT_TRUE(client.ended());
  }
}

// ---- slow clients

TEST_F(ServerTest, HangsUpOnSlowClients) {
  options.patience = milliseconds(300);
  start();
  // Bytes keep coming, and would for 20 s, but the end does not.
  auto hangsUp = [](Client& client, const std::string& first, const std::string& drop) {
    bool open = client.send(first);
    for (int i = 0; open && i < 1000; ++i) {
      open = client.send(drop);
      std::this_thread::sleep_for(milliseconds(20));
    }
    return !open;
  };
  Client silent(*server), head(*server), body(*server);
  EXPECT_TRUE(silent.ended());
  EXPECT_TRUE(hangsUp(head, "GET / HTTP/1.1\r\n", "A: b\r\n"));
  std::string start = body.request("POST", "/api/trials/3/result", std::string(100'000, ' '));
  EXPECT_TRUE(hangsUp(body, start.substr(0, start.size() - 100'000), " "));
  EXPECT_TRUE(fake.results.empty());
}

TEST_F(ServerTest, GivesLargeBodiesMoreTime) {
  options.patience = milliseconds(400);
  start();
  Client client(*server);
  // A MiB may take five times as long as the head: this takes a quarter longer.
  std::string request =
      client.request("PUT", "/files/tfjs/dense/2x128/a.bin", std::string(1 << 20, 'x'));
  for (size_t at = 0; at < request.size(); at += 1 << 18) {
    ASSERT_TRUE(client.send(std::string_view(request).substr(at, 1 << 18)));
    std::this_thread::sleep_for(milliseconds(125));
  }
  EXPECT_EQ(client.read().status, 201);
}

TEST_F(ServerTest, HangsUpOnAClientThatDoesNotRead) {
  folder.write("modules/large.bin", std::string(64 << 20, 'x'));
  options.patience = milliseconds(150);
  start();
  Client client(*server);
  client.send(client.request("GET", "/packages/large.bin"));
  std::this_thread::sleep_for(milliseconds(1500));
  // What the system has buffered can be read, and then the connection ends too early.
  Response response = client.read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response.field("content-length"), std::to_string(64 << 20));
  EXPECT_LT(response.body.size(), size_t{64} << 20);
}

// ---- who may ask

TEST_F(ServerTest, AnswersToItsOwnNamesOnly) {
  start();
  for (auto [host, status] :
       {std::pair{"127.0.0.1", 200}, std::pair{"localhost", 200}, std::pair{"[::1]", 200},
        std::pair{"rebound.example", 421}, std::pair{"127.0.0.2", 421}}) {
    for (const char* path : {"/run.js", "/api/subjects", "/data/echo"}) {
      Client client(*server);
      client.send(cat("GET ", path, " HTTP/1.1\r\nHost: ", host, ":", client.port(), "\r\n\r\n"));
      EXPECT_EQ(client.read().status, status) << host;
    }
  }
  EXPECT_EQ(server->token(), "");
}

TEST_F(ServerTest, OtherPagesCannotUseTheApi) {
  start();
  const std::string evil = "Origin: http://evil.example\r\n";
  EXPECT_EQ(ask("POST", "/api/trials/3/result", kResult, evil).status, 403);
  EXPECT_EQ(ask("PUT", "/files/tfjs/dense/2x128/a.bin", "x", evil).status, 403);
  EXPECT_EQ(ask("GET", "/api/next", "", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n")
                .status,
            403);
  EXPECT_EQ(fake.nexts, 0);
  EXPECT_TRUE(fake.results.empty());
  Client own(*server);
  EXPECT_EQ(
      own.ask("POST", "/api/trials/3/result", kResult, cat("Origin: http://", own.host(), "\r\n"))
          .status,
      204);
}

TEST_F(ServerTest, WantsATokenFromElsewhere) {
  options.host = "0.0.0.0";
  start();
  const std::string token = server->token();
  ASSERT_EQ(token.size(), 32u);
  EXPECT_TRUE(server->url().starts_with("http://127.0.0.1:")) << server->url();
  for (const char* path : {"/", "/run.js", "/missing", "/api/subjects", "/data/echo", "/files/a",
                           "/?token=", "/?token=00000000000000000000000000000000"}) {
    Response response = ask("GET", path);
    EXPECT_EQ(response.status, 401) << path;
    EXPECT_EQ(response.field("www-authenticate"), "Bearer");
    EXPECT_EQ(response.field("set-cookie"), "");
  }
  EXPECT_EQ(ask("PUT", "/files/tfjs/dense/2x128/a.bin", "x").status, 401);
  Response page = ask("GET", "/?token=" + token);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.field("set-cookie"),
            cat("fjord-study=", token, "; Path=/; HttpOnly; SameSite=Strict"));
  Response again = ask("GET", "/run.js", "", cat("Cookie: fjord-study=", token, "\r\n"));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.field("set-cookie"), "");
  EXPECT_EQ(ask("GET", "/run.js", "", cat("Authorization: Bearer ", token, "\r\n")).status, 200);
  // The token is ours, not one of the parameters that a desk sees.
  EXPECT_EQ(ask("GET", cat("/data/echo?a=1&token=", token)).body, "a=1;");
}

// ---- starting and stopping

TEST_F(ServerTest, SaysWhyItCannotStart) {
  auto error = [&](const ServerOptions& o) {
    Result<Server> result = Server::start(o, fake.desk());
    return result ? std::string("it started") : result.error().message;
  };
  start();
  ServerOptions wrong = options;
  wrong.port = std::stoi(server->url().substr(server->url().rfind(':') + 1));
  EXPECT_NE(error(wrong).find("choose another port"), std::string::npos) << error(wrong);
  wrong.port = 70'000;
  EXPECT_NE(error(wrong).find("no port 70000"), std::string::npos) << error(wrong);
  wrong = options;
  wrong.folders["/x/"] = folder / "nowhere";
  EXPECT_NE(error(wrong).find("/nowhere, which does not exist"), std::string::npos) << error(wrong);
  wrong.folders = {{"x", folder / "pages"}};
  EXPECT_NE(error(wrong).find("slash"), std::string::npos) << error(wrong);
  wrong = options;
  wrong.host = "not an address";
  EXPECT_NE(error(wrong).find("not an address of this machine"), std::string::npos) << error(wrong);
  EXPECT_FALSE(Server::start(options, Desk{}));
}

TEST_F(ServerTest, ListensOnVersionSix) {
  options.host = "::1";
  Result<Server> result = Server::start(options, fake.desk());
  if (!result) GTEST_SKIP() << "this machine has no IPv6: " << result.error().message;
  EXPECT_TRUE(result->url().starts_with("http://[::1]:")) << result->url();
  EXPECT_EQ(result->token(), "");
}

TEST_F(ServerTest, StopsAtOnceWhereNothingIsUnderWay) {
  start();
  Client idle(*server), half(*server), silent(*server);
  EXPECT_EQ(idle.ask("GET", "/run.js").status, 200);
  half.send("GET /run.js HTTP/1.1\r\n");
  // The server is to see what has been sent, and that its answer has been taken.
  std::this_thread::sleep_for(milliseconds(100));
  auto begin = steady_clock::now();
  server.reset();
  // Its patience with clients is three times as long.
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(idle.ended() && half.ended() && silent.ended());
}

TEST_F(ServerTest, FinishesWhatIsUnderWay) {
  Desk desk = fake.desk();
  std::atomic<bool> asked = false;
  desk.next = [&] {
    asked = true;
    std::this_thread::sleep_for(milliseconds(300));
    return Json("late");
  };
  server.emplace(std::move(*Server::start(options, desk)));
  Client busy(*server);
  busy.send(busy.request("GET", "/api/next"));
  while (!asked) std::this_thread::yield();
  auto begin = steady_clock::now();
  server.reset();
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(4));
  Response response = busy.read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response.body, "\"late\"");
  EXPECT_EQ(response.field("connection"), "close");
  EXPECT_TRUE(busy.ended());
}

/// The client takes its time, and the server does not wait for ever.
TEST_F(ServerTest, StopsInTheMiddleOfAnUpload) {
  start();
  Client client(*server);
  client.send(client.request("PUT", "/files/tfjs/dense/2x128/a.bin", std::string(1000, 'x'))
                  .substr(0, 400));
  // The upload has begun when its folder is there.
  while (!std::filesystem::exists(folder / "files/tfjs/dense/2x128")) std::this_thread::yield();
  auto begin = steady_clock::now();
  server.reset();
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "files/tfjs/dense/2x128"));
}

}  // namespace
}  // namespace fjord::study
