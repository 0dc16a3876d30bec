//===- RopeTable.cpp - Rotary tables, one formula a type ------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/RopeTable.h"

#include "runtime/Threads.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace fk;

namespace {

constexpr double twoPi = 2 * std::numbers::pi;

/// base^exponent in float32, correctly rounded but for double rounding.
float power(float base, double exponent) {
  return static_cast<float>(std::pow(double(base), exponent));
}

/// base^(2i / r): the reciprocal of a frequency.
std::vector<float> getWavelengths(float base, int64_t rotaryDim) {
  std::vector<float> result(static_cast<size_t>(rotaryDim / 2));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] =
        power(base, static_cast<float>(2 * i) / static_cast<float>(rotaryDim));
  return result;
}

std::vector<float> getPlainFrequencies(float base, int64_t rotaryDim) {
  std::vector<float> result = getWavelengths(base, rotaryDim);
  for (float &value : result)
    value = 1.0f / value;
  return result;
}

std::vector<float> getDynamic(const RopeTable &table, int64_t length) {
  float base = static_cast<float>(table.theta);
  if (length > table.maxPositions) {
    double dim = static_cast<double>(table.rotaryDim);
    float factor = static_cast<float>(table.factor);
    float stretch = factor * static_cast<float>(length) /
                        static_cast<float>(table.maxPositions) -
                    static_cast<float>(table.factor - 1);
    base = base * power(stretch, dim / (dim - 2));
  }
  return getPlainFrequencies(base, table.rotaryDim);
}

std::vector<float> getLlama3(const RopeTable &table) {
  std::vector<float> result =
      getPlainFrequencies(static_cast<float>(table.theta), table.rotaryDim);
  double original = static_cast<double>(table.originalMaxPositions);
  float factor = static_cast<float>(table.factor);
  float longest = static_cast<float>(original / table.lowFreqFactor);
  float shortest = static_cast<float>(original / table.highFreqFactor);
  float low = static_cast<float>(table.lowFreqFactor);
  float range = static_cast<float>(table.highFreqFactor - table.lowFreqFactor);
  for (float &frequency : result) {
    float wavelength = static_cast<float>(twoPi) / frequency;
    if (wavelength > longest) {
      frequency = frequency / factor;
    } else if (!(wavelength < shortest)) {
      float smooth = (static_cast<float>(original) / wavelength - low) / range;
      frequency = (1.0f - smooth) * frequency / factor + smooth * frequency;
    }
  }
  return result;
}

std::vector<float> getYarn(const RopeTable &table) {
  double dim = static_cast<double>(table.rotaryDim);
  double original = static_cast<double>(table.originalMaxPositions);
  auto correction = [&](double rotations) {
    return dim * std::log(original / (rotations * twoPi)) /
           (2 * std::log(table.theta));
  };
  double low = correction(table.betaFast > 0 ? table.betaFast : 32);
  double high = correction(table.betaSlow > 0 ? table.betaSlow : 1);
  if (table.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high)
    high += 0.001; // no step of width zero

  std::vector<float> result =
      getWavelengths(static_cast<float>(table.theta), table.rotaryDim);
  for (size_t i = 0; i < result.size(); ++i) {
    float extrapolated = 1.0f / result[i];
    float interpolated = 1.0f / (static_cast<float>(table.factor) * result[i]);
    float ramp = (static_cast<float>(i) - static_cast<float>(low)) /
                 static_cast<float>(high - low);
    float keep = 1.0f - std::clamp(ramp, 0.0f, 1.0f);
    result[i] = interpolated * (1.0f - keep) + extrapolated * keep;
  }
  return result;
}

std::vector<float> getLongRope(const RopeTable &table, int64_t length) {
  const std::vector<double> &factors = length > table.originalMaxPositions
                                           ? table.longFactor
                                           : table.shortFactor;
  std::vector<float> result =
      getWavelengths(static_cast<float>(table.theta), table.rotaryDim);
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = 1.0f / (static_cast<float>(factors[i]) * result[i]);
  return result;
}

} // namespace

void fk::checkRopeTable(const RopeTable &table, const std::string &where) {
  auto fail = [&](std::string wanted, std::string got) {
    throw Error({.what = "a rotary table cannot be made",
                 .where = where,
                 .wanted = std::move(wanted),
                 .got = std::move(got),
                 .mend = "check rope_parameters in config.json"});
  };
  if (table.rotaryDim <= 0 || table.rotaryDim % 2 != 0)
    fail("an even rotary dimension", std::to_string(table.rotaryDim));
  if (!(table.theta > 0))
    fail("a positive theta", std::to_string(table.theta));
  const std::string &type = table.type;
  if (type == "default")
    return;
  if (type != "linear" && type != "dynamic" && type != "yarn" &&
      type != "llama3" && type != "longrope")
    fail("type default, linear, dynamic, yarn, llama3 or longrope",
         "'" + type + "'");
  if (!(table.factor > 0))
    fail("a positive factor", std::to_string(table.factor));
  if (type == "dynamic") {
    if (table.maxPositions <= 0)
      fail("positive max_positions", std::to_string(table.maxPositions));
    if (table.rotaryDim <= 2)
      fail("a rotary dimension above 2", std::to_string(table.rotaryDim));
  }
  if ((type == "yarn" || type == "llama3" || type == "longrope") &&
      table.originalMaxPositions <= 0)
    fail("positive original_max_positions",
         std::to_string(table.originalMaxPositions));
  if (type == "llama3" &&
      !(table.lowFreqFactor > 0 && table.highFreqFactor > table.lowFreqFactor))
    fail("0 < low_freq_factor < high_freq_factor",
         std::to_string(table.lowFreqFactor) + " and " +
             std::to_string(table.highFreqFactor));
  if (type == "longrope")
    for (const auto *factors : {&table.shortFactor, &table.longFactor})
      if (factors->size() != static_cast<size_t>(table.rotaryDim / 2))
        fail(std::to_string(table.rotaryDim / 2) +
                 " numbers in short_factor and long_factor",
             std::to_string(factors->size()));
}

std::vector<float> fk::getInverseFrequencies(const RopeTable &table,
                                             int64_t length) {
  if (table.type == "dynamic")
    return getDynamic(table, length);
  if (table.type == "llama3")
    return getLlama3(table);
  if (table.type == "yarn")
    return getYarn(table);
  if (table.type == "longrope")
    return getLongRope(table, length);
  std::vector<float> result =
      getPlainFrequencies(static_cast<float>(table.theta), table.rotaryDim);
  if (table.type == "linear")
    for (float &value : result)
      value = value / static_cast<float>(table.factor);
  return result;
}

double fk::getAttentionFactor(const RopeTable &table) {
  if (table.type != "yarn" && table.type != "longrope")
    return 1;
  if (table.attentionFactor != 0)
    return table.attentionFactor;
  if (table.factor <= 1)
    return 1;
  if (table.type == "longrope")
    return std::sqrt(
        1 + std::log(table.factor) /
                std::log(static_cast<double>(table.originalMaxPositions)));
  auto scale = [&](double mscale) {
    return 0.1 * mscale * std::log(table.factor) + 1;
  };
  if (table.mscale != 0 && table.mscaleAllDim != 0)
    return scale(table.mscale) / scale(table.mscaleAllDim);
  return scale(1);
}

int64_t fk::getRopeRegime(const RopeTable &table, int64_t length) {
  if (table.type == "dynamic")
    return length > table.maxPositions ? length : 0;
  if (table.type == "longrope")
    return length > table.originalMaxPositions;
  return 0;
}

std::vector<float> fk::computeRopeTable(const RopeTable &table, int64_t length,
                                        int64_t rows) {
  std::vector<float> frequencies = getInverseFrequencies(table, length);
  float factor = static_cast<float>(getAttentionFactor(table));
  size_t half = frequencies.size();
  std::vector<float> result(static_cast<size_t>(rows) * 2 * half);
  parallelFor(static_cast<size_t>(rows), 256, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      float *out = result.data() + row * 2 * half;
      for (size_t i = 0; i < half; ++i) {
        float angle = static_cast<float>(row) * frequencies[i];
        out[i] = static_cast<float>(std::cos(double(angle))) * factor;
        out[half + i] = static_cast<float>(std::sin(double(angle))) * factor;
      }
    }
  });
  return result;
}
