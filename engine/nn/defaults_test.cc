// What an argument is that nobody gives: of every layer, optimizer, loss, .. as in Keras, or in a
// list here with the reason. check/goldens/nn_defaults.py made the file and says what a case holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "base/alternatives.h"
#include "ir/graph.h"
#include "nn/fit.h"
#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/metrics.h"
#include "nn/optimizers.h"
#include "nn/weights.h"
#include "testing/goldens.h"

namespace fjord {
namespace {

using testing::Goldens;

/// A default that is other than Keras's. "*": of all of this kind that have the argument so;
/// whatever it is in Keras.
struct Other {
  std::string_view kind, owner, argument, here, keras, reason;
};
constexpr Other kOther[] = {
    {"layer", "*", "activation", "null", "\"linear\"", "none is the linear one"},
    {"layer", "*", "strides", "null", "[2]", "of a pooling: none are its pool_size"},
    {"layer", "*", "strides", "null", "[2,2]", "of a pooling: none are its pool_size"},
    {"layer", "*", "strides", "null", "[2,2,2]", "of a pooling: none are its pool_size"},
    {"layer", "Bidirectional", "backward_layer", "null", "*", "Keras writes what it derives"},
    {"layer", "MultiHeadAttention", "value_dim", "null", "1", "none is key_dim"},
    {"layer", "*", "value_range", "null", "[0,255]", "none is from 0 to 255"},
    {"layer", "RandomErasing", "scale", "null", "[0.02,0.33]", "none is from 0.02 to 0.33"},
    {"layer", "RandomCrop", "seed", "null", "*", "Keras draws one"},
    {"layer", "MelSpectrogram", "sequence_length", "null", "2048", "none is fft_length"},
    {"layer", "MelSpectrogram", "max_freq", "null", "8000", "none is half the sampling_rate"},
    {"layer", "IntegerLookup", "vocabulary_size", "null", "2", "Keras writes what it counts"},
    // TensorFlow.js has defaults, Keras wants to be told.
    {"layer", "Activation", "activation", "null", "needed", "TensorFlow.js: the linear one"},
    {"layer", "*", "pool_size", "2", "needed", "TensorFlow.js: as of a maximum"},
    {"regularizer", "l1_l2", "l1", "0.01", "0.0", "TensorFlow.js's; Keras always writes both"},
    {"regularizer", "l1_l2", "l2", "0.01", "0.0", "TensorFlow.js's; Keras always writes both"},
    // Names of what is made from a description.
    {"loss", "*", "name", "null", "*", "it is called as its class is"},
    {"metric", "*", "name", "null", "*", "it is called as it was asked for"},
    {"schedule", "*", "name", "null", "*", "it is called as its class is"},
    {"optimizer", "*", "weight_decay", "0", "null", "a decay of 0 is none"},
    {"optimizer", "muon", "exclude_layers", "null", "[]", "none are an empty list"},
    {"metric", "binary_iou", "target_class_ids", "null", "[0,1]", "none are all"},
    {"metric", "*", "thresholds", "0.5", "null", "Keras takes none as 0.5"},
    {"callback", "*", "verbose", "null", "0", "nothing is printed here"},
};

/// An argument that one side has alone.
struct Lone {
  std::string_view kind, owner, argument, reason;
};
constexpr Lone kOurs[] = {
    // Keras's layers take these among their keywords, or took them.
    {"layer", "*", "input_shape", "of a first layer's input"},
    {"layer", "*", "input_dim", "of a first layer's input"},
    {"layer", "*", "batch_shape", "of an input"},
    {"layer", "*", "batch_input_shape", "of a first layer's input in Keras 2 and TensorFlow.js"},
    {"layer", "*", "batch_size", "of a first layer's input in Keras 2 and TensorFlow.js"},
    {"layer", "*", "input_dtype", "TensorFlow.js"},
    {"layer", "*", "weights", "Keras 2 and TensorFlow.js; refused but for null"},
    {"layer", "*", "dynamic", "Keras 2; refused but for false"},
    {"layer", "*", "sparse", "of an input; refused but for false"},
    {"layer", "*", "ragged", "of an input; refused but for false"},
    {"layer", "*", "quantization_config", "of some layers in Keras; refused but for null"},
    {"layer", "*", "time_major", "Keras 2; refused but for false"},
    {"layer", "*", "implementation", "Keras 2 and TensorFlow.js: how it is computed"},
    {"layer", "MultiHeadAttention", "cache_length", "a cache is a call's argument in KerasHub"},
    {"layer", "GroupQueryAttention", "cache_length", "a cache is a call's argument in KerasHub"},
    {"layer", "Embedding", "input_length", "of a first layer in Keras 2 and TensorFlow.js"},
    {"layer", "ReversibleEmbedding", "input_length", "as Embedding has it"},
    // Of all layers, which some of Keras's do not hand on.
    {"layer", "*", "trainable", "not among the keywords of some"},
    {"layer", "Pipeline", "dtype", "it has no keywords"},
    {"layer", "*", "autocast", "not among the keywords of some"},
    {"layer", "*", "activity_regularizer", "not among the keywords of some"},
    {"layer", "BatchNormalization", "virtual_batch_size", "Keras 2; refused but for null"},
    {"layer", "BatchNormalization", "adjustment", "Keras 2; refused but for null"},
    {"layer", "BatchNormalization", "fused", "Keras 2: how it is computed"},
    // Keras 2 writes what these have from the plain convolution.
    {"layer", "*", "groups", "Keras 2; refused but for 1"},
    {"layer", "*", "kernel_initializer", "Keras 2; refused but for null"},
    {"layer", "*", "kernel_regularizer", "Keras 2; refused but for null"},
    {"layer", "*", "kernel_constraint", "Keras 2; refused but for null"},
    {"initializer", "*", "dtype", "Keras 2; refused but for float32"},
    {"initializer", "*", "scale", "TensorFlow.js writes what the named ones scale by"},
    {"initializer", "*", "mode", "TensorFlow.js writes what the named ones scale by"},
    {"initializer", "*", "distribution", "TensorFlow.js writes what the named ones scale by"},
    {"loss", "*", "fn", "Keras writes it of a loss made of a function; refused but for null"},
    {"metric", "*", "fn", "Keras writes it of a metric made of a function"},
    {"metric", "binary_crossentropy", "axis", "of the loss; refused but for -1"},
    {"callback", "terminate_on_nan", "verbose", "as the others have it"},
    {"optimizer", "*", "decay", "Keras 2 and TensorFlow.js"},
    {"optimizer", "*", "exclude_from_weight_decay",
     "a method in Keras, of which its config says nothing"},
    {"optimizer", "*", "jit_compile", "Keras 2: how it is computed"},
    {"optimizer", "*", "is_legacy_optimizer", "Keras 2: how it is computed"},
};
/// These are refused in words; Keras writes none of them where it is not given.
constexpr Lone kKerass[] = {
    {"layer", "Dense", "lora_rank", "fine-tuning by products of thin matrices"},
    {"layer", "Dense", "lora_alpha", "fine-tuning by products of thin matrices"},
    {"layer", "Conv1D", "lora_rank", "fine-tuning by products of thin matrices"},
    {"layer", "Conv1D", "lora_alpha", "fine-tuning by products of thin matrices"},
    {"layer", "Conv2D", "lora_rank", "fine-tuning by products of thin matrices"},
    {"layer", "Conv2D", "lora_alpha", "fine-tuning by products of thin matrices"},
    {"layer", "Conv3D", "lora_rank", "fine-tuning by products of thin matrices"},
    {"layer", "Conv3D", "lora_alpha", "fine-tuning by products of thin matrices"},
    {"layer", "Embedding", "lora_rank", "fine-tuning by products of thin matrices"},
    {"layer", "Embedding", "lora_alpha", "fine-tuning by products of thin matrices"},
    {"layer", "ReversibleEmbedding", "lora_rank", "fine-tuning by products of thin matrices"},
    {"layer", "ReversibleEmbedding", "lora_alpha", "fine-tuning by products of thin matrices"},
    {"layer", "EinsumDense", "lora_rank", "fine-tuning by products of thin matrices"},
    {"layer", "EinsumDense", "lora_alpha", "fine-tuning by products of thin matrices"},
    {"layer", "EinsumDense", "gptq_unpacked_column_size", "of kernels that are quantized"},
    {"layer", "AdditiveAttention", "score_mode", "it has one of its own"},
    {"layer", "*", "bounding_box_format", "of layers of images; the engine has no boxes"},
    {"layer", "*", "factor", "of a base class; Keras refuses it, too, of layers without one"},
    {"metric", "sparse_top_k_categorical_accuracy", "from_sorted_ids", "of lists of items"},
    {"callback", "reduce_lr_on_plateau", "baseline", "Keras takes any keyword and drops it"},
};

/// A list, and what of it was met: the rest must not stand there.
template <class Row>
class Listed {
 public:
  explicit Listed(std::span<const Row> rows) : rows_(rows) {}
  bool has(auto isMeant) {
    auto row = std::ranges::find_if(rows_, isMeant);
    if (row != rows_.end()) met_.insert(&*row);
    return row != rows_.end();
  }
  void expectAllMet() const {
    for (const Row& row : rows_)
      EXPECT_TRUE(met_.contains(&row)) << "is listed and not so: " << row.kind << " " << row.owner
                                       << ", " << row.argument << ": " << row.reason;
  }

 private:
  std::span<const Row> rows_;
  std::set<const Row*> met_;
};

// ---- whose arguments

/// A layer, loss, ..: its arguments here, and Keras's case of it.
struct Owner {
  std::string_view kind;
  std::string name;  // as messages say it
  std::vector<Argument> arguments;
  /// What is wrong with a config, or "".
  std::function<std::string(const Json& config)> faultOf;
  const Json* keras = nullptr;
};

bool isNamed(const Argument& a, std::string_view name) {
  return std::ranges::any_of(alternatives(a.name), [&](std::string_view one) {
    return canonicalName(one) == canonicalName(name);
  });
}

/// The rows of a table and of those within it. Of two with one name the first counts.
void collect(std::span<const Argument> table, std::vector<Argument>& out) {
  for (const Argument& a : table) {
    if (a.kind == Argument::kAlso) {
      collect({a.rows, a.rowCount}, out);
    } else if (std::ranges::none_of(
                   out, [&](const Argument& b) { return isNamed(b, alternatives(a.name)[0]); })) {
      out.push_back(a);
    }
  }
}

const Json* caseOf(const Json& cases, std::string_view kind, const Named& row) {
  auto found = std::ranges::find_if(cases, [&](const Json& c) {
    return c["kind"] == kind && isCalled(row, c["name"].get_ref<const std::string&>());
  });
  return found == cases.end() ? nullptr : &*found;
}

Owner ownerOf(std::string_view kind, const Named& row, std::span<const Argument> common,
              const Json& cases) {
  Owner owner{kind, std::string(firstName(row)), {}, {}, caseOf(cases, kind, row)};
  collect(row.arguments, owner.arguments);
  collect(common, owner.arguments);
  return owner;
}

std::vector<Owner> layers(const Json& cases) {
  std::vector<Owner> out;
  for (const LayerRow& row : layerRows()) {
    out.push_back(ownerOf("layer", {row.className, row.arguments}, everyLayer(), cases));
    out.back().faultOf = [&row](const Json& config) {
      Result<Fields> fields = layerFields(row, config);
      return fields ? "" : fields.error().message;
    };
  }
  return out;
}

std::vector<Owner> chosenByName(const Table& table, const Json& cases) {
  std::vector<Owner> out;
  for (const Named& row : table.rows) {
    out.push_back(ownerOf(table.what, row, table.common, cases));
    out.back().faultOf = [name = out.back().name, check = table.check](const Json& config) {
      Status status = check({{"class_name", name}, {"config", config}});
      return status ? "" : status.error().message;
    };
  }
  return out;
}

/// Their rate is in the row, and none of the table.
std::vector<Owner> optimizers(const Json& cases) {
  std::vector<Owner> out = chosenByName(optimizerTable(), cases);
  for (size_t i = 0; i < out.size(); ++i) {
    for (Argument& a : out[i].arguments) {
      if (!isNamed(a, "learning_rate")) continue;
      a = {.kind = Argument::kNumber, .name = a.name, .fallback = optimizerRows()[i].rate};
    }
  }
  return out;
}

/// The losses that Keras has as metrics, too.
std::vector<Owner> lossesAsMetrics(const Json& cases) {
  std::vector<Owner> out;
  for (const Named& row : lossTable().rows) {
    Owner owner = ownerOf("metric", row, metricTable().common, cases);
    if (!owner.keras) continue;
    owner.faultOf = [name = owner.name](const Json& config) {
      Graph graph;
      Shape labels = takesClassNumbers(name) ? Shape{2} : Shape{2, 3};
      Value y = graph.input({DType::kF32, labels}), p = graph.input({DType::kF32, {2, 3}});
      metricSums({{"class_name", name}, {"config", config}}, "mse", y, p);
      return graph.status() ? "" : graph.status().error().message;
    };
    out.push_back(std::move(owner));
  }
  return out;
}

// ---- one default

/// What stands where an argument is missing; null for nothing.
Json defaultOf(const Argument& a) {
  switch (a.kind) {
    case Argument::kFlag:
      return a.fallback != 0;
    case Argument::kText:
    case Argument::kDescribed:
      return a.text ? Json(a.text) : Json();
    case Argument::kChoice:
      return alternatives(a.text)[0] == "null" ? Json() : Json(alternatives(a.text)[0]);
    default:
      return std::isnan(a.fallback) ? Json() : Json(a.fallback);
  }
}

/// Whether all numbers in a nest of lists are `number`, as float32.
bool isAll(const Json& nest, double number) {
  if (nest.is_array())
    return !nest.empty() &&
           std::ranges::all_of(nest, [&](const Json& j) { return isAll(j, number); });
  return nest.is_number() && nest.get<float>() == static_cast<float>(number);
}

/// Whether a description has the name, and says of it what its own case does.
bool isDefault(const Json& described, std::string_view name, const Json& cases) {
  const Json& config = member(described, "config");
  std::string called = stringOr(described, "class_name", "");
  return canonicalName(called) == canonicalName(name) &&
         std::ranges::any_of(
             cases, [&](const Json& c) { return c["name"] == called && c["config"] == config; });
}

bool isSame(const Argument& a, const Json& keras, const Json& cases) {
  Json ours = defaultOf(a);
  // What may only be given as it is: Keras's default has to be that.
  if (a.kind == Argument::kOnly)
    return keras.is_null() || std::ranges::any_of(alternatives(a.text), [&](std::string_view one) {
             return one == keras.dump();
           });
  if (ours.is_null() || keras.is_null() || ours.is_boolean()) return ours == keras;
  // Keras writes the interval that a number stands for.
  if (a.kind == Argument::kInterval && keras.is_array())
    return isAll(keras[1], ours.get<double>()) &&
           isAll(keras[0], std::max(a.range->least, -ours.get<double>()));
  if (ours.is_number()) return isAll(keras, ours.get<double>());
  std::string text = ours.get<std::string>();
  return keras.is_object()
             ? isDefault(keras, text, cases)
             : keras.is_string() && canonicalName(keras.get<std::string>()) == canonicalName(text);
}

// ---- the test

class Defaults : public ::testing::Test {
 protected:
  void compare(const Owner& owner) {
    SCOPED_TRACE(cat(owner.kind, " ", owner.name));
    ASSERT_TRUE(owner.keras) << "has no case in check/goldens/nn_defaults.py";
    compared.insert(owner.keras);
    for (const Argument& a : owner.arguments) compareArgument(owner, a);
    for (const char* part : {"config", "signature"}) {
      for (const auto& [name, value] : (*owner.keras)[part].items()) {
        auto isMeant = [&](const Argument& a) { return isNamed(a, name); };
        if (std::ranges::none_of(owner.arguments, isMeant)) expectRefused(owner, name, value);
      }
    }
    // What Keras writes is taken, all of it.
    Json config = (*owner.keras)["needed"];
    config.update((*owner.keras)["config"]);
    EXPECT_EQ(owner.faultOf(config), "") << config.dump();
  }

  void compareArgument(const Owner& owner, const Argument& a) {
    std::string_view name = alternatives(a.name)[0];
    const Json* keras = nullptr;
    bool isNeeded = false;
    for (const char* part : {"needed", "config", "signature"}) {
      for (const auto& [key, value] : (*owner.keras)[part].items()) {
        if (!isNamed(a, key)) continue;
        EXPECT_EQ(keras, nullptr) << name << " is two arguments in Keras";
        keras = &value;
        isNeeded = part == std::string_view("needed");
      }
    }
    if (!keras) {
      EXPECT_TRUE(isListed(ours, owner, name)) << name << " is none of Keras's, and not listed";
      return;
    }
    if (isNeeded ? a.needed : !a.needed && isSame(a, *keras, goldens.cases)) return;
    std::string there = isNeeded ? "needed" : keras->dump();
    std::string here = a.needed ? "needed" : shown(defaultOf(a));
    EXPECT_TRUE(other.has([&](const Other& o) {
      return o.kind == owner.kind && (o.owner == "*" || o.owner == owner.name) &&
             o.argument == name && o.here == here && (o.keras == "*" || o.keras == there);
    })) << name
        << " is " << here << ", in Keras " << there << ", and that is not listed";
  }

  void expectRefused(const Owner& owner, const std::string& name, const Json& value) {
    EXPECT_TRUE(isListed(kerass, owner, name)) << name << " of Keras is not known, and not listed";
    Json config = (*owner.keras)["needed"];
    config[name] = value;
    std::string fault = owner.faultOf(config);
    EXPECT_TRUE(fault.starts_with(cat(name, " is not an argument of ", owner.name, ";"))) << fault;
  }

  static bool isListed(Listed<Lone>& list, const Owner& owner, std::string_view argument) {
    return list.has([&](const Lone& l) {
      return l.kind == owner.kind && (l.owner == "*" || l.owner == owner.name) &&
             l.argument == argument;
    });
  }

  const Goldens goldens{"nn_defaults"};
  Listed<Other> other{kOther};
  Listed<Lone> ours{kOurs}, kerass{kKerass};
  std::set<const Json*> compared;
};

TEST_F(Defaults, AreThoseOfKeras) {
  auto compareAll = [&](const std::vector<Owner>& owners) {
    for (const Owner& owner : owners) compare(owner);
  };
  compareAll(layers(goldens.cases));
  for (const Table& table : {initializerTable(), regularizerTable(), constraintTable(), lossTable(),
                             metricTable(), scheduleTable(), callbackTable()})
    compareAll(chosenByName(table, goldens.cases));
  compareAll(optimizers(goldens.cases));
  compareAll(lossesAsMetrics(goldens.cases));
  other.expectAllMet();
  ours.expectAllMet();
  kerass.expectAllMet();
  for (const Json& c : goldens.cases)
    EXPECT_TRUE(compared.contains(&c))
        << c["kind"].dump() << " " << c["name"].dump() << " is not known here";
}

}  // namespace
}  // namespace fjord
