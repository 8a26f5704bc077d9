#include "run/gpu.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <unordered_map>

#include "ops/gpu.h"
#include "ops/op.h"
#include "ops/prelude.wgsl.h"
#include "ops/wgsl.h"

namespace fjord {

namespace {

// ---- prelude

/// The functions of the prelude that `text` calls, and those that they call.
std::string neededPrelude(std::string_view text) {
  static const std::vector<std::string_view> blocks = [] {
    std::vector<std::string_view> list;
    std::string_view rest = kPreludeWgsl;
    while (!rest.empty()) {
      size_t end = std::min(rest.find("\nfn "), rest.size() - 1) + 1;
      list.push_back(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    return list;
  }();
  auto calls = [](std::string_view text, std::string_view block) {
    if (!block.starts_with("fn ")) return text.find("f_infinity_bits") != text.npos;
    std::string name(block.substr(3, block.find('(') - 2));
    for (size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
      char before = at == 0 ? ' ' : text[at - 1];
      if (!std::isalnum(static_cast<unsigned char>(before)) && before != '_') return true;
    }
    return false;
  };
  std::vector<bool> needed(blocks.size(), false);
  std::string chosen;
  for (bool more = true; more;) {
    more = false;
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (needed[i] || !(calls(text, blocks[i]) || calls(chosen, blocks[i]))) continue;
      needed[i] = more = true;
      chosen += blocks[i];
    }
  }
  return chosen;
}

// ---- one shader

/// The text of one dispatch: bindings, what an operand's element is, what becomes of a result.
class Writer {
 public:
  Writer(const Plan& plan, const Step& step) : plan_(plan), step_(step) {}

  /// The op alone or the chain alone where the other is a dispatch of its own.
  bool withOp = true, withChain = true;
  /// Whether the op's output itself must be in memory.
  bool writesOutput = true;

  std::string text(const Shader& shader, const GpuLimits& limits, std::array<int64_t, 3>& groups);
  std::vector<GpuProgram::Binding> bindings() const;
  GpuProgram::Binding place(int64_t offset, int64_t bytes) const;
  size_t bindingCount() const { return bound_.size(); }
  /// The loops whose trips are asked about, in the order of their bindings.
  const std::vector<int32_t>& trips() const { return trips_; }

 private:
  struct Bound {
    int32_t storage;  // or kScratch
    DType dtype;
    bool vectors = false;  // declared as vec4f
  };
  static constexpr int32_t kScratch = -1;
  struct Register {
    std::string name;
    DType dtype = DType::kF32;
    bool constant = false;
    uint32_t bits = 0;
  };

  int bind(const Operand& o) { return bind(o.storage, o.type.dtype); }
  int bind(int32_t storage, DType dtype);
  void bindVectors(const Shader& shader);
  void addReads(const Shader& shader, std::string& functions);
  void addPut(const Shader& shader, std::string& functions);
  std::string element(const Operand& o, std::string_view index);
  std::string read(const Operand& o, std::string_view index);
  std::string write(const Operand& o, std::string_view index, const Register& value);
  std::string as(const Register& r, DType dtype) const;
  std::string chain(std::string& functions);
  std::string elementsOfChain();
  Register instruction(const Chain::Instruction& i, int number, std::string& lines,
                       std::string& functions, const std::vector<Register>& registers);

  const Plan& plan_;
  const Step& step_;
  std::vector<Bound> bound_;
  std::vector<int32_t> trips_;
};

bool isFloat(DType t) { return t == DType::kF32; }

/// A part of an array is bound as the whole, once.
int Writer::bind(int32_t storage, DType dtype) {
  while (storage >= 0 && plan_.storages[storage].base >= 0) storage = plan_.storages[storage].base;
  for (size_t i = 0; i < bound_.size(); ++i) {
    if (bound_[i].storage == storage) return static_cast<int>(i);
  }
  bound_.push_back({storage, dtype});
  return static_cast<int>(bound_.size()) - 1;
}

std::string bitcast(DType from, DType to, std::string text) {
  return isFloat(from) == isFloat(to) ? text : cat("bitcast<", wgslType(to), ">(", text, ")");
}

/// Where an element of an operand is in what is bound for it.
std::string Writer::element(const Operand& o, std::string_view index) {
  const Storage* s = &plan_.storages[o.storage];
  if (s->base < 0) return std::string(index);
  int64_t offset = s->offset;
  std::string text(index);
  for (; s->base >= 0; s = &plan_.storages[s->base]) {
    auto known = std::ranges::find(trips_, s->loop);
    int64_t number = known - trips_.begin();
    if (known == trips_.end()) trips_.push_back(s->loop);
    // Modulo 2^32 a step backwards is a step forwards.
    text += cat("+trip", number, ".x*", static_cast<uint32_t>(s->stride / 4), "u");
  }
  return cat(text, "+", (offset - s->offset) / 4, "u");
}

std::string Writer::read(const Operand& o, std::string_view index) {
  int b = bind(o);
  if (bound_[b].vectors) return cat("b", b, "[(", index, ")/4u][(", index, ")%4u]");
  return bitcast(bound_[b].dtype, o.type.dtype, cat("b", b, "[", element(o, index), "]"));
}

std::string Writer::write(const Operand& o, std::string_view index, const Register& value) {
  int b = bind(o);
  return cat("b", b, "[", element(o, index),
             "]=", bitcast(o.type.dtype, bound_[b].dtype, as(value, o.type.dtype)), ";\n");
}

std::string literal(uint32_t bits, DType dtype) {
  if (!isFloat(dtype)) {
    int32_t n = static_cast<int32_t>(bits);
    return n == INT32_MIN ? "(-2147483647i-1i)" : n < 0 ? cat("(", n, "i)") : cat(n, "i");
  }
  return cat(wgslFloat(std::bit_cast<float>(bits)));
}

std::string Writer::as(const Register& r, DType dtype) const {
  return r.constant ? literal(r.bits, dtype) : bitcast(r.dtype, dtype, r.name);
}

/// One instruction as a line `let ..`; its row's formula as a function, once.
Writer::Register Writer::instruction(const Chain::Instruction& i, int number, std::string& lines,
                                     std::string& functions,
                                     const std::vector<Register>& registers) {
  const OpInfo& info = opInfo(i.op);
  Register out{cat("t", number), i.result};
  std::string value;
  auto in = [&](int k, DType dtype) { return as(registers[i.in[k]], dtype); };
  if (info.row == RowKind::kCast) {
    std::string x = in(0, i.operand);
    if (isFloat(i.result)) {
      value = isFloat(i.operand) ? x : cat("f32(", x, ")");
    } else if (i.result == DType::kBool && i.operand != DType::kBool) {
      value = cat("select(0,1,", x, "!=", isFloat(i.operand) ? "0.0)" : "0)");
    } else {
      value = isFloat(i.operand) ? cat("i32(", x, ")") : x;
    }
  } else if (info.row == RowKind::kSelect) {
    value = cat("select(", in(2, i.result), ",", in(1, i.result), ",", in(0, DType::kBool), "!=0)");
  } else {
    const OpShaders& formula = opShaders(i.op);
    bool floats = isFloat(i.operand) && !formula.f32.empty();
    DType dtype = floats ? DType::kF32 : DType::kI32;
    std::string name = cat("op_", info.name, floats ? "" : "_i");
    std::string_view type = wgslType(dtype);
    int arity = opArity(i.op);
    std::string head = cat("fn ", name, "(a:", type), arguments = in(0, dtype);
    for (int k = 1; k < arity; ++k) {
      head += cat(",", k == 1 ? "b:" : "c:", type);
      arguments += cat(",", in(k, dtype));
    }
    if (functions.find(cat("fn ", name, "(")) == functions.npos) {
      functions += cat(head, ")->", wgslType(i.result), "{return ",
                       floats ? formula.f32 : formula.i32, ";}\n");
    }
    value = cat(name, "(", arguments, ")");
  }
  lines += cat("let ", out.name, "=", value, ";\n");
  return out;
}

/// What happens to element i: the body of put, where `v` is what the op has computed, or of element.
std::string Writer::chain(std::string& functions) {
  const Chain& chain = *step_.chain;
  std::string lines;
  std::vector<Register> registers(chain.registers);
  for (const Chain::Constant& c : chain.constants)
    registers[c.reg] = {"", DType::kF32, true, c.bits};
  int walks = 0;
  for (size_t k = 0; k < chain.loads.size(); ++k) {
    const Chain::Load& load = chain.loads[k];
    const Operand& o = step_.chainIn[load.operand];
    Register r{cat("l", k), o.type.dtype};
    bool computed =
        withOp && step_.op != OpId::kCount && load.dense && o.storage == step_.out.storage;
    if (computed) {
      r = {"v", step_.out.type.dtype};
    } else {
      std::string index = "i";
      if (!load.dense && load.dims.empty()) index = cat(load.offset);
      if (!load.dense && !load.dims.empty()) {
        std::string name = cat("walk", walks++);
        functions += wgslWalk(name, load.dims, load.strides, load.offset);
        index = name + "(i)";
      }
      lines += cat("let ", r.name, "=", read(o, index), ";\n");
    }
    registers[load.reg] = r;
  }
  for (size_t k = 0; k < chain.instructions.size(); ++k) {
    const Chain::Instruction& i = chain.instructions[k];
    registers[i.out] = instruction(i, static_cast<int>(k), lines, functions, registers);
  }
  for (const Chain::Store& s : chain.stores)
    lines += write(step_.chainOut[s.result], "i", registers[s.reg]);
  return lines;
}

/// in0(i), in1(i), .. or share_of(share, i).
void Writer::addReads(const Shader& shader, std::string& functions) {
  if (shader.role == Shader::kJoins) {
    DType t = step_.out.type.dtype;
    functions += cat("fn share_of(share:u32,i:u32)->", wgslType(t), "{return b", bind(kScratch, t),
                     "[share*", step_.out.type.shape.size(), "u+i];}\n");
    return;
  }
  for (size_t k = 0; k < step_.in.size(); ++k) {
    if (shader.reads >= 0 && shader.reads != static_cast<int>(k)) continue;
    functions += cat("fn in", k, "(i:u32)->", wgslType(step_.in[k].type.dtype), "{return ",
                     read(step_.in[k], "i"), ";}\n");
    if (!(shader.vectors >> k & 1)) continue;
    int b = bind(step_.in[k]);
    auto at = [&](int i) { return read(step_.in[k], cat("i+", i, "u")); };
    functions +=
        cat("fn in", k, "v(i:u32)->vec4f{return ",
            bound_[b].vectors ? cat("b", b, "[i/4u]")
                              : cat("vec4f(", at(0), ",", at(1), ",", at(2), ",", at(3), ")"),
            ";}\n");
  }
}

/// An input that the shader reads in fours is bound so, unless it is read or written otherwise too.
void Writer::bindVectors(const Shader& shader) {
  for (size_t k = 0; k < step_.in.size(); ++k) {
    if (!(shader.vectors >> k & 1) || shader.role == Shader::kJoins) continue;
    const Operand& in = step_.in[k];
    auto isIn = [&](const Operand& o) { return o.storage == in.storage; };
    bool alone = std::ranges::count_if(step_.in, isIn) == 1 && !isIn(step_.out) &&
                 std::ranges::none_of(step_.chainIn, isIn) &&
                 std::ranges::none_of(step_.chainOut, isIn);
    bool isWhole = plan_.storages[in.storage].base < 0;
    if (alone && isWhole && in.type.dtype == DType::kF32) bound_[bind(in)].vectors = true;
  }
}

void Writer::addPut(const Shader& shader, std::string& functions) {
  Register v{"v", step_.out.type.dtype};
  std::string put;
  if (shader.role == Shader::kShares) {
    put = cat("b", bind(kScratch, v.dtype), "[share*", step_.out.type.shape.size(), "u+i]=v;\n");
  } else {
    if (writesOutput) put += write(step_.out, "i", v);
    if (withChain && step_.chain) put += chain(functions);
  }
  functions += cat("fn put(i:u32,v:", wgslType(v.dtype), "){\n", put, "}\n");
}

/// How many elements a chain has. Where it needs no shape for its work it asks the length of a
/// result, so that the chains of all shapes are one shader: an optimizer's updates, say.
std::string Writer::elementsOfChain() {
  const Chain& chain = *step_.chain;
  int64_t elements = chain.space.size();
  bool anyShape = std::ranges::all_of(
      chain.loads, [](const Chain::Load& load) { return load.dense || load.dims.empty(); });
  const Operand& result = step_.chainOut[chain.stores[0].result];
  const Storage& storage = plan_.storages[result.storage];
  bool whole = storage.bytes == elements * 4 && storage.base < 0;
  return anyShape && whole ? cat("arrayLength(&b", bind(result), ")") : cat(elements, "u");
}

std::string Writer::text(const Shader& shader, const GpuLimits& limits,
                         std::array<int64_t, 3>& groups) {
  std::string functions, body;
  bool isOp = withOp && step_.op != OpId::kCount;
  if (isOp) {
    bindVectors(shader);
    addReads(shader, functions);
    addPut(shader, functions);
    body = shader.text;
  } else {
    body = cat("fn element(i:u32){\n", chain(functions), "}\n");
  }
  int threads = shader.threads;
  int64_t elements = isOp ? shader.elements : step_.chain->space.size();
  // What is asked for by its length is bound before all is declared.
  std::string count = isOp ? cat(elements, "u") : elementsOfChain();
  std::string head, entry;
  for (size_t b = 0; b < bound_.size(); ++b)
    head += cat("@group(0) @binding(", b, ") var<storage,read_write> b", b, ":array<",
                bound_[b].vectors ? "vec4f" : wgslType(bound_[b].dtype), ">;\n");
  for (size_t i = 0; i < trips_.size(); ++i)
    head += cat("@group(0) @binding(", bound_.size() + i, ") var<uniform> trip", i, ":vec4u;\n");
  if (elements > 0 || !isOp) {
    int64_t all = (elements + threads - 1) / threads, x = std::min(all, limits.groupsPerDimension);
    groups = {x, x == 0 ? 0 : (all + x - 1) / x, 1};
    entry = cat("@compute @workgroup_size(", threads,
                ") fn main(@builtin(global_invocation_id) id:vec3u){let i=",
                groups[1] > 1 ? cat("id.y*", x * threads, "u+") : "", "id.x;if(i<", count,
                "){element(i);}}\n");
  } else {
    groups = shader.groups;
    entry = cat("@compute @workgroup_size(", threads,
                ") fn main(@builtin(workgroup_id) group:vec3u,@builtin(local_invocation_index) "
                "local:u32){forGroup(group,local);}\n");
  }
  std::string all = head + functions + body + entry;
  return neededPrelude(all) + all;
}

std::vector<GpuProgram::Binding> Writer::bindings() const {
  std::vector<GpuProgram::Binding> list;
  for (const Bound& b : bound_) {
    if (b.storage == kScratch) {
      list.push_back(place(step_.scratch, step_.scratchBytes));
      continue;
    }
    const Storage& s = plan_.storages[b.storage];
    list.push_back(s.kind == Storage::kArena
                       ? place(s.offset, s.bytes)
                       : GpuProgram::Binding{s.kind, s.index, s.offset, s.bytes});
  }
  return list;
}

/// Where bytes of the arena are: in which of its buffers.
GpuProgram::Binding Writer::place(int64_t offset, int64_t bytes) const {
  int64_t page = plan_.pageBytes;
  if (page == 0) return {Storage::kArena, 0, offset, bytes};
  return {Storage::kArena, static_cast<int32_t>(offset / page), offset % page, bytes};
}

// ---- the program

class Programmer {
 public:
  Programmer(const Plan& plan, const GpuLimits& limits);
  Result<GpuProgram> build();

 private:
  Status addStep(size_t index);
  Status add(Writer& writer, const Shader& shader, const Step& step);

  const Plan& plan_;
  const GpuLimits& limits_;
  std::vector<size_t> readUntil_;  // storage -> the step after the last that reads it
  std::unordered_map<std::string, int32_t> shaders_;  // text -> its number
  GpuProgram program_;
};

Programmer::Programmer(const Plan& plan, const GpuLimits& limits)
    : plan_(plan), limits_(limits), readUntil_(plan.storages.size()) {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (const Operand& o : plan.steps[i].in) readUntil_[o.storage] = i + 1;
    for (const Operand& o : plan.steps[i].chainIn) readUntil_[o.storage] = i + 1;
  }
}

Status Programmer::add(Writer& writer, const Shader& shader, const Step& step) {
  GpuProgram::Dispatch d;
  std::string text = writer.text(shader, limits_, d.groups);
  d.bindings = writer.bindings();
  d.trips = writer.trips();
  if (d.groups[0] * d.groups[1] * d.groups[2] == 0) return {};
  std::string_view name =
      step.op == OpId::kCount ? "a chain of elementwise ops" : opInfo(step.op).name;
  if (static_cast<int>(d.bindings.size()) > limits_.bindings) {
    return fail(name, " needs ", d.bindings.size(), " buffers at once, this GPU allows ",
                limits_.bindings);
  }
  int64_t most = std::min(limits_.bindingBytes, limits_.bufferBytes);
  for (const GpuProgram::Binding& b : d.bindings) {
    if (b.bytes > most)
      return fail(name, " needs an array of ", b.bytes, " bytes, this GPU allows ", most);
  }
  for (int64_t n : d.groups) {
    if (n > limits_.groupsPerDimension)
      return fail(name, " is too large for this GPU: ", n, " workgroups");
  }
  auto [known, isNew] = shaders_.try_emplace(text, static_cast<int32_t>(shaders_.size()));
  d.shader = known->second;
  if (isNew) program_.shaders.push_back(std::move(text));
  program_.dispatches.push_back(std::move(d));
  return {};
}

Status Programmer::addStep(size_t index) {
  const Step& step = plan_.steps[index];
  if (step.op == OpId::kCount) {
    Writer writer(plan_, step);
    return add(writer, {}, step);
  }
  const OpShaders& own = opShaders(step.op);
  if (!own.write) return fail(opInfo(step.op).name, " has no GPU form: ", own.reason);
  std::vector<Type> in;
  for (const Operand& o : step.in) in.push_back(o.type);
  ShaderWriter writer(in, step.out.type, plan_.aloneTerms);
  own.write(writer, step.attrs);
  const std::vector<Shader>& shaders = writer.shaders;
  // A chain that would bind too many buffers beside the op's is a dispatch of its own; so is that of
  // an op whose shaders have a part of the output each.
  bool splits = false;
  bool overwritten = std::ranges::any_of(
      step.chainOut, [&](const Operand& o) { return o.storage == step.out.storage; });
  const Storage& out = plan_.storages[step.out.storage];
  bool isReadLater =
      out.kind != Storage::kArena || out.base >= 0 || readUntil_[step.out.storage] > index + 1;
  bool writesOutput = !step.chain || (!overwritten && isReadLater);
  if (step.chain) {
    Writer trial(plan_, step);
    trial.writesOutput = writesOutput;
    std::array<int64_t, 3> groups;
    trial.text(shaders.back(), limits_, groups);
    splits = std::ranges::count(shaders, Shader::kShares, &Shader::role) + 1 <
                 static_cast<int64_t>(shaders.size()) ||
             static_cast<int>(trial.bindingCount()) > limits_.bindings;
  }
  for (const Shader& shader : shaders) {
    Writer op(plan_, step);
    op.withChain = !splits;
    op.writesOutput = splits || writesOutput;
    FJORD_CHECK(add(op, shader, step));
  }
  if (!splits) return {};
  Writer rest(plan_, step);
  rest.withOp = false;
  return add(rest, {}, step);
}

Result<GpuProgram> Programmer::build() {
  program_.inputs = plan_.inputs;
  program_.outputs = plan_.outputs;
  program_.constants = plan_.constants;
  int64_t page = std::max<int64_t>(1, plan_.pageBytes ? plan_.pageBytes : plan_.arenaBytes);
  for (int64_t begin = 0; begin < plan_.arenaBytes; begin += page)
    program_.arenas.push_back(std::min(page, plan_.arenaBytes - begin));
  std::vector<int32_t> firsts;  // of each step, its first dispatch
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    firsts.push_back(static_cast<int32_t>(program_.dispatches.size()));
    if (static_cast<int32_t>(i) == plan_.settledBegin)
      program_.settledBegin = static_cast<int32_t>(program_.dispatches.size());
    if (static_cast<int32_t>(i) == plan_.settledEnd)
      program_.settledEnd = static_cast<int32_t>(program_.dispatches.size());
    FJORD_CHECK(addStep(i));
  }
  int32_t count = static_cast<int32_t>(program_.dispatches.size());
  firsts.push_back(count);
  for (const StepLoop& loop : plan_.loops)
    program_.loops.push_back({firsts[loop.begin], firsts[loop.end], loop.trips});
  if (plan_.settledBegin >= static_cast<int32_t>(plan_.steps.size())) program_.settledBegin = count;
  if (plan_.settledEnd >= static_cast<int32_t>(plan_.steps.size())) program_.settledEnd = count;
  return std::move(program_);
}

}  // namespace

Result<GpuProgram> gpuProgram(const Plan& plan, const GpuLimits& limits) {
  return Programmer(plan, limits).build();
}

}  // namespace fjord
