// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "onnxpress/document.h"
#include "report/format.h"

namespace onnxpress {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

Document example() {
  Document document;
  document.verb = "compress";
  document.models = {{"minilm.onnx", 91'000'000}, {"small.onnx", 19'700'000}};
  document.models[0].metrics = {{"accuracy", 0.8956, Interval{0.87, 0.91}, 872, "share"}};
  document.models[1].metrics = {{"accuracy", 0.8945, Interval{0.87, 0.91}, 872, "share"}};
  document.models[0].latency = Latency{20.1, 22, 19, 30, 1, 128, 2, "AVX2", "onnxpress"};
  document.models[1].latency = Latency{9.8, 11, 9, 30, 1, 128, 2, "AVX2", "onnxpress"};
  document.changes = {{"accuracy_drop", 0.0011, Interval{-0.004, 0.006}, 872, "share"}};
  document.agreement = {
      {"logits",
       872,
       {{"agreement", 0.994, {}, 872, "share"}, {"kl_mean", 0.0029, {}, 872, "nats"}}}};
  document.output = FileInfo{"small.onnx", std::string(64, 'a'), 19'700'000};
  document.published = true;
  return document;
}

TEST(RenderHuman, PrintsTheTableOfTheHandbook) {
  EXPECT_EQ(render(example(), Format::human),
            "               before     after\n"
            "  size        91.0 MB   19.7 MB   4.62x smaller\n"
            "  accuracy    89.56 %   89.45 %   -0.11 points (95 % interval -0.6 … +0.4)\n"
            "  agreement             99.40 %   mean KL 0.0029\n"
            "  latency     20.1 ms   9.80 ms   2.05x faster   (batch 1 x 128, 2 threads, AVX2, "
            "onnxpress)\n"
            "  wrote small.onnx\n");
}

TEST(RenderHuman, LeavesOutWhatWasNotMeasured) {
  Document document = example();
  for (ModelFigures& model : document.models) {
    model.metrics.clear();
    model.latency.reset();
  }
  document.agreement.clear();
  const std::string text = render(document, Format::human);
  EXPECT_THAT(text, HasSubstr("size"));
  EXPECT_THAT(text, Not(HasSubstr("accuracy")));
  EXPECT_THAT(text, Not(HasSubstr("latency")));
  EXPECT_THAT(text, Not(HasSubstr("agreement")));
}

TEST(RenderHuman, SaysWhyNothingWasPublished) {
  Document document = example();
  document.published = false;
  document.output.reset();
  document.gates = {{"size > 1MB", "size", 19.7e6, 1e6, true}};
  const std::string text = render(document, Format::human);
  EXPECT_THAT(text, HasSubstr("gate FAILED: size > 1MB"));
  EXPECT_THAT(text, HasSubstr("not published"));
  EXPECT_THAT(render(document, Format::human, {.color = true, .verbose = false}),
              HasSubstr("\x1b[31m"));
}

TEST(RenderHuman, EscapesNames) {
  Document document = example();
  document.output->path = "a\x1b]0;evil\x07.onnx";
  EXPECT_THAT(render(document, Format::human), Not(HasSubstr("\x1b]")));
}

TEST(RenderJson, KeepsEveryFigure) {
  const json document = json::parse(render(example(), Format::json));
  EXPECT_EQ(document["schema"], "onnxpress.run/1.0");
  EXPECT_EQ(document["models"][1]["bytes"], 19'700'000);
  EXPECT_EQ(document["models"][0]["metrics"][0]["interval"], (json{0.87, 0.91}));
  EXPECT_EQ(document["models"][1]["latency"]["threads"], 2);
  EXPECT_EQ(document["agreement"][0]["metrics"][1]["value"], 0.0029);
  EXPECT_EQ(document["output"]["path"], "small.onnx");
}

TEST(RenderJson, SaysWhyANumberIsMissing) {
  Document document = example();
  document.agreement[0].metrics = {{"max_abs", std::numeric_limits<double>::quiet_NaN(), {}, 1, ""},
                                   {"sqnr", std::numeric_limits<double>::infinity(), {}, 1, "dB"}};
  const json metrics = json::parse(render(document, Format::json))["agreement"][0]["metrics"];
  EXPECT_TRUE(metrics[0]["value"].is_null());
  EXPECT_EQ(metrics[0]["status"], "nan");
  EXPECT_EQ(metrics[1]["status"], "inf");
}

TEST(RenderJson, SaysWhyAFigureOfAUnitIsMissing) {
  Document document = example();
  document.passes.resize(1);
  document.passes[0].pass = "quantize_weights";
  document.passes[0].units = {
      {"a", "change", "", 4, 1, {{"sqnr_db", std::numeric_limits<double>::infinity()}}},
      {"b", "change", "", 4, 1, {{"sqnr_db", 30}, {"output_error", 0.25}}}};
  const json units = json::parse(render(document, Format::json))["passes"][0]["units"];
  EXPECT_TRUE(units[0]["figures"]["sqnr_db"].is_null());
  EXPECT_EQ(units[0]["figures_status"]["sqnr_db"], "inf");
  EXPECT_EQ(units[1]["figures"]["output_error"], 0.25);
  EXPECT_FALSE(units[1].contains("figures_status"));
}

TEST(RenderHuman, VerboseListsTheUnitsThatLostMost) {
  Document document = example();
  document.passes.resize(1);
  document.passes[0].pass = "quantize_weights";
  document.passes[0].units = {
      {"good",
       "change",
       "",
       4,
       1,
       {{"before.output_error", 0.01}, {"output_error", 0.02}, {"sqnr_db", 30}}},
      {"bad",
       "change",
       "",
       4,
       1,
       {{"before.output_error", 0.05}, {"output_error", 0.25}, {"sqnr_db", 20}}}};
  EXPECT_THAT(render(document, Format::human), Not(HasSubstr("lost most")));
  const std::string text = render(document, Format::human, {.color = false, .verbose = true});
  const std::string worst = text.substr(text.find("units that lost most"));
  EXPECT_LT(worst.find("bad"), worst.find("good"));
  EXPECT_THAT(worst, HasSubstr("25.00 %"));
  EXPECT_THAT(worst, HasSubstr("20.0 dB"));
}

TEST(RenderJson, TakesNamesThatAreNotUtf8) {
  Document document = example();
  document.models[0].path = "bad\xff.onnx";
  EXPECT_EQ(json::parse(render(document, Format::json))["models"][0]["path"], "bad\uFFFD.onnx");
}

TEST(RenderJson, IsDescribedByASchemaThatParses) {
  const json schema = json::parse(json_schema());
  EXPECT_EQ(schema["properties"]["schema"]["const"], "onnxpress.run/1.0");
  const json document = json::parse(render(example(), Format::json));
  for (const auto& [key, value] : document.items()) {
    EXPECT_TRUE(schema["properties"].contains(key)) << key;
  }
}

TEST(RenderMarkdownAndCsv, HoldTheSameRows) {
  EXPECT_THAT(render(example(), Format::markdown), HasSubstr("| size | 91.0 MB | 19.7 MB |"));
  const std::string csv = render(example(), Format::csv);
  EXPECT_THAT(csv, HasSubstr("small.onnx,accuracy,0.8945,0.87,0.91,872,share\n"));
  EXPECT_THAT(csv, HasSubstr("small.onnx#logits,kl_mean,0.0029,,,872,nats\n"));
}

TEST(FormatFigures, RoundsForPeople) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 KB");
  EXPECT_EQ(format_bytes(999'960), "1.0 MB");
  EXPECT_EQ(format_bytes(90'988'131), "91.0 MB");
  EXPECT_EQ(format_milliseconds(0.1234), "0.12 ms");
  EXPECT_EQ(format_milliseconds(123.4), "123 ms");
  EXPECT_EQ(format_milliseconds(1234), "1.23 s");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_count(-1234), "-1,234");
  EXPECT_EQ(format_points(-0.0011), "-0.11 points");
}

}  // namespace
}  // namespace onnxpress
