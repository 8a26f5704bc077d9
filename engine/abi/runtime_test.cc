// Handles, and what a model that changes does with steps that are on their way.
#include "abi/runtime.h"

#include <gtest/gtest.h>

#include <set>

namespace fjord {
namespace {

using Item = std::shared_ptr<int>;

TEST(Handles, AHandleThatWasGivenUpFindsNothing) {
  Handles<Item> handles;
  int first = handles.add(std::make_shared<int>(1));
  EXPECT_EQ(**handles.find(first), 1);
  handles.remove(first);
  EXPECT_EQ(handles.find(first), nullptr);
  int second = handles.add(std::make_shared<int>(2));
  EXPECT_NE(first, second);
  EXPECT_EQ(handles.find(first), nullptr);
  EXPECT_EQ(**handles.find(second), 2);
  handles.remove(first);
  EXPECT_EQ(**handles.find(second), 2);
}

TEST(Handles, NoNumberButAHandleFindsAnything) {
  Handles<Item> handles;
  int handle = handles.add(std::make_shared<int>(1));
  for (int wrong : {0, -1, handle + 1, -handle, INT32_MAX, INT32_MIN})
    EXPECT_EQ(handles.find(wrong), nullptr) << wrong;
}

TEST(Handles, AreNumbersAboveZeroForEveryGeneration) {
  Handles<Item> handles;
  std::set<int> seen;
  for (int i = 0; i < 256; ++i) {
    int handle = handles.add(std::make_shared<int>(i));
    EXPECT_GT(handle, 0);
    EXPECT_TRUE(seen.insert(handle).second) << i;
    handles.remove(handle);
  }
}

/// What ends with a value may use the handles.
TEST(Handles, RemoveWhileTheValueRemoves) {
  Handles<std::shared_ptr<void>> handles;
  int other = handles.add(std::make_shared<int>(1));
  int handle = handles.add(std::shared_ptr<void>(new int, [&](void* p) {
    delete static_cast<int*>(p);
    handles.remove(other);
  }));
  handles.remove(handle);
  EXPECT_EQ(handles.find(other), nullptr);
}

Json network() {
  return sequential({layer("Dense", {{"units", 1}, {"batch_input_shape", {nullptr, 2}}})});
}

/// Limits of an adapter that can do everything: a step on a GPU is begun here and run nowhere.
GpuLimits limits() { return {10, 1 << 27, 1 << 28, 65535}; }

TEST(Model, DoesNotChangeWhileStepsAreOnTheirWay) {
  Threads threads;
  auto made = Model::fromJson(network(), threads);
  ASSERT_TRUE(made) << made.error().message;
  Model& model = **made;
  Json options = {{"optimizer", "adam"}, {"loss", "meanSquaredError"}};
  ASSERT_TRUE(model.compile(options));
  model.setGpu(limits());
  Tensor x = *Tensor::zeros({DType::kF32, {4, 2}}), y = *Tensor::zeros({DType::kF32, {4, 1}});
  Batch batch{.x = {&x, 1}, .y = {&y, 1}};
  ASSERT_TRUE(model.begin(Model::kTrain, batch));
  const char* words = "have begun on the GPU and have not finished: await them first";
  for (const Status& refused : {model.compile(options), model.setWinograd(false),
                                model.setSlot("dense/kernel/m", *x.copy())}) {
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
  }
  Totals totals;
  EXPECT_TRUE(model.finish(totals));
  EXPECT_EQ(totals.samples, 4);
  EXPECT_TRUE(model.compile(options));
  // What was lost does not finish.
  ASSERT_TRUE(model.begin(Model::kTrain, batch));
  model.setGpu({});
  Status lost = model.finish(totals);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().message, "no step has begun, or it was lost with its GPU");
}

TEST(Memory, CountsWeightsOfModels) {
  double before[4], with[4], after[4];
  fj_memory(before);
  int model = fj_model(network().dump().c_str(), 1, 1, nullptr);
  ASSERT_NE(model, 0) << fj_message();
  fj_memory(with);
  fj_modelFree(model);
  fj_memory(after);
  EXPECT_EQ(with[0] - before[0], 2);   // kernel and bias
  EXPECT_EQ(with[1] - before[1], 12);  // three float32
  EXPECT_EQ(after[0], before[0]);
  EXPECT_EQ(after[1], before[1]);
  EXPECT_EQ(fj_modelInfo(model), 0);
  EXPECT_STREQ(fj_message(), "the model was disposed of: it cannot be used any more");
}

}  // namespace
}  // namespace fjord
