// SPDX-License-Identifier: Apache-2.0
#include "io/tensor_reader.h"

#include <bit>
#include <functional>
#include <limits>

#include "fixtures.h"

namespace onnxpress {
namespace {

using test::Fails;
using test::proto;
using test::read;
using ::testing::HasSubstr;

// Reads a model whose initializer "w" (float[2]) has been bent.
Model with_weight(const std::function<void(onnx::TensorProto&)>& bend) {
  onnx::ModelProto model =
      proto("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Identity(x) }");
  bend(*model.mutable_graph()->mutable_initializer(0));
  return read(model);
}

Tensor weight(const std::function<void(onnx::TensorProto&)>& bend) {
  const Model model = with_weight(bend);
  return *model.graph.value(*model.graph.find_value("w")).constant;
}

void set(onnx::TensorProto& t, int type, std::initializer_list<std::int64_t> dims) {
  t.Clear();
  t.set_name("w");
  t.set_data_type(type);
  for (const std::int64_t size : dims) t.add_dims(size);
}

TEST(TensorReader, BytesMustBeExactlyWhatTheShapeNeeds) {  // B1, B2
  for (const std::size_t size : {0U, 4U, 7U, 9U, 16U}) {
    EXPECT_THAT(
        [&] {
          with_weight([&](auto& t) {
            set(t, 1, {2});
            t.set_raw_data(std::string(size, 'a'));
          });
        },
        Fails("E0312", HasSubstr("needs 8 bytes but has " + std::to_string(size))));
  }
}

TEST(TensorReader, ImpossibleShapesAreRefused) {  // B3, B4
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::vector<std::int64_t>> shapes = {
      {-1}, {-2, -2}, {1LL << 33, 1LL << 33}, {1LL << 32, 1LL << 32}, {1LL << 62}, {kMax, 4}};
  for (const auto& shape : shapes) {
    EXPECT_THAT(
        [&] {
          with_weight([&](auto& t) {
            set(t, 1, {});
            for (const std::int64_t size : shape) t.add_dims(size);
            t.set_raw_data("abcd");
          });
        },
        Fails("E0313", HasSubstr("impossible shape")));
  }
}

TEST(TensorReader, RankIsLimited) {  // B5
  const auto ones = [](int rank) {
    return [rank](auto& t) {
      set(t, 1, {});
      for (int i = 0; i < rank; ++i) t.add_dims(1);
      t.set_raw_data("abcd");
    };
  };
  EXPECT_EQ(weight(ones(64)).rank(), 64);
  EXPECT_THAT([&] { weight(ones(65)); }, Fails("E0313", HasSubstr("64 dimensions")));
  EXPECT_THAT([&] { weight(ones(10'000)); }, Fails("E0313"));
}

TEST(TensorReader, EmptyTensorsHaveNoBytes) {  // B6
  EXPECT_EQ(weight([](auto& t) { set(t, 1, {0, 3}); }).size(), 0);
  EXPECT_EQ(weight([](auto& t) { set(t, 1, {3, 0}); }).dims(), (Dims{3, 0}));
  EXPECT_THAT(
      [] {
        weight([](auto& t) {
          set(t, 1, {0, 3});
          t.set_raw_data("abcd");
        });
      },
      Fails("E0312"));
}

TEST(TensorReader, AScalarHasOneElement) {  // B7
  EXPECT_EQ(weight([](auto& t) {
              set(t, 7, {});
              t.add_int64_data(-5);
            }),
            Tensor::scalar<std::int64_t>(-5));
}

TEST(TensorReader, ElementsHaveOneSource) {  // B8
  EXPECT_THAT(
      [] {
        with_weight([](auto& t) {
          set(t, 1, {1});
          t.add_float_data(1);
          t.set_raw_data("abcd");
        });
      },
      Fails("E0313", HasSubstr("both in raw_data and in a typed field")));
  EXPECT_THAT(
      [] {
        with_weight([](auto& t) {
          set(t, 1, {1});
          t.add_float_data(1);
          t.add_int32_data(1);
        });
      },
      Fails("E0313", HasSubstr("two different fields")));
  EXPECT_THAT(
      [] {
        with_weight([](auto& t) {
          set(t, 1, {1});
          t.add_int32_data(1);
        });
      },
      Fails("E0313", HasSubstr("field 5 instead of 4")));
  for (const int count : {1, 3}) {
    EXPECT_THAT(
        [&] {
          with_weight([&](auto& t) {
            set(t, 1, {2});
            for (int i = 0; i < count; ++i) t.add_float_data(1);
          });
        },
        Fails("E0312", HasSubstr("needs 2 numbers but has " + std::to_string(count))));
  }
}

TEST(TensorReader, TypedFieldsBecomeRawBytes) {
  EXPECT_EQ(weight([](auto& t) {
              set(t, 3, {3});
              for (const int v : {-128, 0, 127}) t.add_int32_data(v);
            }),
            Tensor::of<std::int8_t>({3}, {-128, 0, 127}));
  EXPECT_EQ(weight([](auto& t) {
              set(t, 10, {2});
              for (const int v : {0x3c00, 0xbc00}) t.add_int32_data(v);
            }),
            Tensor::of<Half>({2}, {{0x3c00}, {0xbc00}}));
  EXPECT_EQ(weight([](auto& t) {
              set(t, 12, {2});
              t.add_uint64_data(4'000'000'000U);
              t.add_uint64_data(1);
            }),
            Tensor::of<std::uint32_t>({2}, {4'000'000'000U, 1}));
  EXPECT_EQ(weight([](auto& t) {
              set(t, 11, {1});
              t.add_double_data(0.1);
            }),
            Tensor::of<double>({1}, {0.1}));
  EXPECT_EQ(weight([](auto& t) {  // complex: two numbers for each
              set(t, 14, {1});
              t.add_float_data(1);
              t.add_float_data(2);
            })
                .bytes()
                .size(),
            8U);
}

TEST(TensorReader, UnknownElementTypesAreRefused) {  // B9
  for (const int type : {0, 27, 77, -1}) {
    EXPECT_THAT([&] { with_weight([&](auto& t) { t.set_data_type(type); }); },
                Fails("E0313", HasSubstr("unknown element type " + std::to_string(type))));
  }
}

TEST(TensorReader, StringsAreNeverRaw) {  // B10
  EXPECT_EQ(weight([](auto& t) {
              set(t, 8, {2});
              t.add_string_data("a");
              t.add_string_data("");
            }).as_strings(),
            (std::vector<std::string>{"a", ""}));
  EXPECT_THAT(
      [] {
        with_weight([](auto& t) {
          set(t, 8, {1});
          t.set_raw_data("a");
        });
      },
      Fails("E0313", HasSubstr("strings can't be raw")));
}

TEST(TensorReader, PackedTypesHaveTheirOwnSizes) {  // B11
  struct Case {
    int type, count;
    std::size_t bytes;
  };
  for (const Case& c : {Case{22, 3, 2},
                        {21, 4, 2},
                        {23, 5, 3},
                        {25, 5, 2},
                        {26, 4, 1},
                        {17, 3, 3},
                        {20, 2, 2},
                        {24, 2, 2},
                        {16, 3, 6}}) {
    const auto bend = [&](std::size_t size) {
      return weight([&](auto& w) {
        set(w, c.type, {c.count});
        w.set_raw_data(std::string(size, 'a'));
      });
    };
    EXPECT_EQ(bend(c.bytes).size(), c.count) << c.type;
    EXPECT_THAT([&] { bend(c.bytes + 1); }, Fails("E0312")) << c.type;
    EXPECT_THAT([&] { bend(c.bytes - 1); }, Fails("E0312")) << c.type;
  }
}

TEST(TensorReader, SegmentsAreNotSupported) {  // B13
  EXPECT_THAT([] { with_weight([](auto& t) { t.mutable_segment()->set_begin(1); }); },
              Fails("E0403", HasSubstr("segments")));
}

TEST(TensorReader, NamesAreRequiredAndUnique) {  // B15
  EXPECT_THAT([] { with_weight([](auto& t) { t.clear_name(); }); },
              Fails("E0315", HasSubstr("no name")));
  onnx::ModelProto model = proto();
  *model.mutable_graph()->add_initializer() = model.graph().initializer(0);
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("\"w\"")));
}

TEST(TensorReader, BoolBytesStayAsTheyAre) {  // B16
  const Tensor t = weight([](auto& w) {
    set(w, 9, {2});
    w.set_raw_data(std::string("\x02\x01", 2));
  });
  EXPECT_EQ(std::to_integer<int>(t.bytes()[0]), 2);
}

TEST(TensorReader, ElementsAreAlignedWhereverTheyLie) {  // D16, for bytes in the model
  onnx::ModelProto model = proto();
  for (int padding = 0; padding < 8; ++padding) {
    model.set_producer_name(std::string(static_cast<std::size_t>(padding), 'p'));
    const Model m = read(model);
    const auto values = m.graph.constant(*m.graph.find_value("w"))->as<float>();
    EXPECT_EQ(std::bit_cast<std::uintptr_t>(values.data()) % alignof(float), 0U);
    EXPECT_EQ(values[1], 2.0F);
  }
}

TEST(SparseTensor, BecomesDense) {  // B14
  onnx::ModelProto model = proto();
  model.mutable_graph()->clear_initializer();
  onnx::SparseTensorProto& sparse = *model.mutable_graph()->add_sparse_initializer();
  set(*sparse.mutable_values(), 1, {2});
  sparse.mutable_values()->add_float_data(5);
  sparse.mutable_values()->add_float_data(7);
  onnx::TensorProto& indices = *sparse.mutable_indices();
  set(indices, 7, {2, 2});
  for (const int i : {0, 1, 2, 0}) indices.add_int64_data(i);
  sparse.add_dims(3);
  sparse.add_dims(2);
  const Model m = read(model);
  EXPECT_EQ(*m.graph.constant(*m.graph.find_value("w")),
            Tensor::of<float>({3, 2}, {0, 5, 0, 0, 7, 0}));

  set(indices, 7, {2});
  for (const int i : {4, 1}) indices.add_int64_data(i);
  EXPECT_THAT([&] { read(model); }, Fails("E0313", HasSubstr("not behind")));
  indices.set_int64_data(1, 6);
  EXPECT_THAT([&] { read(model); }, Fails("E0313", HasSubstr("out of range")));
  set(indices, 7, {1});
  indices.add_int64_data(1);
  EXPECT_THAT([&] { read(model); }, Fails("E0313", HasSubstr("2 values have indices")));
  sparse.set_dims(0, 1LL << 40);
  EXPECT_THAT([&] { read(model); }, Fails("E0602"));
}

}  // namespace
}  // namespace onnxpress
