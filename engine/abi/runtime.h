// What the functions of abi.h work on: tensors, optimizers, models and trainings by handle, and the
// message that a function leaves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "abi/abi.h"
#include "abi/eager.h"
#include "nn/fit.h"

namespace fjord {

/// Objects by handle. Handles are used again.
template <class T>
class Handles {
 public:
  int add(T value) {
    if (free_.empty()) {
      items_.push_back(std::move(value));
      return static_cast<int>(items_.size());
    }
    int handle = free_.back();
    free_.pop_back();
    items_[handle - 1] = std::move(value);
    return handle;
  }
  T* find(int handle) {
    bool exists = handle >= 1 && handle <= static_cast<int>(items_.size()) &&
                  static_cast<bool>(items_[handle - 1]);
    return exists ? &items_[handle - 1] : nullptr;
  }
  void remove(int handle) {
    if (!find(handle)) return;
    items_[handle - 1] = T();
    free_.push_back(handle);
  }
  template <class F>
  void forEach(F f) {
    for (T& item : items_) {
      if (item) f(item);
    }
  }

 private:
  std::vector<T> items_;
  std::vector<int> free_;
};

struct TensorEntry : Traced {
  explicit operator bool() const { return static_cast<bool>(tensor); }
};

/// A fit keeps its model alive.
struct FitEntry {
  std::shared_ptr<Model> model;
  std::unique_ptr<Fit> fit;
  explicit operator bool() const { return fit != nullptr; }
};

struct Runtime {
  std::unique_ptr<Threads> threads = std::make_unique<Threads>(1);
  std::unique_ptr<Place> place = std::make_unique<Place>(*threads);
  std::unique_ptr<Eager> eager = std::make_unique<Eager>(*place);
  Handles<TensorEntry> tensors;
  Handles<std::unique_ptr<EagerOptimizer>> optimizers;
  Handles<std::shared_ptr<Model>> models;
  Handles<FitEntry> fits;
  std::string message;
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
int newTensor(Traced value);
int newTensor(Result<Tensor> t);
/// The tensors of some handles; false, and a failure, where one does not exist or is on a GPU.
bool collect(const int32_t* handles, int count, std::vector<Tensor>& out);

/// The values of `logs` into out[room]; their number.
int writeLogs(const Logs& logs, double* out, int room);

template <class F>
int withModel(int handle, F f) {
  std::shared_ptr<Model>* model = runtime().models.find(handle);
  return model ? f(*model) : failure("the model was disposed of: it cannot be used any more");
}

/// f of the batch that these tensors are.
template <class F>
int withBatch(const int32_t* xs, int xCount, const int32_t* ys, int yCount, F f) {
  std::vector<Tensor> x, y;
  if (!collect(xs, xCount, x) || !collect(ys, yCount, y)) return 0;
  return f(Batch{.x = x, .y = y});
}

template <class F>
int withJson(const char* source, F f) {
  Result<Json> json = parseJson(source);
  return json ? f(*json) : failure(json.error());
}

}  // namespace fjord
