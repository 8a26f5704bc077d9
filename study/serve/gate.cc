#include "serve/gate.h"

#include <unistd.h>

#include <cstdlib>

namespace fjord::study {

namespace {

constexpr std::string_view kCookie = "fjord-study=";

std::string randomToken() {
  unsigned char bytes[16];
  // It fails for more than 256 bytes, and on systems without a source of random numbers: better no
  // server than that.
  if (getentropy(bytes, sizeof bytes) != 0) std::abort();
  std::string out;
  for (unsigned char byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

/// Takes as long for a wrong text as for the right one, so that time does not tell how much of it
/// is right.
bool sameSecret(std::string_view given, std::string_view secret) {
  if (given.size() != secret.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < secret.size(); ++i)
    difference = difference | static_cast<unsigned char>(given[i] ^ secret[i]);
  return difference == 0;
}

/// The value of our cookie in "a=1; fjord-study=..; b=2".
std::string_view cookieOf(std::string_view header) {
  while (!header.empty()) {
    std::string_view one = header.substr(0, header.find(';'));
    header.remove_prefix(std::min(one.size() + 1, header.size()));
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    if (one.starts_with(kCookie)) return one.substr(kCookie.size());
  }
  return {};
}

}  // namespace

Gate::Gate(std::string host, int port, bool loopback)
    : host_(std::move(host)), port_(port), token_(loopback ? "" : randomToken()) {}

bool Gate::isOwnHost(std::string_view host) const {
  for (std::string_view own : {"127.0.0.1", "localhost", "[::1]", host_.c_str()}) {
    if (host == cat(own, ":", port_)) return true;
    if (host == own && port_ == 80) return true;
  }
  return false;
}

std::optional<Fault> Gate::refuse(const Claim& claim) const {
  if (token_.empty()) {
    if (isOwnHost(claim.host)) return {};
    return Fault{421, cat("this server is ", host_, ":", port_, ", and no other Host"), ""};
  }
  constexpr std::string_view kBearer = "Bearer ";
  std::string_view bearer = claim.authorization;
  bearer.remove_prefix(bearer.starts_with(kBearer) ? kBearer.size() : bearer.size());
  // One after another, as any of them is enough; each comparison takes its full time.
  for (std::string_view given : {claim.token, bearer, cookieOf(claim.cookie)})
    if (sameSecret(given, token_)) return {};
  return Fault{401, "open the address that the lab printed, with ?token=..", ""};
}

std::optional<Fault> Gate::refuseForeign(const Claim& claim) const {
  std::string_view origin = claim.origin;
  bool own = origin == cat("http://", claim.host);
  bool extension =
      origin.starts_with("chrome-extension://") || origin.starts_with("moz-extension://");
  // Pictures and links tell no origin, but browsers say from which site they are asked for.
  std::string_view site = claim.fetchSite;
  bool embedded = !site.empty() && site != "same-origin" && site != "none";
  bool foreign = origin.empty() ? embedded && claim.fetchMode != "cors" : !own && !extension;
  if (foreign) return Fault{403, "a page of another site may not ask for this", ""};
  return {};
}

std::string Gate::cookie() const {
  return cat(kCookie, token_, "; Path=/; HttpOnly; SameSite=Strict");
}

}  // namespace fjord::study
