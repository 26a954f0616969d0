// SPDX-License-Identifier: Apache-2.0
#include "exec/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "onnxpress/error.h"
#include "run.h"

namespace onnxpress::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const SessionOptions kPlain{.threads = 1, .reference_kernels = true, .fuse = false};

std::vector<float> values(const Tensor& t) {
  const auto all = t.as<float>();
  return {all.begin(), all.end()};
}

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(error.code()) + " " + error.what();
  }
  return "no error";
}

// A chain that reuses memory in place, keeps one value for later and reads the input's sizes.
constexpr const char* kChain = R"(g (float[n,4] x) => (float[n,4] y)
  <float[4] b = {1, 2, 3, 4}, int64 zero = {0}> {
  a = Add(x, b)
  r = Relu(a)
  s = Shape(x)
  n = Gather<axis = 0>(s, zero)
  nf = Cast<to = 1>(n)
  m = Mul(r, r)
  t = Mul(m, nf)
  y = Add(t, a)
})";

Tensor rows(std::int64_t n) {
  std::vector<float> all(static_cast<std::size_t>(n) * 4);
  std::iota(all.begin(), all.end(), -5.0F);
  return floats({n, 4}, all);
}

std::vector<float> chain_result(const Tensor& x) {
  std::vector<float> y;
  const auto all = x.as<float>();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const float a = all[i] + static_cast<float>(i % 4 + 1), r = std::max(a, 0.0F);
    y.push_back(r * r * static_cast<float>(x.dims()[0]) + a);
  }
  return y;
}

TEST(Session, RunsTheSameSizesAgainAndOthersInBetween) {
  const Session session(parse(kChain), kPlain);
  for (const std::int64_t n : {2, 3, 2, 1, 3, 0, 2}) {
    const Tensor x = rows(n);
    EXPECT_EQ(values(session.run({{"x", x}}).at("y")), chain_result(x)) << n;
  }
}

TEST(Session, ForgetsTheOldestOfManySizes) {
  const Session session(parse(kChain), kPlain);
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t n = 1; n <= 40; ++n) {
      const Tensor x = rows(n);
      ASSERT_EQ(values(session.run({{"x", x}}).at("y")), chain_result(x)) << n;
    }
  }
}

TEST(Session, ReusesTheMemoryOfDeadValues) {
  std::string nodes = "v0 = Neg(x)";
  for (int i = 1; i < 50; ++i) {
    nodes +=
        " v" + std::to_string(i) + " = Transpose<perm = [0, 1]>(v" + std::to_string(i - 1) + ")";
  }
  const Session session(
      parse("g (float[256,256] x) => (float[256,256] y) { " + nodes + " y = Neg(v49) }"), kPlain);
  const Tensor x = floats({256, 256}, std::vector<float>(65536, 1.5F));
  EXPECT_EQ(session.run({{"x", x}}).at("y"), x);
  EXPECT_EQ(session.run({{"x", x}}).at("y"), x);
  EXPECT_EQ(session.arena_bytes(), 2U * 65536 * 4);
}

TEST(Session, KeepsWhatAnAliasStillReads) {
  // a is dead after Neg, but its bytes live on in the reshaped r.
  const Session session(parse(R"(g (float[2,3] x) => (float[6] y, float[2,3] z)
    <int64[1] flat = {-1}> {
      a = Neg(x)
      r = Reshape(a, flat)
      z = Abs(a)
      d = Add(r, r)
      e = Neg(d)
      y = Add(e, r)
    })"),
                        kPlain);
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  for (int i = 0; i < 3; ++i) {
    const TensorMap out = session.run({{"x", x}});
    EXPECT_THAT(values(out.at("y")), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(values(out.at("z")), ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

TEST(Session, OutputsOutliveLaterRunsAndTheSession) {
  TensorMap first, second;
  {
    const Session session(parse(R"(g (float[2] x) => (float[1,2] y, float[2] x_out, float[2] c_out)
      <int64[2] s = {1, 2}, float[2] c = {8, 9}> {
        n = Neg(x)
        y = Reshape(n, s)
        x_out = Identity(x)
        c_out = Identity(c)
      })"),
                          kPlain);
    first = session.run({{"x", floats({2}, {1, 2})}});
    second = session.run({{"x", floats({2}, {3, 4})}});
  }
  EXPECT_THAT(values(first.at("y")), ElementsAre(-1, -2));
  EXPECT_THAT(values(first.at("x_out")), ElementsAre(1, 2));
  EXPECT_THAT(values(second.at("y")), ElementsAre(-3, -4));
  EXPECT_THAT(values(second.at("c_out")), ElementsAre(8, 9));
}

TEST(Session, ComputesWhatSizesDetermineOncePerSizes) {
  const Session session(parse(kChain), kPlain);
  const std::string steps = session.describe();
  EXPECT_THAT(steps, HasSubstr("Gather    (once per set of sizes)"));
  EXPECT_THAT(steps, HasSubstr("Cast    (once per set of sizes)"));
  EXPECT_EQ(steps.find("Relu    (once"), std::string::npos);
}

TEST(Session, DoesNotTakeElementsForSizes) {
  // How many elements are not zero depends on the data, so nothing behind it may be kept.
  const Session session(parse(R"(g (float[4] x) => (int64[1,k] y, int64[2] s) {
      n = NonZero(x)
      y = Identity(n)
      s = Shape(n)
    })"),
                        kPlain);
  for (const std::vector<float>& x : {std::vector<float>{1, 0, 0, 2}, {0, 0, 3, 0}, {1, 1, 1, 1}}) {
    const TensorMap out = session.run({{"x", floats({4}, x)}});
    const std::int64_t count = 4 - std::ranges::count(x, 0.0F);
    EXPECT_EQ(out.at("s"), ints({2}, {1, count}));
    EXPECT_EQ(out.at("y").dims(), (Dims{1, count}));
  }
}

TEST(Session, FoldsConstants) {
  const Session session(parse(R"(g (float[2,2] x) => (float[2,2] y)
    <float[2,2] w = {1, 2, 3, 4}, float two = {2}> {
      t = Transpose(w)
      d = Mul(t, two)
      y = MatMul(x, d)
    })"),
                        kPlain);
  EXPECT_EQ(session.describe(), "MatMul  \n");
  EXPECT_THAT(values(session.run({{"x", floats({2, 2}, {1, 0, 0, 1})}}).at("y")),
              ElementsAre(2, 6, 4, 8));
}

TEST(Session, TapSeesInputsConstantsAndWhatNodesCompute) {
  const Model model = parse(R"(g (float[2] x) => (float[2] y) <float[2] c = {1, 2}> {
      a = Add(x, c)
      b = Relu(a)
      d = Neg(c)
      y = Mul(b, d)
    })");
  const Session session(model, {.threads = 1});
  std::vector<std::pair<std::string, std::vector<float>>> seen;
  const Tap tap{{"b", "x", "c", "a", "d", "y"}, [&](std::string_view name, const Tensor& t) {
                  seen.emplace_back(name, values(t));
                }};
  for (int i = 0; i < 3; ++i) {
    seen.clear();
    const auto out = session.run({{"x", floats({2}, {-3, 5})}}, tap);
    EXPECT_THAT(values(out.at("y")), ElementsAre(0, -14));
    std::ranges::sort(seen);
    EXPECT_EQ(seen, (decltype(seen){{"a", {-2, 7}},
                                    {"b", {0, 7}},
                                    {"c", {1, 2}},
                                    {"d", {-1, -2}},
                                    {"x", {-3, 5}},
                                    {"y", {0, -14}}}));
  }
  EXPECT_THAT(values(session.run({{"x", floats({2}, {-3, 5})}}).at("y")), ElementsAre(0, -14));
  EXPECT_THAT(error_of([&] {
                session.run({{"x", floats({2}, {0, 0})}}, {{"nothing"}, tap.see});
              }),
              HasSubstr("E0002 the model has no value \"nothing\""));
}

TEST(Session, TappedTensorsMayBeKept) {
  const Session session(
      parse("g (float[2] x) => (float[2] y) { a = Neg(x) b = Neg(a) y = Neg(b) }"), kPlain);
  std::vector<Tensor> kept;
  const Tap tap{{"a"}, [&](std::string_view, const Tensor& t) { kept.push_back(t); }};
  session.run({{"x", floats({2}, {1, 2})}}, tap);
  session.run({{"x", floats({2}, {3, 4})}}, tap);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_THAT(values(kept[0]), ElementsAre(-1, -2));
  EXPECT_THAT(values(kept[1]), ElementsAre(-3, -4));
}

TEST(Session, ListsAllUnsupportedOperatorsWithTheirNodes) {
  Model model = parse(R"(<ir_version: 8, opset_import: ["" : 18, "my" : 3]>
    g (float[2] x) => (float[2] y) {
      a = Relu(x)
      y = Relu(a)
    })");
  Graph& g = model.graph;
  const auto add = [&](const char* type, const char* domain, const char* name) {
    const ValueId out = g.add(type, {g.inputs()[0]}, {}, name, domain);
    g.mutable_node(*g.producer_id(out)).name = name;
    g.add_output(out);
  };
  add("Det", "", "first");
  add("Frob", "my", "second");
  add("Det", "", "third");
  const std::string text = error_of([&] { const Session session(model, kPlain); });
  EXPECT_EQ(
      text,
      "E0401 2 operators can't be run: Det (ai.onnx 18: no such operator) in nodes \"first\", "
      "\"third\"; Frob (my 3: no such operator) in node \"second\"");
}

TEST(Session, NamesTheTypeOrOpsetThatIsNotSupported) {
  EXPECT_THAT(error_of([&] {
                const Session session(parse("g (string[2] x) => (string[2] y) { y = Neg(x) }"),
                                      kPlain);
              }),
              HasSubstr("Neg (ai.onnx 18: elements of type string)"));
  Model future = parse("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  future.opsets = {{"", 99}};
  EXPECT_THAT(error_of([&] { const Session session(future, kPlain); }),
              HasSubstr("its meaning is known up to opset"));
  future.opsets = {{"", 25}};
  EXPECT_EQ(error_of([&] { const Session session(future, kPlain); }), "no error");
}

class BadInput : public ::testing::Test {
 protected:
  std::string error(const TensorMap& inputs) {
    return error_of([&] { session_.run(inputs); });
  }
  const Session session_{model(), kPlain};
  static Model model() {
    return parse(R"(g (int64[n,4] ids, float[m,1] w) => (float[n,4] y) {
      f = Cast<to = 1>(ids)
      y = Mul(f, w)
    })");
  }
  const Tensor ids_ = ints({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor w_ = floats({2, 1}, {1, 10});
};

TEST_F(BadInput, NamesWhatIsMissingOrUnknown) {
  EXPECT_EQ(error({{"ids", ids_}}), "E0506 the model's input \"w\" (float [m, 1]) is not given");
  EXPECT_EQ(error({{"ids", ids_}, {"w", w_}, {"mask", w_}}),
            "E0506 the model has no input \"mask\"; it has \"ids\", \"w\"");
}

TEST_F(BadInput, NamesTypeRankAndSize) {
  EXPECT_EQ(error({{"ids", w_}, {"w", w_}}),
            "E0317 input \"ids\" must be of type int64 but is of type float");
  EXPECT_EQ(error({{"ids", ints({2}, {1, 2})}, {"w", w_}}),
            "E0317 input \"ids\" must be of shape [n, 4] but is [2]");
  EXPECT_EQ(error({{"ids", ints({1, 2}, {1, 2})}, {"w", w_}}),
            "E0317 input \"ids\" must be of shape [n, 4] but is [1, 2]");
}

TEST_F(BadInput, SizesThatDoNotFitTogetherNameTheNode) {
  EXPECT_THAT(error({{"ids", ids_}, {"w", floats({3, 1}, {1, 2, 3})}}),
              HasSubstr("E0317 shapes [2, 4] and [3, 1] do not broadcast (node Mul that computes "
                        "\"y\")"));
  // And the session still works.
  EXPECT_THAT(values(session_.run({{"ids", ids_}, {"w", w_}}).at("y")),
              ElementsAre(1, 2, 3, 4, 50, 60, 70, 80));
}

TEST(Session, AnInputWithADefaultMayBeLeftOut) {
  Model model = parse("g (float[2] x) => (float[2] y) <float[2] c = {1, 2}> { y = Add(x, c) }");
  Graph g;
  const ValueId x = g.add_input("x", DType::float32, to_shape({2}));
  const ValueId c = g.add_input("c", DType::float32, to_shape({2}));
  g.mutable_value(c).constant = floats({2}, {1, 2});
  g.add_output(g.add("Add", {x, c}, {}, "y"));
  model.graph = std::move(g);
  const Session session(model, kPlain);
  EXPECT_TRUE(session.inputs()[1].optional);
  EXPECT_THAT(values(session.run({{"x", floats({2}, {1, 1})}}).begin()->second), ElementsAre(2, 3));
  EXPECT_THAT(
      values(session.run({{"x", floats({2}, {1, 1})}, {"c", floats({2}, {5, 5})}}).begin()->second),
      ElementsAre(6, 6));
}

TEST(Session, AHugeTensorIsAnErrorNotACrash) {
  const Session session(parse("g (int64[2] s) => (float[a,b] y) { y = ConstantOfShape(s) }"),
                        kPlain);
  EXPECT_THAT(
      error_of([&] {
        session.run({{"s", ints({2}, {1LL << 40, 1LL << 40})}});
      }),
      HasSubstr("E0601 a tensor of type float and shape [1099511627776, 1099511627776] does "
                "not fit"));
  EXPECT_THAT(error_of([&] { session.run({{"s", ints({2}, {-1, 2})}}); }), HasSubstr("E0317"));
}

TEST(Session, ComputesSixteenBitModelsInFloat) {
  // 2048 + 1 is no half; in float the 1 survives until it is taken away again.
  const Model model = parse(R"(g (float16[1] x) => (float16[1] y, float16[1] z)
    <float[1] big_float = {2048}, float[1] one_float = {1}> {
      big = Cast<to = 10>(big_float)
      one = Cast<to = 10>(one_float)
      a = Add(x, big)
      z = Sub(a, big)
      y = Mul(z, one)
    })");
  const auto half = [](std::uint16_t bits) { return Tensor::of<Half>({1}, {Half{bits}}); };
  const TensorMap inputs{{"x", half(0x3C00)}};
  const Session fast(model, {.threads = 1}), plain(model, kPlain);
  EXPECT_EQ(plain.run(inputs).at("y"), half(0));
  EXPECT_EQ(fast.run(inputs).at("y"), half(0x3C00));
  EXPECT_EQ(fast.run(inputs).at("z"), half(0x3C00));
  Tensor seen;
  fast.run(inputs, {{"a"}, [&](std::string_view, const Tensor& t) { seen = t; }});
  EXPECT_EQ(seen, half(0x6800));
}

TEST(Session, DescribesItsPorts) {
  const Session session(parse(kChain), {.threads = 3});
  ASSERT_EQ(session.inputs().size(), 1U);
  EXPECT_EQ(session.inputs()[0].name, "x");
  EXPECT_EQ(session.inputs()[0].dtype, DType::float32);
  EXPECT_EQ(to_string(*session.inputs()[0].shape), "[n, 4]");
  EXPECT_EQ(session.outputs()[0].name, "y");
  EXPECT_EQ(session.threads(), 3);
}

}  // namespace
}  // namespace onnxpress::test
