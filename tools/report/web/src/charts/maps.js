// Heat maps: GPUs over time, experts and GPUs over layers.
import { gridTable, heatMap, number, withUnit } from '../options.js';

const gpuTime = {
  name: 'gpu_time', section: 'gpus', title: 'GPU utilization over time', width: 'full',
  caption: 'Share of each interval in which the GPU computes. Pale columns are idle moments, pale rows idle GPUs.',
  build: ({ series }) => series.gpu_time && {
    table: () => gridTable(series.gpu_time), height: 460, option: (ctx) => heatMap(ctx, series.gpu_time),
  },
};

const linkTime = {
  name: 'link_time', section: 'network', title: 'The busiest links over time', width: 'full',
  caption: 'Share of the link’s peak bandwidth in each interval.',
  build: ({ series }) => series.link_time && {
    table: () => gridTable(series.link_time), height: Math.min(460, 150 + 14 * series.link_time.rows.size),
    option: (ctx) => {
      const out = heatMap(ctx, series.link_time);
      out.grid.left = 150;
      out.yAxis.nameGap = 130;
      out.yAxis.axisLabel = { ...out.yAxis.axisLabel, interval: 0, width: 120, overflow: 'truncate' };
      return out;
    },
  },
};

const HOT = 2;  // times the mean
const DEAD = 0.01;

// Load relative to the mean, coloured by its logarithm: a half is as far from one as two is.
function loadMap(ctx, grid) {
  const { theme } = ctx;
  const bound = 2;
  const shown = (v) => Math.max(-bound, Math.min(bound, Math.log2(Math.max(v, 1e-9))));
  const out = heatMap(ctx, grid, {
    colors: theme.diverging, min: -bound, max: bound, transform: shown,
    format: (v) => (v === null ? 'no data' : v <= DEAD ? 'dead' : `${number(v, 3)} × mean`), formatScale: (v) => `${number(2 ** v, 2)}×`,
  });
  const width = grid.columns.size;
  if (ctx.picture && (grid.rows.size > 96 || width > 120)) return out;
  const cells = (keep) => grid.values.flatMap((v, i) => (v !== null && keep(v) ? [[i % width, Math.floor(i / width)]] : []));
  const hot = grid.values.map((v, i) => [v, i]).filter(([v]) => v >= HOT).sort((a, b) => b[0] - a[0]).slice(0, 24).map(([, i]) => [i % width, Math.floor(i / width)]);
  out.legend = { data: ['hottest cells', 'dead cells'], top: 0, right: 16, itemWidth: 10, itemHeight: 10, textStyle: { color: theme.text, fontSize: 12 } };
  out.grid.top = 28;
  out.series.push(
    { name: 'hottest cells', type: 'scatter', data: hot, symbol: 'circle', symbolSize: 9, silent: true, itemStyle: { color: 'transparent', borderColor: theme.text, borderWidth: 1.5 } },
    { name: 'dead cells', type: 'scatter', data: cells((v) => v <= DEAD), symbol: 'path://M0,0L8,8M8,0L0,8', symbolSize: 5, silent: true, itemStyle: { color: 'transparent', borderColor: theme.text, borderWidth: 1.2 } },
  );
  return out;
}

// "expert 17 in layer 31 (4.2 × mean)" of the largest cell.
export function hottest(grid) {
  let at = -1;
  grid?.values.forEach((v, i) => { if (v !== null && (at < 0 || v > grid.values[at])) at = i; });
  if (at < 0) return null;
  const label = (axis, i) => axis.labels?.[i] ?? String(axis.start + i * axis.step);
  return {
    row: label(grid.rows, Math.floor(at / grid.columns.size)), column: label(grid.columns, at % grid.columns.size), value: grid.values[at],
    dead: grid.values.filter((v) => v !== null && v <= DEAD).length,
  };
}

const loads = [
  ['expert_layer', 'Load of every expert in every layer', 'expert'],
  ['gpu_layer', 'Expert load of every GPU in every layer', 'GPU'],
].map(([name, title, what]) => ({
  name, section: 'experts', title, width: 'full', caption: `Tokens relative to the layer’s mean ${what}; rings mark the hottest cells from ${HOT} × the mean, crosses dead ones.`,
  build: ({ series }) => {
    const grid = series[name];
    if (!grid) return null;
    const top = hottest(grid);
    const dead = name === 'expert_layer' && top.dead ? ` ${top.dead} dead.` : '';
    return {
      note: `Hottest: ${what} ${top.row} in layer ${top.column}, ${withUnit(top.value, '')} × the mean.${dead}`,
      table: () => gridTable(grid), height: 480, option: (ctx) => loadMap(ctx, grid),
    };
  },
}));

export const maps = { gpuTime, linkTime, loads };
