#include "options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/fields.h"

namespace fjord::cli {

namespace {

using namespace arguments;

/// As many as float32 counts, of epochs, samples a step and values of a layer: more than anyone waits
/// for, or has memory for.
constexpr Range kEpochs{0, 1 << 24}, kMany{1, 1 << 24}, kThreads{1, 1024};
/// Those that JavaScript can write, too: to 2^53 - 1.
constexpr Range kSeeds{0, 9007199254740991};
constexpr const char* kSizes = "a size of --mlp";
constexpr Argument kOptions[] = {
    number("--learning-rate", kPositive),
    number("--validation-split", kBelowOne, 0),
    whole("--epochs", kEpochs, 5),
    whole("--batch-size", kMany),
    whole("--seed", kSeeds),
    whole("--threads", kThreads),
    whole(kSizes, kMany),
    choice("--format", "text|csv|json"),
};

/// A decimal number that takes up all of the text; any other text as it is.
Json valueOf(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  // No base but ten, no spaces, a point in every locale.
  auto [stop, error] = std::from_chars(text.data(), end, value);
  bool isNumber = error == std::errc() && stop == end && std::isfinite(value);
  return isNumber ? Json(value) : Json(text);
}

/// Calls read(fields) where the text is allowed for the option.
template <class F>
auto readOption(const char* name, const Json& value, const F& read) {
  Json given = {{name, value}};
  Result<Fields> fields = Fields::of("", kOptions, given);
  if (!fields) throw CLI::ValidationError(fields.error().message);
  return read(*fields);
}

double readNumber(const char* name, const std::string& text) {
  return readOption(name, valueOf(text), [&](const Fields& f) { return f.number(name); });
}

std::string described(const std::string& name) {
  auto row = std::ranges::find(kOptions, name, [](const Argument& a) { return a.name; });
  if (row == std::end(kOptions)) return cat(name, " needs a value");
  return Fields::of("", kOptions, Json{{row->name, ""}}).error().message;
}

}  // namespace

CLI::Option* addNumber(CLI::App* verb, const char* name, const std::function<void(double)>& take,
                       const char* help) {
  auto* option = verb->add_option_function<std::string>(
      name, [=](const std::string& text) { take(readNumber(name, text)); }, help);
  double fallback = readOption(name, nullptr, [&](const Fields& f) { return f.number(name); });
  if (!std::isnan(fallback)) {
    take(fallback);
    if (fallback != 0) option->default_str(cat(fallback));
  }
  return option;
}

CLI::Option* addChoice(CLI::App* verb, const char* name, std::string& target, const char* help) {
  auto take = [=, &target](const Json& value) {
    target = readOption(name, value, [&](const Fields& f) { return std::string(f.choice(name)); });
  };
  take(nullptr);
  auto* option = verb->add_option_function<std::string>(name, take, help);
  return option->default_str(target);
}

CLI::Option* addSizes(CLI::App* verb, const char* name, std::vector<int>& target,
                      const char* help) {
  return verb->add_option_function<std::string>(
      name,
      [&target](const std::string& text) {
        for (size_t at = 0; at <= text.size();) {
          size_t end = std::min(text.find(',', at), text.size());
          target.push_back(static_cast<int>(readNumber(kSizes, text.substr(at, end - at))));
          at = end + 1;
        }
      },
      help);
}

void exactlyOne(const std::vector<CLI::Option*>& options) {
  std::string names, given;
  for (const CLI::Option* option : options) {
    names += (names.empty() ? "" : ", ") + option->get_name();
    if (option->count()) given += (given.empty() ? "" : " and ") + option->get_name();
  }
  auto used = std::ranges::count_if(options, [](auto* o) { return o->count() > 0; });
  if (used == 1) return;
  throw CLI::RequiredError(used ? cat("One of ", given, " is to be given, not all")
                                : cat("One of these is needed: ", names),
                           CLI::ExitCodes::RequiredError);
}

std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const std::string what = error.what(), kind = error.get_name();
  std::vector<const CLI::App*> asked;
  for (const CLI::App* verb : app.get_subcommands()) asked.push_back(verb);
  if (asked.empty()) asked.push_back(&app);
  for (const CLI::App* verb : asked) {
    std::vector<std::string> names;
    for (const CLI::Option* option : verb->get_options()) {
      if (!option->get_positional()) names.push_back(option->get_name());
      auto count = option->results().size();
      if (kind == "ArgumentMismatch" && count > 1 && option->get_items_expected_max() == 1)
        return cat(option->get_name(), " is given ", count, " times; give it once");
    }
    const std::vector<std::string_view> known(names.begin(), names.end());
    for (const std::string& argument : app.remaining(true)) {
      if (argument.size() > 1 && argument[0] == '-' && argument != "--")
        return cat("there is no option ", argument.substr(0, argument.find('=')),
                   insteadOf(argument.substr(0, argument.find('=')), known));
    }
  }
  // "--epochs: 1 required N missing"
  if (kind == "ArgumentMismatch" && what.ends_with("missing"))
    return described(what.substr(0, what.find(':')));
  return what;
}

std::string emptyOption(const CLI::App& verb) {
  for (const CLI::Option* option : verb.get_options()) {
    const auto& texts = option->results();
    if (std::ranges::find(texts, "") != texts.end())
      return cat(option->get_name(), " must be a text that is not empty");
  }
  return "";
}

}  // namespace fjord::cli
