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

/// The path of a checkpoint: "{epoch}" stands for the number of the epoch, from 1.
std::string atEpoch(const std::string& path, int epoch) {
  constexpr std::string_view kMark = "{epoch}";
  size_t at = path.find(kMark);
  if (at == std::string::npos) return path;
  return cat(path.substr(0, at), epoch, path.substr(at + kMark.size()));
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
    bool isAccuracy = callback->monitor.find("acc") != std::string::npos;
    callback->larger = f.choice("mode") == "max" || (f.choice("mode") == "auto" && isAccuracy);
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
  for (auto& callback : callbacks_) {
    Callback& c = *callback;
    if (c.kind == Callback::kTerminateOnNaN || epoch_ < c.startFrom) continue;
    if (c.kind == Callback::kSwapAverages) {
      // Callbacks after it see the averages, and so does who saves the model now.
      if (c.onEpoch) showAverages(true);
      continue;
    }
    if (!c.onlyBest) {
      checkpoints_.push_back(atEpoch(c.path, epoch_ + 1));
      continue;
    }
    auto entry = std::ranges::find(logs_, c.monitor, &Logs::value_type::first);
    if (entry == logs_.end()) {
      return fail("a callback watches \"", c.monitor,
                  "\", which is not among the logs; add validation data or watch another");
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
      if (c.kind == Callback::kCheckpoint) checkpoints_.push_back(atEpoch(c.path, epoch_ + 1));
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
