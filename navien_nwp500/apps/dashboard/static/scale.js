/** Axes and paths of the charts: numbers only, no elements. */

/** Round steps between `low` and `high`, about `count` of them, with the ends rounded outwards. */
export function niceSteps(low, high, count = 4) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  const steps = [];
  for (let at = Math.floor(low / step + 1e-9); ; at += 1) {
    steps.push(Number((at * step).toPrecision(12)));
    if (at * step >= high - step * 1e-6) return steps;
  }
}

/** The runs of known values, as lists of indexes: a line is drawn within each, never between two. */
export function knownRuns(values) {
  const runs = [];
  let run = null;
  values.forEach((value, index) => {
    if (value === null || value === undefined) run = null;
    else if (run) run.push(index);
    else runs.push(run = [index]);
  });
  return runs;
}

const point = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** Pixels of the dash that shows a lone value. */
const DASH = 3;

/** The path of a line through the known values; a lone value is a dash. */
export function linePath(values, x, y) {
  return knownRuns(values).map((run) => {
    if (run.length === 1) return `M${point(x(run[0]) - DASH / 2, y(values[run[0]]))}h${DASH}`;
    return `M${run.map((index) => point(x(index), y(values[index]))).join("L")}`;
  }).join("");
}

/** The path of values that hold over their bucket; `x(index)` is where a bucket begins. */
export function stepPath(values, x, y) {
  return knownRuns(values).map((run) => {
    const steps = run.map((index, place) =>
      `${place ? "V" : `M${x(index).toFixed(1)} `}${y(values[index]).toFixed(1)}H${Math.max(x(index + 1), x(run[0]) + DASH).toFixed(1)}`);
    return steps.join("");
  }).join("");
}

/** The outline between the least and the largest values. */
export function bandPath(least, largest, x, y) {
  return knownRuns(least).map((run) => {
    const up = run.map((index) => point(x(index), y(largest[index])));
    const back = run.map((index) => point(x(index), y(least[index]))).reverse();
    return `M${[...up, ...back].join("L")}Z`;
  }).join("");
}

/** The labels that fit side by side: all, or every second, third and so on. */
export function fitting(ticks, x, width, widthOfCharacter) {
  const longest = Math.max(0, ...ticks.map((tick) => tick.label.length)) * widthOfCharacter + 10;
  for (let stride = 1; stride < ticks.length; stride += 1) {
    const some = ticks.filter((_, index) => index % stride === 0);
    const places = some.map((tick) => x(tick.ms));
    if (places.every((place, index) => !index || place - places[index - 1] >= longest)) return some;
  }
  return ticks.slice(0, 1);
}

/** Join buckets so that a table has at most `rows` rows; each group is a list of indexes. */
export function groups(count, rows) {
  const size = [1, 2, 3, 4, 6, 12, 24].find((one) => count / one <= rows) || Math.ceil(count / rows);
  return Array.from({ length: Math.ceil(count / size) }, (_, group) =>
    Array.from({ length: Math.min(size, count - group * size) }, (_, index) => group * size + index));
}
