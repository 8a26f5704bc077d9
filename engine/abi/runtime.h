// What the functions of abi.h work on: tensors, optimizers, models and trainings by handle, and the
// message that a function leaves.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "abi/abi.h"
#include "abi/model_call.h"
#include "nn/fit.h"

namespace fjord {

/// Objects by handle. A place is used again, and then has another generation: a handle that was given
/// up finds nothing, until its place has had as many as there are.
template <class T>
class Handles {
 public:
  int add(T value) {
    if (free_.empty()) {
      free_.push_back(static_cast<int>(items_.size()));
      items_.emplace_back();
    }
    int at = free_.back();
    free_.pop_back();
    items_[at].value = std::move(value);
    return items_[at].generation << kPlaceBits | (at + 1);
  }
  T* find(int handle) {
    Item* item = itemOf(handle);
    return item ? &item->value : nullptr;
  }
  void remove(int handle) {
    Item* item = itemOf(handle);
    if (!item) return;
    // What ends with the value may look at handles itself.
    T last = std::exchange(item->value, T());
    item->generation = (item->generation + 1) % kGenerations;
    free_.push_back(static_cast<int>(item - items_.data()));
  }
  template <class F>
  void forEach(F f) {
    for (Item& item : items_) {
      if (item.value) f(item.value);
    }
  }

 private:
  // Of 31 bits: 8 million objects at a time, and 256 generations.
  static constexpr int kPlaceBits = 23, kGenerations = 1 << (31 - kPlaceBits);
  struct Item {
    T value{};
    int generation = 0;
  };
  Item* itemOf(int handle) {
    int at = (handle & ((1 << kPlaceBits) - 1)) - 1;
    bool exists = handle > 0 && at >= 0 && at < static_cast<int>(items_.size()) &&
                  items_[at].generation == handle >> kPlaceBits &&
                  static_cast<bool>(items_[at].value);
    return exists ? &items_[at] : nullptr;
  }

  std::vector<Item> items_;
  std::vector<int> free_;
};

struct TensorEntry : Traced {
  /// Of a weight: the model whose weight it is. Its memory is the model's.
  std::shared_ptr<Model> model = {};
  /// Of what a function is called with while it is traced, and what it computes (abi/trace.h): a value of a
  /// graph in place of numbers, and the number of the call that it belongs to.
  Value value = {};
  int32_t trace = 0;

  explicit operator bool() const { return tensor || value; }
};

/// A fit keeps its model alive.
struct FitEntry {
  std::shared_ptr<Model> model;
  std::unique_ptr<Fit> fit;
  explicit operator bool() const { return fit != nullptr; }
};

/// A prediction that has stopped. It keeps its model alive.
struct Prediction {
  std::shared_ptr<Model> model;
  PausedPrediction paused;
};

struct Runtime {
  std::unique_ptr<Threads> threads = std::make_unique<Threads>(1);
  std::unique_ptr<Place> place = std::make_unique<Place>(*threads);
  std::unique_ptr<Eager> eager = std::make_unique<Eager>(*place);
  ModelCalls modelCalls;
  Handles<TensorEntry> tensors;
  Handles<std::unique_ptr<EagerOptimizer>> optimizers;
  Handles<std::shared_ptr<Model>> models;
  Handles<FitEntry> fits;
  std::unique_ptr<Prediction> prediction;
  std::string message;
  // Of the step that is being run; empty between two, and kept for their memory: a step allocates
  // nothing.
  std::vector<Tensor> x, y;
  Totals totals;
};

Runtime& runtime();

/// Leaves the message of what went wrong; gives 0, which says so to the caller.
int failure(const Error& error);
int failure(std::string message);
/// Leaves JSON as the message; gives 1.
int text(const Json& json);

/// The tensor of a handle; nullptr, and a failure, where there is none.
TensorEntry* tensorOf(int handle);
/// The same, and its values have to be here.
TensorEntry* tensorHere(int handle);
/// A handle for a value; 0 where it is a failure.
int newTensor(TensorEntry entry);
int newTensor(Traced value);
int newTensor(Result<Tensor> t);
/// The tensors of some handles; false, and a failure, where one does not exist or is on a GPU.
bool collect(const int32_t* handles, int count, std::vector<Tensor>& out);

/// The values that a model logs into out[room]; their number.
int writeLogs(const Model& model, const Totals& totals, double* out, int room);

/// f of the model, which is as it was after a whole step.
template <class F>
int withModel(int handle, F f) {
  std::shared_ptr<Model>* model = runtime().models.find(handle);
  if (!model) return failure("the model was disposed of: it cannot be used any more");
  (*model)->complete(Model::kRead);
  return f(*model);
}

/// f of the batch that these tensors are.
template <class F>
int withBatch(const int32_t* xs, int xCount, const int32_t* ys, int yCount, F f) {
  Runtime& r = runtime();
  bool areThere = collect(xs, xCount, r.x) && collect(ys, yCount, r.y);
  int result = areThere ? f(Batch{.x = r.x, .y = r.y}) : 0;
  r.x.clear();
  r.y.clear();
  return result;
}

template <class F>
int withJson(const char* source, F f) {
  Result<Json> json = parseJson(source);
  return json ? f(*json) : failure(json.error());
}

}  // namespace fjord
