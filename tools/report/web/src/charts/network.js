// Links and who talks to whom.
import { base, categoryAxis, gridTable, heatMap, legend, tip, valueAxis, withUnit } from '../options.js';
import { objectsTable } from '../tables.js';
import { unitOf, wordsOf } from '../units.js';

const SANKEY_NODES = 8;

function sankey(grid, ctx) {
  const { theme } = ctx;
  const name = (axis, i) => axis.labels?.[i] ?? `node ${axis.start + i * axis.step}`;
  const size = grid.rows.size;
  const nodes = [];
  for (let i = 0; i < size; ++i) {
    const itemStyle = { color: theme.series[i % theme.series.length] };
    nodes.push({ name: `${name(grid.rows, i)} sends`, itemStyle }, { name: `${name(grid.columns, i)} receives`, itemStyle });
  }
  const links = grid.values.flatMap((value, i) => (value > 0 ? [{ source: 2 * Math.floor(i / size), target: 2 * (i % size) + 1, value }] : []));
  return {
    ...base(theme),
    tooltip: { ...base(theme).tooltip, formatter: (p) => tip(p.dataType === 'edge' ? `${nodes[p.data.source].name} → ${nodes[p.data.target].name}` : p.name, [['bytes', withUnit(p.value, 'bytes')]]) },
    series: [{
      type: 'sankey', data: nodes, links, left: 8, right: 110, top: 10, bottom: 10, nodeGap: 10, nodeWidth: 14, draggable: false, layoutIterations: 0,
      label: { color: theme.text, fontSize: 11 }, lineStyle: { color: 'source', opacity: 0.35, curveness: 0.5 }, emphasis: { focus: 'adjacency' },
    }],
  };
}

const traffic = {
  name: 'node_traffic', section: 'network', title: 'Traffic between nodes', width: 'half',
  caption: 'Bytes sent over the whole run, dispatch, combine and transfers together.',
  build: ({ series }) => {
    const grid = series.node_traffic;
    if (!grid) return null;
    const few = grid.rows.size <= SANKEY_NODES && grid.rows.size === grid.columns.size;
    return { table: () => gridTable(grid), height: 440, option: (ctx) => (few ? sankey(grid, ctx) : heatMap(ctx, grid)) };
  },
};

// Links of result.json, the busiest first; one bar each.
const busiest = {
  name: 'links', section: 'network', title: 'The busiest links', width: 'half',
  caption: 'Mean utilization over the run; busbw, as nccl-tests counts it, is in the table.',
  build: ({ result }) => {
    const links = result.links ?? [];
    if (links.length === 0) return null;
    const top = [...links].sort((a, b) => (b.utilization ?? 0) - (a.utilization ?? 0)).slice(0, 20);
    const kinds = [...new Set(top.map((l) => l.kind ?? 'link'))];
    return {
      note: links.length > top.length ? `${top.length} of ${links.length} links; the table has all.` : '',
      table: () => objectsTable(links), height: 440,
      option: ({ theme }) => ({
        ...base(theme),
        legend: kinds.length > 1 ? legend(theme, kinds) : undefined,
        grid: { left: 150, right: 24, top: kinds.length > 1 ? 34 : 10, bottom: 46 },
        xAxis: valueAxis(theme, 'utilization', '%', { min: 0, nameGap: 28 }),
        yAxis: categoryAxis(theme, '', '', top.map((l) => l.name), { inverse: true, axisLabel: { color: theme.muted, fontSize: 11, width: 138, overflow: 'truncate', interval: 0 } }),
        tooltip: {
          ...base(theme).tooltip,
          formatter: (p) => tip(top[p.dataIndex].name, Object.entries(top[p.dataIndex]).filter(([, v]) => typeof v === 'number').map(([k, v]) => [wordsOf(k), withUnit(v, unitOf(k))])),
        },
        series: kinds.map((kind, k) => ({
          name: kind, type: 'bar', stack: 'links', barWidth: '68%', itemStyle: { color: theme.series[k % theme.series.length], borderRadius: 2 },
          data: top.map((l) => ((l.kind ?? 'link') === kind ? 100 * (l.utilization ?? 0) : '-')),
        })),
      }),
    };
  },
};

export const network = { traffic, busiest };
