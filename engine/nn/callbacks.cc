#include "nn/callbacks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace fjord {

using namespace arguments;

namespace {

// "verbose" is of printing, which whoever drives the training does.
constexpr Argument kVerbose[] = {json("verbose")};
constexpr Argument kWatching[] = {text("monitor", "val_loss"), choice("mode", "auto|min|max"),
                                  also(kVerbose)};
constexpr Argument kEarlyStopping[] = {
    number("min_delta", kFinite, 0),      whole("patience", kIndex, 0),
    number("baseline", kFinite),          flag("restore_best_weights", false),
    whole("start_from_epoch", kIndex, 0), also(kWatching)};
constexpr Argument kReduceRate[] = {
    number("factor", kBelowOne, 0.1),   whole("patience", kIndex, 10),
    number("min_delta", kFinite, 1e-4), whole("cooldown", kIndex, 0),
    number("min_lr", kNotNegative, 0),  also(kWatching)};
constexpr Argument kCheckpoint[] = {text("filepath").isNeeded(),
                                    flag("save_best_only", false),
                                    only("save_weights_only", "false"),
                                    only("save_freq", "\"epoch\""),
                                    number("initial_value_threshold", kFinite),
                                    also(kWatching)};
constexpr Argument kSwap[] = {flag("swap_on_epoch", false)};
constexpr Argument kTerminate[] = {only("raise_error", "false"), also(kVerbose)};

// In the order of Callback::Kind.
constexpr Named kCallbacks[] = {{"early_stopping", kEarlyStopping},
                                {"reduce_lr_on_plateau", kReduceRate},
                                {"model_checkpoint", kCheckpoint},
                                {"terminate_on_nan", kTerminate},
                                {"swap_ema_weights", kSwap}};

}  // namespace

Table callbackTable() {
  return {"callback", {std::begin(kCallbacks), std::end(kCallbacks)}, {}, [](const Json& j) {
            auto c = chosen("callback", kCallbacks, j);
            return c ? Status() : std::unexpected(c.error());
          }};
}

namespace {

/// A number as "%0{width}d" or "%.{places}f" write it.
std::string padded(std::string digits, size_t width) {
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  return digits;
}
std::string fixed(double value, int places) {
  if (!std::isfinite(value) || std::fabs(value) > 1e15) return cat(value);
  auto whole = static_cast<int64_t>(std::llround(std::fabs(value) * std::pow(10, places)));
  std::string digits = padded(cat(whole), static_cast<size_t>(places) + 1);
  if (places > 0) digits.insert(digits.size() - static_cast<size_t>(places), ".");
  return (value < 0 && whole > 0 ? "-" : "") + digits;
}

/// The path of a checkpoint: "{epoch}" stands for the number of the epoch, from 1, and "{val_loss}" for what is
/// logged under this name; as in Keras with a format, "{epoch:02d}" and "{val_loss:.2f}".
Result<std::string> filled(std::string_view path, int epoch, const Logs& logs) {
  std::string out;
  while (true) {
    size_t begin = path.find('{'), end = path.find('}', begin);
    if (end == std::string_view::npos) return out + std::string(path);
    std::string_view mark = path.substr(begin + 1, end - begin - 1);
    size_t colon = mark.find(':');
    std::string_view name = mark.substr(0, colon), format;
    if (colon != std::string_view::npos) format = mark.substr(colon + 1);
    auto entry = std::ranges::find(logs, name, &Logs::value_type::first);
    bool isEpoch = name == "epoch";
    // One digit, or two.
    int count = 0;
    std::string_view digits = format.substr(std::min<size_t>(format.size(), 1));
    for (char c : digits.substr(0, digits.size() - !digits.empty()))
      count = c >= '0' && c <= '9' && count < 10 ? 10 * count + (c - '0') : 100;
    bool isInteger = format.starts_with('0') && format.ends_with('d') && format.size() > 2;
    bool isFixed = format.starts_with('.') && format.ends_with('f') && format.size() > 2;
    if ((!isEpoch && entry == logs.end()) || count > 15 ||
        !(format.empty() || (isEpoch ? isInteger : isFixed)))
      return fail("filepath names {", mark,
                  "}: there are {epoch}, {epoch:03d}, and what is logged, as {loss:.2f}");
    out += path.substr(0, begin);
    if (isEpoch) out += padded(cat(epoch), static_cast<size_t>(count));
    if (!isEpoch) out += isFixed ? fixed(entry->second, count) : cat(entry->second);
    path.remove_prefix(end + 1);
  }
}

Status copyWeights(const std::vector<Weight>& from, std::vector<Tensor>& to) {
  to.clear();
  for (const Weight& w : from) {
    FJORD_TRY(Tensor t, w.value.copy());
    to.push_back(std::move(t));
  }
  return {};
}

}  // namespace

Status Fit::addCallbacks() {
  if (options_.callbacks.is_null()) return {};
  if (!options_.callbacks.is_array())
    return fail("callbacks must be a list, got ", shown(options_.callbacks));
  for (const Json& j : options_.callbacks) {
    FJORD_TRY(auto chosenOne, chosen("callback", kCallbacks, j));
    const auto& [row, f] = chosenOne;
    auto callback = std::make_shared<Callback>();
    callback->kind = static_cast<Callback::Kind>(row - kCallbacks);
    callbacks_.push_back(callback);
    if (callback->kind == Callback::kTerminateOnNaN) continue;
    if (callback->kind == Callback::kSwapAverages) {
      if (!model_.hasAverages())
        return fail("swap_ema_weights needs an optimizer with use_ema, which keeps averages");
      callback->onEpoch = f.flag("swap_on_epoch");
      swapsAverages_ = true;
      continue;
    }
    callback->monitor = f.text("monitor");
    std::string_view mode = f.choice("mode");
    callback->better = mode == "max"   ? Better::kLarger
                       : mode == "min" ? Better::kSmaller
                                       : Better::kUnknown;
    const char* first = "baseline";
    if (callback->kind == Callback::kCheckpoint) {
      callback->path = f.text("filepath");
      callback->onlyBest = f.flag("save_best_only");
      first = "initial_value_threshold";
    } else {
      callback->minDelta = std::fabs(f.number("min_delta"));
      callback->patience = f.whole("patience");
    }
    if (callback->kind == Callback::kReduceRate) {
      callback->factor = f.number("factor");
      callback->minRate = f.number("min_lr");
      callback->cooldown = f.whole("cooldown");
      continue;
    }
    callback->hasBaseline = f.has(first);
    if (f.has(first)) callback->baseline = f.number(first);
    if (callback->kind == Callback::kCheckpoint) continue;
    callback->startFrom = f.whole("start_from_epoch");
    callback->restore = f.flag("restore_best_weights");
  }
  return {};
}

void Fit::showAverages(bool shows) {
  if (!swapsAverages_ || shows == showsAverages_) return;
  model_.swapAverages();
  showsAverages_ = shows;
}

void Fit::useBest() {
  showAverages(false);
  model_.useAverages();
  for (auto& callback : callbacks_) {
    for (size_t i = 0; i < callback->bestWeights.size(); ++i) {
      const Tensor& best = callback->bestWeights[i];
      std::memcpy(model_.mutableWeights()[i].value.view().data, best.view().data,
                  static_cast<size_t>(best.type().bytes()));
    }
  }
}

Status Fit::endEpoch() {
  auto save = [&](const Callback& c) -> Status {
    FJORD_TRY(std::string path, filled(c.path, epoch_ + 1, logs_));
    checkpoints_.push_back(std::move(path));
    return {};
  };
  for (auto& callback : callbacks_) {
    Callback& c = *callback;
    if (c.kind == Callback::kTerminateOnNaN || epoch_ < c.startFrom) continue;
    if (c.kind == Callback::kSwapAverages) {
      // Callbacks after it see the averages, and so does who saves the model now.
      if (c.onEpoch) showAverages(true);
      continue;
    }
    if (!c.onlyBest) {
      FJORD_CHECK(save(c));
      continue;
    }
    auto entry = std::ranges::find(logs_, c.monitor, &Logs::value_type::first);
    if (entry == logs_.end()) {
      return fail("a callback watches \"", c.monitor,
                  "\", which is not among the logs; add validation data or watch another");
    }
    if (c.better == Better::kUnknown) {
      std::string_view logged = c.monitor;
      if (logged.starts_with("val_")) logged.remove_prefix(4);
      c.better = model_.betterOf(logged);
    }
    if (c.better == Better::kUnknown) {
      return fail("a callback watches \"", c.monitor,
                  "\", of which nobody knows whether more is better: say mode \"min\" or \"max\"");
    }
    if (c.coolingLeft > 0) {
      --c.coolingLeft;
      c.waited = 0;
    }
    if (c.improves(entry->second)) {
      c.best = entry->second;
      c.seen = true;
      c.waited = 0;
      if (c.restore) FJORD_CHECK(copyWeights(model_.weights(), c.bestWeights));
      if (c.kind == Callback::kCheckpoint) FJORD_CHECK(save(c));
      continue;
    }
    if (c.kind == Callback::kCheckpoint) continue;
    if (c.kind == Callback::kReduceRate && c.coolingLeft > 0) continue;
    if (++c.waited < std::max(1, c.patience)) continue;
    if (c.kind == Callback::kReduceRate) {
      model_.setRate(std::max(model_.rate() * c.factor, c.minRate));
      c.coolingLeft = c.cooldown;
      c.waited = 0;
    } else {
      stopping_ = true;
      reason_ = cat(c.monitor, " has not improved for ", c.waited, " epochs");
    }
  }
  if (stopping_ || epoch_ + 1 >= options_.epochs) useBest();
  return {};
}

}  // namespace fjord
