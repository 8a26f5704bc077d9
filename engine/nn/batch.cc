// Batches: whether samples fit a model, how they become the inputs of a step, and what its results add up to.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "nn/builder.h"
#include "nn/model.h"

namespace fjord {

namespace {

/// What is no int32 becomes the one that is out of every range.
int32_t wholeOf(float x) {
  return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<int32_t>(x)
                                                  : std::numeric_limits<int32_t>::min();
}

/// Rows of `from` (those from `first` on, where rows is empty) into `to`; float32 to int32 and back
/// where they differ.
void copyRows(const Tensor& from, int32_t first, std::span<const int32_t> rows, const Tensor& to) {
  int64_t count = to.shape()[0], row = to.size() / std::max<int64_t>(1, count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = rows.empty() ? first + i : rows[i];
    const uint32_t* source = from.data<uint32_t>() + at * row;
    uint32_t* target = to.data<uint32_t>() + i * row;
    bool toFloat = to.dtype() == DType::kF32 && from.dtype() != DType::kF32;
    bool toInt = to.dtype() != DType::kF32 && from.dtype() == DType::kF32;
    if (toFloat) {
      for (int64_t k = 0; k < row; ++k)
        reinterpret_cast<float*>(target)[k] = static_cast<float>(static_cast<int32_t>(source[k]));
    } else if (toInt) {
      for (int64_t k = 0; k < row; ++k) {
        target[k] = static_cast<uint32_t>(wholeOf(reinterpret_cast<const float*>(source)[k]));
      }
    } else {
      std::memcpy(target, source, static_cast<size_t>(row) * 4);
    }
  }
}

/// The step's input number `i` is a batch of rows of `from`: these, or those from `first` on. All of
/// it is read where it lies, if it is of the type that the step reads.
template <class Program>
void give(Program& p, size_t i, const Tensor& from, int32_t first, std::span<const int32_t> rows) {
  bool isAll = rows.empty() && from.shape()[0] == p.batch;
  // Where the step runs elsewhere and later, `from` may be gone by then.
  bool asItIs = p.executor && isAll && from.dtype() == p.inputs[i].dtype();
  if (!asItIs) copyRows(from, first, rows, p.inputs[i]);
  p.bindInput(p.numbers[i], (asItIs ? from : p.inputs[i]).view().data);
}

int64_t rowSize(const Shape& s) {
  int64_t n = 1;
  for (int i = 1; i < s.rank(); ++i) n *= s[i];
  return n;
}

/// Whether samples of one shape serve as samples of another: last axes of 1 count for nothing, labels
/// [n, 1] serve as [n]. What is -1 may have any size.
bool isSample(const Shape& have, const Shape& want) {
  for (int i = 1; i < std::max(have.rank(), want.rank()); ++i) {
    if (i < have.rank() && i < want.rank() && want[i] < 0 && have[i] > 0) continue;
    if ((i < have.rank() ? have[i] : 1) != (i < want.rank() ? want[i] : 1)) return false;
  }
  return have.rank() > 0;
}

/// [samples, ..], of a type whose axis 0 is -1.
std::string ofSamples(const Shape& shape) {
  std::string text = "[samples";
  for (int i = 1; i < shape.rank(); ++i) text += shape[i] < 0 ? ",any" : cat(",", shape[i]);
  return text + "]";
}

/// What the random ops of step number `step` draw from.
template <class Program>
void setRandom(Program& p, uint64_t seed, int64_t step) {
  p.state[0] = static_cast<int32_t>(seed);
  p.state[1] = static_cast<int32_t>(seed >> 32);
  p.state[2] = static_cast<int32_t>(step);
  p.state[3] = static_cast<int32_t>(step >> 32);
}

int32_t samplesOf(const Tensor& t) { return t.shape().rank() ? t.shape()[0] : 0; }

double numberAt(const Tensor& t, int64_t i) {
  return t.dtype() == DType::kF32 ? t.data<float>()[i] : t.data<int32_t>()[i];
}

}  // namespace

Status Model::checkInputs(std::span<const Tensor> x) const {
  if (x.size() != topology_.inputs.size())
    return fail("the model has ", topology_.inputs.size(), " inputs, got ", x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const Shape& want = topology_.inputType(i).shape;
    if (!isSample(x[i].shape(), want))
      return fail("the input ", inputName(i), " takes ", ofSamples(want), ", got an array ",
                  x[i].shape());
    if (samplesOf(x[i]) != samplesOf(x[0]))
      return fail("the input ", inputName(i), " got ", samplesOf(x[i]), " samples, ", inputName(0),
                  " got ", samplesOf(x[0]));
  }
  return {};
}

/// Of sequences of class numbers: 0 stands behind them alone, and there are as many steps as it takes to say
/// them, one more between two that are the same.
Status Model::checkSequences(size_t output, const Tensor& labels) const {
  int64_t length = labels.shape()[-1], steps = outputTypes_[output].shape[1];
  for (int64_t i = 0; i < labels.size(); i += length) {
    int64_t needed = 0;
    for (int64_t k = 0; k < length && numberAt(labels, i + k) != 0; ++k)
      needed += k > 0 && numberAt(labels, i + k) == numberAt(labels, i + k - 1) ? 2 : 1;
    bool goesOn = false;
    for (int64_t k = 1; k < length; ++k)
      goesOn |= numberAt(labels, i + k - 1) == 0 && numberAt(labels, i + k) != 0;
    if (goesOn)
      return fail("the labels of ", outputName(output),
                  " are filled up with 0 at their ends: those of sample ", i / length,
                  " have a 0 before another one");
    if (steps > 0 && needed > steps)
      return fail("the labels of ", outputName(output), " of sample ", i / length, " take ", needed,
                  " steps, and the output has ", steps);
  }
  return {};
}

Status Model::checkLabels(size_t output, const Tensor& labels) const {
  Shape want = outputTypes_[output].shape;
  const auto& [classes, ignored, isSequence] = labels_[output];
  if (classes) want.values[--want.count] = 0;
  if (isSequence) want[-1] = -1;
  if (!isSample(labels.shape(), want)) {
    bool isNumber = !classes && labels.size() == samplesOf(labels);
    return fail("the labels of ", outputName(output), " are to be ", ofSamples(want),
                classes ? ", class numbers" : ", as its output is", ", got an array ",
                labels.shape(),
                isNumber ? "; class numbers go with the loss sparseCategoricalCrossentropy" : "");
  }
  for (int64_t i = 0; classes && i < labels.size(); ++i) {
    double v = numberAt(labels, i);
    if (v >= 0 && v < classes && v == std::floor(v)) continue;
    if (ignored && v == *ignored) continue;
    return fail("the labels of ", outputName(output), " are class numbers from 0 to ", classes - 1,
                ": that of sample ", i / std::max<int64_t>(1, rowSize(labels.shape())), " is ", v);
  }
  return isSequence ? checkSequences(output, labels) : Status();
}

Status Model::check(const Batch& batch) const {
  if (!isCompiled())
    return fail("the model is not compiled: call compile with an optimizer and a loss first");
  FJORD_CHECK(checkInputs(batch.x));
  size_t outputs = topology_.outputs.size();
  if (batch.y.size() != outputs)
    return fail("the model has ", outputs, " outputs, got ", batch.y.size(), " arrays of labels");
  int32_t samples = samplesOf(batch.x[0]);
  for (size_t i = 0; i < outputs; ++i) {
    FJORD_CHECK(checkLabels(i, batch.y[i]));
    if (samplesOf(batch.y[i]) != samples)
      return fail("arrays of ", samples, " samples and of ", samplesOf(batch.y[i]), " labels of ",
                  outputName(i));
  }
  if (batch.weights.size() > 1 && batch.weights.size() != outputs)
    return fail("the model has ", outputs, " outputs, got sample weights for ",
                batch.weights.size());
  for (const Tensor& w : batch.weights) {
    if (w && (w.shape().rank() == 0 || w.shape()[0] != samples || w.size() != samples))
      return fail("sample weights are one number a sample, [", samples, "], got an array ",
                  w.shape());
  }
  return {};
}

void Model::setGpu(std::optional<GpuLimits> limits) {
  complete(kChange);
  abandon();
  begun_ = nullptr;
  programs_.clear();
  gpu_ = limits;
}

/// Of a program that is for so many samples.
bool Model::isFor(const Program& p, std::span<const Tensor> x, std::span<const Tensor> y) const {
  for (size_t i = 0; i < y.size(); ++i) {
    if (labels_[i].isSequence && rowLength(y[i]) != rowLength(p.inputs[x.size() + i])) return false;
  }
  for (size_t i = 0; openSize_ && i < x.size(); ++i) {
    if (!isSample(x[i].shape(), p.inputs[i].shape())) return false;
  }
  return true;
}

std::vector<Type> Model::inputTypesFor(int32_t batch, std::span<const Tensor> x) const {
  std::vector<Type> types = inputTypesFor(batch, openSize_);
  for (size_t i = 0; openSize_ && i < x.size(); ++i) {
    const Shape& open = topology_.inputType(i).shape;
    for (int k = 1; k < open.rank(); ++k) {
      if (open[k] < 0) types[i].shape[k] = x[i].shape()[k];
    }
  }
  return types;
}

Status Model::prepare(Mode mode, int32_t batch) {
  if (mode != kPredict && !isCompiled())
    return fail("the model is not compiled: call compile with an optimizer and a loss first");
  if (batch < 1) return fail("a batch needs at least one sample");
  bool isOpen = mode != kPredict && std::ranges::any_of(labels_, &LabelKind::isSequence);
  if (openSize_ || isOpen)
    return fail("the model takes samples of any size: a step is planned when there are some");
  FJORD_TRY(begun_, program(mode, batch, {}));
  return {};
}

GpuStep Model::gpuStep() const {
  if (!gpu_ || !begun_) return {};
  return {begun_->serial, &begun_->gpu, begun_->gpuInputs, begun_->results};
}

Status Model::begin(Mode mode, const Batch& batch) {
  if (mode == kPredict) return fail("run: use predict");
  if (!batch.isChecked) FJORD_CHECK(check(batch));
  int32_t available = samplesOf(batch.x[0]);
  int32_t samples = batch.rows.empty() ? available : static_cast<int32_t>(batch.rows.size());
  if (samples < 1) return fail("a batch needs at least one sample");
  for (int32_t row : batch.rows) {
    if (row < 0 || row >= available) return fail("row ", row, " of ", available, " samples");
  }
  FJORD_TRY(Program * p, program(mode, samples, batch.x, batch.y));
  FJORD_CHECK(useStates(*p));
  for (size_t i = 0; openSize_ && i < batch.y.size(); ++i) {
    const Shape& want = p->inputs[batch.x.size() + i].shape();
    if (!isSample(batch.y[i].shape(), want))
      return fail("the labels of ", outputName(i), " are to be ", ofSamples(want),
                  ", got an array ", batch.y[i].shape());
  }
  size_t next = 0;
  for (const auto& list : {batch.x, batch.y}) {
    for (const Tensor& t : list) give(*p, next++, t, 0, batch.rows);
  }
  for (size_t i = 0; i < batch.y.size(); ++i, ++next) {
    Tensor& weights = p->inputs[next];
    p->bindInput(p->numbers[next], weights.view().data);
    const Tensor* given =
        batch.weights.empty() ? nullptr : &batch.weights[std::min(i, batch.weights.size() - 1)];
    if (given && *given) {
      copyRows(*given, 0, batch.rows, weights);
    } else {
      std::ranges::fill(weights.span<float>(), 1.0f);
    }
  }
  int64_t step = step_ + std::ranges::count(unfinished_, kTrain, &Program::mode);
  p->scalars[0] = static_cast<float>(rateOf(step));
  p->scalars[1] = static_cast<float>(step + 1);
  setRandom(*p, seed_, step);
  settle(*p);
  begun_ = p;
  unfinished_.push_back(p);
  return {};
}

Status Model::finish(Totals& totals) {
  if (unfinished_.empty()) return fail("no step has begun, or it was lost with its GPU");
  Program* p = unfinished_.front();
  unfinished_.erase(unfinished_.begin());
  if (p->mode == kTrain) {
    ++step_;
    weightsChanged();
  }
  totals.loss += static_cast<double>(p->results[0]) * p->batch;
  totals.samples += p->batch;
  totals.sums.resize(p->results.size() - 1);
  for (size_t i = 0; i < totals.sums.size(); ++i) totals.sums[i] += p->results[1 + i];
  return {};
}

Status Model::beginPrediction(std::span<const Tensor> x, int32_t begin, int32_t count) {
  FJORD_CHECK(checkInputs(x));
  int32_t samples = samplesOf(x[0]);
  if (begin < 0 || count < 1 || begin + count > samples)
    return fail("rows ", begin, " to ", begin + count, " of ", samples, " samples");
  FJORD_TRY(Program * p, program(kPredict, count, x));
  FJORD_CHECK(useStates(*p));
  for (size_t i = 0; i < x.size(); ++i) give(*p, i, x[i], begin, {});
  // A layer may be called as in training; its draws are none of the training's.
  constexpr int64_t kPredictions = int64_t{1} << 62;
  setRandom(*p, seed_, kPredictions + predictions_++);
  settle(*p);
  begun_ = p;
  return {};
}

void Totals::add(const Totals& other) {
  loss += other.loss;
  samples += other.samples;
  sums.resize(other.sums.size());
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += other.sums[i];
}

void Totals::clear() {
  loss = samples = 0;
  sums.clear();
}

double Model::logAt(const Totals& totals, int i) const {
  if (i == 0) return totals.samples > 0 ? totals.loss / totals.samples : 0;
  if (totals.sums.empty()) return 0;
  const Metric& m = metrics_[i - 1];
  return m.value(std::span(totals.sums).subspan(m.first, m.count));
}

Better Model::betterOf(std::string_view logged) const {
  if (logged == "loss") return Better::kSmaller;
  auto metric = std::ranges::find(metrics_, logged, &Metric::name);
  return metric == metrics_.end() ? Better::kUnknown : metric->better;
}

void Model::writeLogs(const Totals& totals, Logs& logs) const {
  logs.resize(totals.sums.empty() ? 1 : 1 + metrics_.size());
  for (size_t i = 0; i < logs.size(); ++i) {
    logs[i].first = i ? std::string_view(metrics_[i - 1].name) : "loss";
    logs[i].second = logAt(totals, static_cast<int>(i));
  }
}

Logs Model::logs(const Totals& totals) const {
  Logs logs;
  writeLogs(totals, logs);
  return logs;
}

}  // namespace fjord
