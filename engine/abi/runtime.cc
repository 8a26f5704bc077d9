#include "abi/runtime.h"

#include <algorithm>

namespace fjord {

Runtime& runtime() {
  static Runtime instance;
  return instance;
}

int failure(const Error& error) {
  runtime().message = error.message;
  return 0;
}
int failure(std::string message) {
  runtime().message = std::move(message);
  return 0;
}
int text(const Json& json) {
  runtime().message = jsonText(json);
  return 1;
}

TensorEntry* tensorOf(int handle) {
  TensorEntry* t = runtime().tensors.find(handle);
  if (!t) failure("the tensor was disposed of: it cannot be used any more");
  if (t && t->model) t->model->complete(Model::kRead);
  return t;
}
TensorEntry* tensorHere(int handle) {
  TensorEntry* t = tensorOf(handle);
  if (!t) return nullptr;
  if (t->value) {
    failure(
        "the values of a tensor are read (by dataSync, data, arraySync, print or the like), and it "
        "has none "
        "yet: the function is called once, to find out which ops it calls");
    return nullptr;
  }
  Status here = needHere(t->tensor);
  return here || failure(here.error()) ? t : nullptr;
}
int newTensor(TensorEntry entry) { return runtime().tensors.add(std::move(entry)); }
int newTensor(Traced value) { return newTensor(TensorEntry{std::move(value)}); }
int newTensor(Result<Tensor> t) {
  return t ? newTensor(Traced{std::move(*t), runtime().eager->newId()}) : failure(t.error());
}

bool collect(const int32_t* handles, int count, std::vector<Tensor>& out) {
  for (int i = 0; i < count; ++i) {
    TensorEntry* t = tensorHere(handles[i]);
    if (!t) return false;
    out.push_back(t->tensor);
  }
  return true;
}

int writeLogs(const Model& model, const Totals& totals, double* out, int room) {
  int count = model.logCount();
  if (count > room) return failure(cat("there is room for ", room, " of ", count, " logs"));
  for (int i = 0; i < count; ++i) out[i] = model.logAt(totals, i);
  return count;
}

}  // namespace fjord
