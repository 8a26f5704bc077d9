// How deep the calls of a step are, from the function that JavaScript calls to the kernel, in the code
// as it was optimised. The test closes a page of each large array that kernels read or write. Where a
// kernel comes to it, the processor comes to the test, which counts the calls that have led there,
// opens the page and lets the kernel go on. Nothing in the engine knows of it.
//
// web/test/depth.test.mjs looks at the package's WebAssembly, through a profiler.
#include <gtest/gtest.h>

#include "abi/runtime.h"

#if defined(__linux__) && defined(__x86_64__) && !__has_feature(address_sanitizer) && \
    !__has_feature(thread_sanitizer)
#define FJORD_COUNTS_CALLS 1
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>
#endif

namespace fjord {
namespace {

#if FJORD_COUNTS_CALLS

using Address = uintptr_t;

/// The places that a thread's calls have reached, the innermost first: where each function begins.
struct Calls {
  static constexpr int kMost = 64;
  Address from = 0;  // the place from which on they count
  bool counts = false;
  int count = 0;
  Address functions[kMost] = {};

  static Calls above(Address from) {
    Calls calls;
    calls.from = from;
    _Unwind_Backtrace(
        [](_Unwind_Context* context, void* p) {
          Calls& c = *static_cast<Calls*>(p);
          c.counts |= _Unwind_GetIP(context) == c.from;
          if (c.counts && c.count < kMost) c.functions[c.count++] = _Unwind_GetRegionStart(context);
          return _URC_NO_REASON;
        },
        &calls);
    return calls;
  }
  /// How many calls lead from `outer` to here, both among them; 0 where it is not among them.
  int depthFrom(Address outer) const {
    for (int i = count; i-- > 0;) {
      if (functions[i] == outer) return i + 1;
    }
    return 0;
  }
  /// The same from the kernel: an op's, and where there is none, a chain alone, what the executor calls.
  int kernelWithin(int executor) const {
    int kernel = std::max(1, executor - 1);
    for (int op = 0; op < static_cast<int>(OpId::kCount); ++op) {
      const OpInfo& info = opInfo(static_cast<OpId>(op));
      for (auto* function : {info.run, info.prepare}) {
        int depth = function ? depthFrom(reinterpret_cast<Address>(function)) : 0;
        if (depth) kernel = depth;
      }
    }
    return kernel;
  }
};

/// What was seen of a step while it ran.
struct Depths {
  int seen = 0;       // how often a kernel came to a closed page
  int kernel = 0;     // the most calls from the border to a kernel,
  int innermost = 0;  // and to where it, or what it calls, works on numbers
};

/// Keeps pages closed while it lives. One at a time is open, so that an array that is read by several
/// kernels is seen in each; with several threads, of which two may need two pages, each is opened once.
class Watch {
 public:
  Watch(Address border, std::vector<Tensor> arrays, bool closesAgain)
      : border_(border), closesAgain_(closesAgain), pages_(pagesOf(arrays)) {
    Calls::above(0);  // what the first time loads is not loaded in the middle of a kernel
    current_ = this;
    struct sigaction action = {};
    action.sa_sigaction = [](int, siginfo_t* info, void* context) {
      auto* state = static_cast<ucontext_t*>(context);
      current_->onFault(static_cast<std::byte*>(info->si_addr),
                        static_cast<Address>(state->uc_mcontext.gregs[REG_RIP]));
    };
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, &before_);
    for (std::byte* page : pages_) mprotect(page, kPage, PROT_NONE);
  }
  ~Watch() {
    for (std::byte* page : pages_) mprotect(page, kPage, PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &before_, nullptr);
    current_ = nullptr;
  }
  size_t pages() const { return pages_.size(); }

  Depths depths;

 private:
  static constexpr Address kPage = 4096;

  /// One whole page of each array that has one.
  static std::vector<std::byte*> pagesOf(const std::vector<Tensor>& arrays) {
    std::vector<std::byte*> pages;
    for (const Tensor& t : arrays) {
      auto begin = reinterpret_cast<Address>(t.view().data);
      Address page = (begin + kPage - 1) / kPage * kPage;
      if (page + kPage <= begin + static_cast<Address>(t.type().bytes()))
        pages.push_back(reinterpret_cast<std::byte*>(page));
    }
    return pages;
  }

  void onFault(std::byte* at, Address instruction) {
    auto isIn = [&](std::byte* page) { return at >= page && at < page + kPage; };
    auto page = std::ranges::find_if(pages_, isIn);
    // Another fault than ours ends the program, as it would without the test.
    if (page == pages_.end()) return void(signal(SIGSEGV, SIG_DFL));
    mprotect(*page, kPage, PROT_READ | PROT_WRITE);
    if (closesAgain_ && open_ && open_ != *page) mprotect(open_, kPage, PROT_NONE);
    open_ = *page;
    Calls calls = Calls::above(instruction);
    // A worker's calls do not come from the border; what runs outside of the executor is no kernel.
    int depth = calls.depthFrom(border_);
    int inExecutor = calls.depthFrom(addressOf(&Executor::run));
    if (!depth || !inExecutor) return;
    ++depths.seen;
    depths.innermost = std::max(depths.innermost, depth);
    depths.kernel = std::max(depths.kernel, depth - calls.kernelWithin(inExecutor) + 1);
  }

  static Address addressOf(Result<bool> (Executor::*method)(const Budget*)) {
    Address address;
    std::memcpy(&address, &method, sizeof address);
    return address;
  }

  static inline Watch* current_ = nullptr;
  Address border_;
  bool closesAgain_;
  std::vector<std::byte*> pages_;
  std::byte* open_ = nullptr;
  struct sigaction before_ = {};
};

// The promise: the border is the first call, and the fifth is that of a kernel.
constexpr int kMostToKernel = 5;
// What works on numbers is at most six calls further. A product: its function for the kind of operands
// (6), threads, which are handed its parts (7), a part (8), its blocks (9), their rows (10), a tile in
// registers (11). The chain that finishes a part's output has as many less one.
constexpr int kMostToNumbers = 11;

Json mlp() {
  return sequential(
      {layer("Dense",
             {{"units", 256}, {"activation", "relu"}, {"batch_input_shape", {nullptr, 300}}}),
       layer("Dense", {{"units", 128}, {"activation", "tanh"}}),
       layer("Dense", {{"units", 64}, {"activation", "softmax"}})});
}
Json cnn() {
  return sequential({layer("Conv2D", {{"filters", 64},
                                      {"kernel_size", 3},
                                      {"activation", "relu"},
                                      {"batch_input_shape", {nullptr, 12, 12, 32}}}),
                     layer("BatchNormalization", Json::object()),
                     layer("MaxPooling2D", Json::object()),
                     layer("SeparableConv2D", {{"filters", 64}, {"kernel_size", 3}}),
                     layer("Flatten", Json::object()),
                     layer("Dense", {{"units", 64}, {"activation", "softmax"}})});
}

/// A model behind the C ABI, samples for it, and the arrays that its kernels work on.
struct Trained {
  static constexpr int32_t kSamples = 64;
  int model, x, y;

  explicit Trained(const Json& json, int32_t samples = kSamples) {
    model = fj_model(json.dump().c_str(), 1, 1, nullptr);
    const char* options =
        R"({"optimizer": "adam", "loss": "categoricalCrossentropy", "metrics": ["accuracy"]})";
    EXPECT_EQ(fj_modelCompile(model, options), 1) << fj_message();
    Type type = engine().inputTypes()[0];
    x = filled(type.shape, samples);
    y = filled(Shape{-1, 64}, samples);
  }
  ~Trained() {
    fj_dispose(x);
    fj_dispose(y);
    fj_modelFree(model);
  }
  Model& engine() const { return **runtime().models.find(model); }
  static int filled(Shape shape, int32_t samples) {
    shape[0] = samples;
    Tensor t = *Tensor::empty({DType::kF32, shape});
    std::ranges::fill(t.span<float>(), 0.01f);
    return newTensor(Traced{t, runtime().eager->newId()});
  }
  std::vector<Tensor> arrays() const {
    std::vector<Tensor> all = {tensorOf(x)->tensor, tensorOf(y)->tensor};
    for (auto* list : {&engine().mutableWeights(), &engine().slots()}) {
      for (const Weight& w : *list) all.push_back(w.value);
    }
    return all;
  }
};

/// Calls step() under watch.
template <class F, class Step>
void expectShallow(F* border, std::vector<Tensor> arrays, int threads, int leastSeen,
                   const Step& step) {
  Depths depths;
  size_t pages;
  bool ran;
  {
    Watch watch(reinterpret_cast<Address>(border), std::move(arrays), threads == 1);
    ran = step();
    depths = watch.depths;
    pages = watch.pages();
  }
  EXPECT_TRUE(ran) << fj_message();
  EXPECT_GE(depths.seen, leastSeen) << "of " << pages << " pages: too few to say anything";
  EXPECT_LE(depths.kernel, kMostToKernel);
  EXPECT_LE(depths.innermost, kMostToNumbers);
}

class Depth : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { fj_init(GetParam()); }
  void TearDown() override { fj_init(1); }
};

TEST_P(Depth, OfATrainingStep) {
  for (const Json& json : {mlp(), cnn()}) {
    Trained t(json);
    double out[2];
    for (int train : {1, 0}) {
      auto step = [&] { return fj_modelBatch(t.model, train, &t.x, 1, &t.y, 1, out, 2) == 2; };
      ASSERT_TRUE(step()) << fj_message();
      expectShallow(fj_modelBatch, t.arrays(), GetParam(), 4, step);
    }
  }
}

TEST_P(Depth, OfABatchOfAFit) {
  for (const Json& json : {mlp(), cnn()}) {
    Trained t(json, 256);
    int arrays[] = {t.x, t.y}, counts[] = {1, 1, 0, 0, 0, 0};
    int fit = fj_fit(t.model, arrays, counts, R"({"batchSize": 64})");
    ASSERT_NE(fit, 0) << fj_message();
    double out[3];
    // However long, and stopped where the clock is looked at.
    for (double milliseconds : {0.0, 1e-6}) {
      int stops = 0, event = 0;
      auto step = [&] {
        while ((event = fj_fitAdvance(fit, milliseconds, out)) == 1 + Fit::kPaused) ++stops;
        return event == 1 + Fit::kBatchEnd;
      };
      ASSERT_TRUE(step()) << fj_message();
      expectShallow(fj_fitAdvance, t.arrays(), GetParam(), 4, step);
      EXPECT_EQ(stops > 0, milliseconds > 0);
    }
    fj_fitFree(fit);
  }
}

TEST_P(Depth, OfAPrediction) {
  for (const Json& json : {mlp(), cnn()}) {
    Trained t(json);
    int y = 0;
    auto step = [&] {
      fj_dispose(y);
      return fj_modelPredict(t.model, &t.x, 1, Trained::kSamples, 0, &y, 1) == 1;
    };
    ASSERT_TRUE(step()) << fj_message();
    expectShallow(fj_modelPredict, t.arrays(), GetParam(), 1, step);
    fj_dispose(y);
  }
}

/// An op has a step of its own.
TEST_P(Depth, OfAnOp) {
  int a = Trained::filled({64, 64}, 64), b = Trained::filled({64, 64}, 64), y = 0;
  const int32_t in[] = {a, b};
  const double attributes[] = {0, 0};
  auto step = [&] {
    fj_dispose(y);
    return (y = fj_op(static_cast<int>(OpId::matMul), in, 2, attributes, 2)) != 0;
  };
  ASSERT_TRUE(step()) << fj_message();
  expectShallow(fj_op, {tensorOf(a)->tensor, tensorOf(b)->tensor}, GetParam(), 1, step);
  for (int t : {a, b, y}) fj_dispose(t);
}

INSTANTIATE_TEST_SUITE_P(Threads, Depth, ::testing::Values(1, 2),
                         [](const auto& info) { return cat(info.param); });

#else

TEST(Depth, OfATrainingStep) {
  GTEST_SKIP() << "calls are counted in the native build as it is optimised, on Linux and x86-64";
}

#endif

}  // namespace
}  // namespace fjord
