// Random numbers as ops of a graph. Their input is the generator's state, int32 [4]: seed low, seed
// high, step low, step high. Number i of an op is a function of (state, stream, i): a run that
// advances the step by one draws new numbers, and a state that is saved and restored repeats them
// bit for bit.
#include "base/random.h"

#include <cmath>

#include "ops/op.h"
#include "ops/random.wgsl.h"
#include "ops/truncated_normal.wgsl.h"

namespace fjord {

namespace {

template <class A>
Result<Type> drawnType(std::span<const Type> in, const A& a) {
  if (in[0] != Type{DType::kI32, {4}}) return fail("the state must be int32[4], got ", in[0]);
  FJORD_CHECK(checkShape(a.shape));
  return Type{DType::kF32, a.shape};
}

template <class A>
Result<Type> normalType(std::span<const Type> in, const A& a) {
  FJORD_CHECK(checkNumber("mean", a.mean, true, ""));
  FJORD_CHECK(checkNumber("stddev", a.stddev, a.stddev >= 0, " of at least 0"));
  return drawnType(in, a);
}

/// draw(words, out): four numbers from one block of four words.
template <class Draw>
void fillBlocks(const Call& c, int32_t stream, Draw draw) {
  const uint32_t* state = c.in[0].as<uint32_t>();
  float* out = c.out.as<float>();
  int64_t n = c.out.size();
  c.threads.forRange((n + 3) / 4, 4096, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      float four[4];
      draw(PhiloxCounter{static_cast<uint32_t>(block), static_cast<uint32_t>(stream), state[2],
                         state[3]},
           PhiloxKey{state[0], state[1]}, four);
      for (int64_t i = 0; i < 4 && block * 4 + i < n; ++i) out[block * 4 + i] = four[i];
    }
  });
}

/// random.wgsl; `four` is what element(block) does with w = words(block, kStream).
void randomShader(ShaderWriter& writer, int32_t stream, std::string_view four) {
  int64_t n = writer.out().shape.size();
  writer.elements((n + 3) / 4);
  writer.constant("kStream", stream);
  writer.constant("kSize", n);
  writer.text({kRandomWgsl, "fn element(i:u32){let w=words(i,kStream);var four:array<f32,4>;", four,
               "for(var j=0u;j<4u;j++){if(4u*i+j<kSize){put(4u*i+j,four[j]);}}}\n"});
}

// The definition is the kernel: there is no simpler formula. Known answers of Philox, moments and
// ranges are tested in random_test.cc instead.
struct Drawn {
  static constexpr ZeroGrad grad{};
  static std::vector<Case> cases() { return {}; }
};

struct RandomUniform : Drawn {
  using Attrs = RandomUniformAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkNumber("low", a.low, true, ""));
    FJORD_CHECK(checkNumber("high", a.high, a.high >= a.low, cat(" of at least low, ", a.low)));
    FJORD_CHECK(checkNumber("high - low", a.high - a.low, true, ""));
    return drawnType(in, a);
  }
  static void run(const Call& c, const Attrs& a) {
    fillBlocks(c, a.stream, [&](PhiloxCounter counter, PhiloxKey key, float* four) {
      PhiloxCounter words = philox(counter, key);
      for (int i = 0; i < 4; ++i) four[i] = a.low + (a.high - a.low) * uniformFloat(words[i]);
    });
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    randomShader(w, a.stream, "for(var j=0u;j<4u;j++){four[j]=kLow+kRange*uniform(w[j]);}");
    w.number("kLow", a.low);
    w.number("kRange", a.high - a.low);
  }
  static void reference(const ReferenceCall&, const Attrs&) {}
};

struct RandomNormal : Drawn {
  using Attrs = RandomNormalAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) { return normalType(in, a); }
  static void run(const Call& c, const Attrs& a) {
    fillBlocks(c, a.stream, [&](PhiloxCounter counter, PhiloxKey key, float* four) {
      PhiloxCounter words = philox(counter, key);
      for (int i = 0; i < 4; i += 2) {
        auto [x, y] = normalFloats(words[i], words[i + 1]);
        four[i] = a.mean + a.stddev * x;
        four[i + 1] = a.mean + a.stddev * y;
      }
    });
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    randomShader(w, a.stream,
                 "for(var j=0u;j<4u;j+=2u){let x=kMean+kStddev*normals(w[j],w[j+1u]);"
                 "four[j]=x.x;four[j+1u]=x.y;}");
    w.number("kMean", a.mean);
    w.number("kStddev", a.stddev);
  }
  static void reference(const ReferenceCall&, const Attrs&) {}
};

/// Normal numbers, those beyond two standard deviations drawn again (from the same place of another
/// stream).
struct TruncatedNormal : Drawn {
  using Attrs = TruncatedNormalAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) { return normalType(in, a); }
  static void run(const Call& c, const Attrs& a) {
    fillBlocks(c, a.stream, [&](PhiloxCounter counter, PhiloxKey key, float* four) {
      // One normal number is outside with probability 4.6 %: sixteen tries fail for one block in
      // 10^20.
      int have = 0;
      for (uint32_t again = 0; have < 4 && again < 16; ++again) {
        PhiloxCounter words =
            philox({counter[0], counter[1] + again * 0x01000000u, counter[2], counter[3]}, key);
        for (int i = 0; i < 4; i += 2) {
          for (float x : normalFloats(words[i], words[i + 1])) {
            if (have < 4 && std::fabs(x) < 2) four[have++] = a.mean + a.stddev * x;
          }
        }
      }
      while (have < 4) four[have++] = a.mean;
    });
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    randomShader(w, a.stream, "truncated(i,w,&four);");
    w.number("kMean", a.mean);
    w.number("kStddev", a.stddev);
    w.text({kTruncatedNormalWgsl});
  }
  static void reference(const ReferenceCall&, const Attrs&) {}
};

/// Inputs: x, state. Zero with probability `rate`, the rest scaled so that the expectation stays
/// (Srivastava et al. 2014).
struct Dropout {
  using Attrs = DropoutAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    if (in[0].dtype != DType::kF32) return fail("needs float32: cast it first");
    return checkNumber("rate", a.rate, a.rate >= 0 && a.rate < 1, " from 0 to below 1");
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = in[0];
    if (a.rate == 0) return x;
    Value u = randomUniform(in[1], {.shape = x.shape(), .stream = a.stream});
    return where(u >= static_cast<double>(a.rate), x * (1.0 / (1.0 - a.rate)), 0.0);
  }
  static std::vector<Case> cases() { return {}; }
};

}  // namespace

FJORD_OP(RandomUniform, randomUniform)
FJORD_OP(RandomNormal, randomNormal)
FJORD_OP(TruncatedNormal, truncatedNormal)
FJORD_COMPOSED(Dropout, dropout)

}  // namespace fjord
