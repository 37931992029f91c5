// The parts that every chart's ECharts option is made of.
import { FONT, phaseColor } from './theme.js';
import { number, scaleFor, largest, withUnit } from './units.js';

// A tooltip made of DOM nodes: text from a scenario can never become markup.
export function tip(title, rows) {
  if (typeof document === 'undefined') return '';
  const box = document.createElement('div');
  box.className = 'tip';
  const head = box.appendChild(document.createElement('b'));
  head.textContent = title;
  for (const [label, value, color] of rows) {
    const line = box.appendChild(document.createElement('div'));
    const dot = line.appendChild(document.createElement('i'));
    if (color) dot.style.background = color;
    line.appendChild(document.createElement('span')).textContent = label;
    line.appendChild(document.createElement('em')).textContent = value;
  }
  return box;
}

export function base(theme) {
  return {
    animation: false,
    backgroundColor: 'transparent',
    color: theme.series,
    textStyle: { fontFamily: FONT, color: theme.text, fontSize: 12 },
    tooltip: {
      confine: true, transitionDuration: 0, backgroundColor: theme.paper, borderColor: theme.line, padding: [8, 10],
      textStyle: { color: theme.text, fontSize: 12, fontFamily: FONT }, extraCssText: 'box-shadow:0 4px 16px #0003;border-radius:6px',
    },
    grid: { left: 64, right: 20, top: 40, bottom: 44 },
  };
}

function titled(name, unit) {
  return unit && !name.includes('(') ? `${name} (${unit})` : name;
}

const axisStyle = (theme) => ({
  axisLine: { lineStyle: { color: theme.line } },
  axisTick: { lineStyle: { color: theme.line } },
  axisLabel: { color: theme.muted, fontSize: 11, hideOverlap: true },
  splitLine: { lineStyle: { color: theme.split } },
  nameTextStyle: { color: theme.muted, fontSize: 11 },
});

export function valueAxis(theme, name, unit, more = {}) {
  return {
    ...axisStyle(theme), type: 'value', name: titled(name, unit), nameLocation: 'middle', ...more,
    axisLabel: { ...axisStyle(theme).axisLabel, formatter: (v) => number(v, 4), ...more.axisLabel },
    axisLine: { show: false }, axisTick: { show: false }, nameGap: more.nameGap ?? 42,
  };
}

export function categoryAxis(theme, name, unit, labels, more = {}) {
  return {
    ...axisStyle(theme), type: 'category', data: labels, name: titled(name, unit), nameLocation: 'middle', nameGap: 28,
    splitLine: { show: false }, ...more,
  };
}

export function legend(theme, names, more = {}) {
  return {
    type: 'scroll', top: 4, left: 4, itemWidth: 11, itemHeight: 9, itemGap: 10, icon: 'roundRect', data: names,
    textStyle: { color: theme.text, fontSize: 11.5 }, inactiveColor: theme.line, pageTextStyle: { color: theme.muted },
    pageIconColor: theme.muted, pageIconInactiveColor: theme.line, ...more,
  };
}

// The cells' names of a Grid's axis, and its unit once scaled: 0, 10, 20 s ... -> "0", "0.17" min.
export function cellLabels(axis) {
  if (axis.labels) return { labels: axis.labels, unit: axis.unit };
  const last = axis.start + axis.step * axis.size;
  const scale = axis.unit === 's' ? scaleFor(last, 's') : { factor: 1, unit: axis.unit };
  const labels = [];
  for (let i = 0; i < axis.size; ++i) labels.push(number((axis.start + i * axis.step) / scale.factor, 3));
  return { labels, unit: scale.unit };
}

// Which cells of an axis get a label: round numbers, about `most` of them; all names if they fit.
function fewLabels(axis, labels, most) {
  if (axis.labels) return { interval: axis.size <= 2 * most ? 0 : Math.ceil(axis.size / most) - 1 };
  const factor = axis.unit === 's' ? scaleFor(axis.start + axis.step * axis.size, 's').factor : 1;
  const value = (i) => (axis.start + i * axis.step) / factor;
  const rough = (axis.step * axis.size) / factor / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  let tick = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  if (axis.unit !== 's') tick = Math.max(1, tick);
  // The cell in which a multiple of the tick begins.
  const multiple = (i) => Math.ceil(value(i) / tick - 1e-9) * tick;
  return {
    interval: (i) => multiple(i) - value(i) < axis.step / factor - 1e-9, hideOverlap: true,
    formatter: (text, i) => (labels[i] === text ? number(multiple(i), 4) : text),
  };
}

export function gridTable(grid) {
  const columns = cellLabels(grid.columns);
  const rows = cellLabels(grid.rows);
  const name = `${titled(grid.rows.name, rows.unit)} \\ ${titled(grid.columns.name, columns.unit)}`;
  return {
    columns: [{ label: name }, ...columns.labels.map((label) => ({ label, unit: grid.unit }))],
    rows: rows.labels.map((label, r) => [label, ...grid.values.slice(r * columns.labels.length, (r + 1) * columns.labels.length)]),
    note: `Cells: ${grid.value}${grid.unit ? `, ${grid.unit}` : ''}${joinedNote(grid)}`,
  };
}

export function joinedNote(grid) {
  if (!grid.joined) return '';
  const how = { mean: 'the mean', max: 'the largest', sum: 'the sum' }[grid.join];
  return `; neighbouring cells are joined to fit a screen, each shows ${how}`;
}

// Fewer cells for a picture without a screen's zoom; joined as the grid says.
export function shrink(grid, rows, columns) {
  const high = Math.ceil(grid.rows.size / rows);
  const wide = Math.ceil(grid.columns.size / columns);
  if (high <= 1 && wide <= 1) return grid;
  const axis = (a, n) => ({
    ...a, size: Math.ceil(a.size / n), step: (a.step ?? 1) * n, labels: a.labels?.filter((_, i) => i % n === 0),
  });
  const out = { ...grid, rows: axis(grid.rows, high), columns: axis(grid.columns, wide), values: [], joined: true };
  for (let r = 0; r < grid.rows.size; r += high) {
    for (let c = 0; c < grid.columns.size; c += wide) {
      const cells = [];
      for (let i = r; i < Math.min(r + high, grid.rows.size); ++i) {
        for (let j = c; j < Math.min(c + wide, grid.columns.size); ++j) {
          const v = grid.values[i * grid.columns.size + j];
          if (v !== null) cells.push(v);
        }
      }
      const sum = cells.reduce((a, b) => a + b, 0);
      out.values.push(cells.length === 0 ? null : grid.join === 'max' ? Math.max(...cells) : grid.join === 'sum' ? sum : sum / cells.length);
    }
  }
  return out;
}

// Above this many cells a heat map is one painted image: an element per cell would take seconds.
const MANY = 3000;

// The colour of `part` (0 .. 1) of the way through `colors`, as ECharts' visualMap mixes them.
export function mixed(colors, part) {
  const at = Math.max(0, Math.min(1, part)) * (colors.length - 1);
  const low = Math.min(Math.floor(at), colors.length - 2);
  const channel = (color, i) => parseInt(color.slice(1 + 2 * i, 3 + 2 * i), 16);
  return `rgb(${[0, 1, 2].map((i) => Math.round(channel(colors[low], i) + (at - low) * (channel(colors[low + 1], i) - channel(colors[low], i)))).join(',')})`;
}

// A custom series of one item: the whole map, painted cell by cell onto a canvas of its size.
function painted(data, columns, rows, colors, min, max) {
  return {
    type: 'custom', data: [[0, 0]], silent: true, z: 1,
    renderItem: ({ coordSys: { x, y, width, height } }) => {
      const canvas = document.createElement('canvas');
      const ratio = devicePixelRatio || 1;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      const paint = canvas.getContext('2d');
      const edge = (i, count, size) => Math.round((i * size) / count);
      for (const [column, row, v] of data) {
        if (v === '-') continue;
        paint.fillStyle = mixed(colors, (v - min) / (max - min));
        const left = edge(column, columns, canvas.width);
        const top = edge(row, rows, canvas.height);
        paint.fillRect(left, top, edge(column + 1, columns, canvas.width) - left, edge(row + 1, rows, canvas.height) - top);
      }
      return { type: 'image', style: { image: canvas, x, y, width, height } };
    },
  };
}

// A heat map of a Grid. `map`: {colors, min, max, format, formatScale, transform,
// picture: [rows, columns] at most in a picture}. Sets ctx.hover,
// (column, row) -> tooltip, where the map is painted.
export function heatMap(ctx, whole, map = {}) {
  const { theme } = ctx;
  const grid = ctx.picture ? shrink(whole, ...(map.picture ?? [96, 120])) : whole;
  const x = cellLabels(grid.columns);
  const y = cellLabels(grid.rows);
  const width = x.labels.length;
  const transform = map.transform ?? ((v) => v);
  const data = grid.values.map((v, i) => [i % width, Math.floor(i / width), v === null ? '-' : transform(v)]);
  const format = map.format ?? ((v) => withUnit(v, grid.unit));
  const formatScale = map.formatScale ?? format;
  const min = map.min ?? 0;
  const max = map.max ?? (grid.unit === 'ratio' ? 1 : largest(grid.values) || 1);
  const colors = map.colors ?? theme.sequential;
  const few = data.length <= 400 && width <= 24;
  const about = (column, row) => tip(`${grid.rows.name} ${y.labels[row]}, ${grid.columns.name} ${x.labels[column]}${x.unit ? ` ${x.unit}` : ''}`, [[grid.value, format(grid.values[row * width + column])]]);
  const paint = !ctx.picture && data.length > MANY;
  if (paint) ctx.hover = (column, row) => (column >= 0 && column < width && row >= 0 && row < y.labels.length ? about(column, row) : null);
  return {
    ...base(theme),
    grid: { left: 64, right: 20, top: 16, bottom: 88 },
    tooltip: { ...base(theme).tooltip, formatter: (p) => about(p.data[0], p.data[1]) },
    xAxis: categoryAxis(theme, grid.columns.name, x.unit, x.labels, { axisTick: { show: false }, axisLabel: { ...axisStyle(theme).axisLabel, ...fewLabels(grid.columns, x.labels, ctx.narrow ? 6 : 14) } }),
    yAxis: categoryAxis(theme, grid.rows.name, y.unit, y.labels, { inverse: true, nameGap: 44, axisTick: { show: false }, axisLabel: { ...axisStyle(theme).axisLabel, ...fewLabels(grid.rows, y.labels, 12) } }),
    visualMap: colorScale(ctx, { min, max, colors, format: formatScale }),
    series: paint
      ? [{ type: 'scatter', data: [] }, painted(data, width, y.labels.length, colors, min, max)]
      : [{
        type: 'heatmap', data, progressive: 0, itemStyle: { borderWidth: few ? 1 : 0, borderColor: theme.paper },
        label: { show: few, fontSize: 10, formatter: (p) => format(grid.values[p.data[1] * width + p.data[0]]).replace(/ .*/, '') },
        emphasis: { itemStyle: { borderColor: theme.text, borderWidth: 1 } },
      }],
  };
}

// The colour bar under a map, for its first series.
export function colorScale({ theme }, { min, max, colors, format }) {
  return {
    type: 'continuous', min, max, calculable: false, orient: 'horizontal', left: 'center', bottom: 2, itemWidth: 10, itemHeight: 200, seriesIndex: 0,
    inRange: { color: colors }, text: [format(max), format(min)], textGap: 10, textStyle: { color: theme.muted, fontSize: 11 }, formatter: format, precision: 4,
  };
}

export { number, scaleFor, largest, withUnit, phaseColor, titled };
