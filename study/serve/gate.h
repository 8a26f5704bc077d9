// Who may ask. The server has no users; what it has to keep out are the pages of other sites, in
// the same browser, and other machines.
//
//   Gate gate("127.0.0.1", 8000, true);
//   if (std::optional<Fault> fault = gate.refuse(claim)) ..        // 401, 403 or 421
//
// On loopback every request has to name this machine as its Host: a name that somebody else's DNS
// points here (DNS rebinding) is refused. Elsewhere it has to carry the token. Either way, pages of
// other origins cannot use what changes something: browsers let them send, though not read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "serve/api.h"

namespace fjord::study {

/// What a request shows of where it comes from: header fields, "" where they are missing, and
/// ?token=..
struct Claim {
  std::string_view host, origin, fetchSite, fetchMode, authorization, cookie, token;
};

class Gate {
 public:
  Gate(std::string host, int port, bool loopback);

  /// 421 for another Host, 401 without the token.
  std::optional<Fault> refuse(const Claim& claim) const;
  /// 403 for a request that a page of another origin caused. An extension is let through: the
  /// person installed it.
  std::optional<Fault> refuseForeign(const Claim& claim) const;

  /// 128 bits from the operating system, in hexadecimal; "" on loopback.
  const std::string& token() const { return token_; }
  /// The Set-Cookie that keeps the token.
  std::string cookie() const;

 private:
  bool isOwnHost(std::string_view host) const;

  std::string host_;
  int port_;
  std::string token_;
};

}  // namespace fjord::study
