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
    type: 'scroll', top: 4, left: 4, itemWidth: 12, itemHeight: 9, itemGap: 14, icon: 'roundRect', data: names,
    textStyle: { color: theme.text, fontSize: 12 }, inactiveColor: theme.line, pageTextStyle: { color: theme.muted },
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

// A heat map of a Grid. `map`: {colors, min, max, format, transform}.
export function heatMap(ctx, whole, map = {}) {
  const { theme } = ctx;
  const grid = ctx.picture ? shrink(whole, 96, 120) : whole;
  const x = cellLabels(grid.columns);
  const y = cellLabels(grid.rows);
  const width = x.labels.length;
  const transform = map.transform ?? ((v) => v);
  const data = grid.values.map((v, i) => [i % width, Math.floor(i / width), v === null ? '-' : transform(v)]);
  const format = map.format ?? ((v) => withUnit(v, grid.unit));
  const max = map.max ?? (grid.unit === 'ratio' ? 1 : largest(grid.values) || 1);
  const few = data.length <= 400;
  return {
    ...base(theme),
    grid: { left: 64, right: 20, top: 16, bottom: 84 },
    tooltip: {
      ...base(theme).tooltip,
      formatter: (p) => {
        const value = grid.values[p.data[1] * width + p.data[0]];
        return tip(`${grid.rows.name} ${y.labels[p.data[1]]}, ${grid.columns.name} ${x.labels[p.data[0]]} ${x.unit}`, [[grid.value, format(value)], ...(map.more?.(p.data[1], p.data[0]) ?? [])]);
      },
    },
    xAxis: categoryAxis(theme, grid.columns.name, x.unit, x.labels, { axisTick: { show: false } }),
    yAxis: categoryAxis(theme, grid.rows.name, y.unit, y.labels, { inverse: true, nameGap: 44, axisTick: { show: false } }),
    visualMap: {
      type: 'continuous', min: map.min ?? 0, max, calculable: !ctx.picture, orient: 'horizontal', left: 'center', bottom: 0,
      itemWidth: 12, itemHeight: 180, inRange: { color: map.colors ?? theme.sequential }, textStyle: { color: theme.muted, fontSize: 11 },
      formatter: (v) => (map.formatScale ?? format)(v), precision: 4, handleStyle: { borderColor: theme.line }, seriesIndex: 0,
      // A legend for print and pictures: the ends' values beside the bar.
      text: ctx.picture ? [(map.formatScale ?? format)(max), (map.formatScale ?? format)(map.min ?? 0)] : undefined,
    },
    series: [{
      type: 'heatmap', data, progressive: 0, itemStyle: { borderWidth: few ? 1 : 0, borderColor: theme.paper },
      label: { show: few && width <= 24, fontSize: 10, formatter: (p) => format(grid.values[p.data[1] * width + p.data[0]]).replace(/ .*/, '') },
      emphasis: { itemStyle: { borderColor: theme.text, borderWidth: 1 } },
    }],
  };
}

export { number, scaleFor, largest, withUnit, phaseColor, titled };
