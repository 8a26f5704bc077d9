#include "abi/remote.h"

#include <algorithm>

#include "base/parts.h"

namespace fjord {

void Remote::played() {
  commands_.resize(1);
  // What is let go now is released with the next commands.
  std::vector<Tensor> read = std::move(read_);
}

Result<int32_t> Remote::numberOf(const Tensor& t) {
  Buffer buffer = t.buffer();
  if (buffer.number() >= first_) return buffer.number();
  if (!buffer.data()) {
    return fail("the values of a tensor ", t.type(), " were on a GPU device that was lost");
  }
  buffer.setNumber(next_++);
  commands_.insert(
      commands_.end(),
      {kUpload, buffer.number(), static_cast<int32_t>(reinterpret_cast<intptr_t>(buffer.data())),
       static_cast<int32_t>(buffer.bytes())});
  read_.push_back(t);
  return buffer.number();
}

Result<Tensor> Remote::newTensor(const Type& type) {
  FJORD_TRY(Buffer buffer, Buffer::elsewhere(type.bytes(), next_));
  ++next_;
  return Tensor(std::move(buffer), type);
}

Result<int32_t> Remote::addProgram(const Graph& graph) {
  FJORD_TRY(Plan plan, compile(graph, limits_.planOptions()));
  FJORD_TRY(programs_[++lastProgram_], gpuProgram(plan, limits_));
  return lastProgram_;
}

void Remote::removeProgram(int32_t program) {
  if (programs_.erase(program)) commands_.insert(commands_.end(), {kForget, program});
}

const GpuProgram* Remote::program(int32_t number) const {
  auto it = programs_.find(number);
  return it == programs_.end() ? nullptr : &it->second;
}

void Remote::run(int32_t program, std::span<const int32_t> inputs,
                 std::span<const int32_t> outputs) {
  commands_.insert(commands_.end(), {kRun, program});
  for (std::span<const int32_t> list : {inputs, outputs}) {
    commands_.push_back(static_cast<int32_t>(list.size()));
    commands_.insert(commands_.end(), list.begin(), list.end());
  }
}

Result<Runner> Runner::make(const Graph& graph, Threads& threads, Remote* remote) {
  Runner runner;
  for (int32_t node : graph.inputs()) runner.inputs_.push_back(graph.nodes()[node].type);
  for (const Assignment& a : graph.assignments()) {
    auto at = std::ranges::find(graph.inputs(), a.input);
    runner.assigned_.push_back(static_cast<int>(at - graph.inputs().begin()));
  }
  if (kHasShaders && remote) {
    FJORD_TRY(int32_t program, remote->addProgram(graph));
    runner.there_ = std::make_unique<There>(remote, program);
    runner.outputs_ = remote->program(program)->outputs;
    return runner;
  }
  FJORD_TRY(Plan plan, compile(graph, {.threads = threads.count()}));
  runner.outputs_ = plan.outputs;
  FJORD_TRY(Executor made, Executor::make(std::move(plan), threads));
  runner.here_ = std::make_unique<Executor>(std::move(made));
  return runner;
}

Runner::~Runner() {
  if (kHasShaders && there_) there_->remote->removeProgram(there_->program);
}

Result<std::vector<Tensor>> Runner::run(std::span<const Tensor> inputs) {
  if (kHasShaders && there_) return runThere(inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    FJORD_CHECK(needHere(inputs[i]));
    here_->bindInput(static_cast<int>(i), inputs[i].view().data);
  }
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    FJORD_TRY(Tensor t, Tensor::empty(outputs_[i]));
    here_->bindOutput(static_cast<int>(i), t.view().data);
    outputs.push_back(std::move(t));
  }
  FJORD_CHECK(here_->run());
  return outputs;
}

Result<std::vector<Tensor>> Runner::runThere(std::span<const Tensor> inputs) {
  std::vector<int32_t> in, out;
  for (const Tensor& t : inputs) {
    FJORD_TRY(int32_t number, there_->remote->numberOf(t));
    in.push_back(number);
  }
  std::vector<Tensor> outputs;
  for (const Type& type : outputs_) {
    FJORD_TRY(Tensor t, there_->remote->newTensor(type));
    out.push_back(t.buffer().number());
    outputs.push_back(std::move(t));
  }
  there_->remote->run(there_->program, in, out);
  for (int i : assigned_) Buffer(inputs[i].buffer()).forget();
  return outputs;
}

Status needHere(const Tensor& t) {
  if (t.buffer().data()) return {};
  return fail("the values of the tensor ", t.type(),
              " are on the GPU, which answers later: await its data() first");
}

}  // namespace fjord
