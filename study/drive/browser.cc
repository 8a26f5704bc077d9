// How each browser is started: the capabilities of https://chromedriver.chromium.org/capabilities
// and https://developer.mozilla.org/docs/Web/WebDriver/Capabilities/firefoxOptions.
#include <unistd.h>

#include <cstdlib>

#include "drive/process.h"
#include "drive/webdriver.h"

namespace fjord::study {

namespace {

bool exists(const char* path) { return access(path, F_OK) == 0; }

std::string chromiumHere() {
  if (const char* named = std::getenv("FJORD_CHROMIUM"); named && *named) return named;
  constexpr const char* kDebian = "/usr/bin/chromium";
  return exists(kDebian) ? kDebian : "";  // chromedriver then looks where it knows browsers to be
}

void addGpu(Json& arguments, const BrowserOptions& options) {
  // Linux is not among the systems where Chromium has WebGPU without this.
  arguments.push_back("--enable-unsafe-webgpu");
  if (options.softwareGpu) {
    for (const char* a : {"--use-webgpu-adapter=swiftshader", "--use-angle=swiftshader",
                          "--enable-unsafe-swiftshader"})
      arguments.push_back(a);
  } else if (!options.remote && hasGpu()) {
    // Headless Chromium takes the GPU only when told to, and then through Vulkan.
    for (const char* a :
         {"--use-webgpu-adapter=default", "--use-angle=vulkan", "--enable-features=Vulkan",
          "--disable-vulkan-surface", "--ignore-gpu-blocklist"})
      arguments.push_back(a);
  }
}

Json chromium(const BrowserOptions& options) {
  Json arguments = Json::array();
  if (options.headless) arguments.push_back("--headless=new");
  // The sandbox refuses to run as root.
  if (!options.remote && geteuid() == 0) arguments.push_back("--no-sandbox");
  // A container's /dev/shm is often too small for Chromium.
  arguments.push_back("--disable-dev-shm-usage");
  arguments.push_back("--no-first-run");
  // A hidden page's timers would otherwise be slowed down.
  for (const char* a : {"--disable-background-timer-throttling", "--disable-renderer-backgrounding",
                        "--disable-backgrounding-occluded-windows"})
    arguments.push_back(a);
  addGpu(arguments, options);
  for (const std::string& a : options.arguments) arguments.push_back(a);

  Json chrome{{"args", std::move(arguments)}};
  std::string binary = options.binary;
  if (binary.empty() && !options.remote) binary = chromiumHere();
  if (!binary.empty()) chrome["binary"] = binary;
  return {{"browserName", "chrome"}, {"goog:chromeOptions", std::move(chrome)}};
}

Json firefox(const BrowserOptions& options) {
  Json arguments = Json::array();
  if (options.headless) arguments.push_back("-headless");
  for (const std::string& a : options.arguments) arguments.push_back(a);
  Json preferences{
      {"dom.webgpu.enabled", true},
      // A hidden page's timers would otherwise be slowed down.
      {"dom.min_background_timeout_value", 4},
      {"dom.timeout.enable_budget_timer_throttling", false},
  };
  Json gecko{{"args", std::move(arguments)}, {"prefs", std::move(preferences)}};
  if (!options.binary.empty()) gecko["binary"] = options.binary;
  return {{"browserName", "firefox"}, {"moz:firefoxOptions", std::move(gecko)}};
}

}  // namespace

bool hasGpu() {
  return exists("/dev/nvidia0") || exists("/dev/dri/renderD128") || exists("/dev/kfd");
}

Result<std::string> driverOf(const std::string& browser) {
  if (browser == "chromium") {
    if (auto found = findProgram("chromedriver")) return found;
    return fail("there is no chromedriver on PATH: install one of the same version as the browser",
                " (Debian's package chromium-driver)");
  }
  if (browser == "firefox") {
    if (auto found = findProgram("geckodriver")) return found;
    return fail("there is no geckodriver on PATH: install one (cargo install geckodriver),",
                " or use --browser chromium");
  }
  return fail("there is no browser \"", browser, "\": chromium and firefox are known");
}

Json capabilities(const BrowserOptions& options) {
  return options.browser == "firefox" ? firefox(options) : chromium(options);
}

}  // namespace fjord::study
