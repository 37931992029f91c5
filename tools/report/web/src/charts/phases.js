// Where one step's time goes: layer by layer, and the whole step above it.
import { base, categoryAxis, gridTable, largest, legend, number, phaseColor, scaleFor, tip, valueAxis, withUnit } from '../options.js';
import { wordsOf } from '../units.js';

// Rows of the grid that are layers; the others ("other") belong to the step as a whole.
const isLayer = (label) => label !== 'other';

function option(grid, ctx) {
  const { theme } = ctx;
  const phases = grid.columns.labels;
  const width = phases.length;
  const labels = grid.rows.labels ?? Array.from({ length: grid.rows.size }, (_, i) => String(grid.rows.start + i * grid.rows.step));
  const layers = labels.map((label, row) => ({ label, row })).filter(({ label }) => isLayer(label));
  const cell = (row, phase) => grid.values[row * width + phase] ?? 0;
  const totals = phases.map((_, p) => labels.reduce((sum, _label, row) => sum + cell(row, p), 0));
  const step = totals.reduce((a, b) => a + b, 0);
  const whole = scaleFor(step, 's');
  const tallest = largest(layers.map(({ row }) => totals.reduce((sum, _t, p) => sum + cell(row, p), 0)));
  const scale = scaleFor(tallest, 's');
  const names = phases.map(wordsOf);
  const color = (p) => phaseColor(theme, phases[p], p);
  const inLayers = phases.map((_, p) => p).filter((p) => layers.some(({ row }) => cell(row, p) > 0));
  return {
    ...base(theme),
    legend: legend(theme, names),
    grid: [{ left: 64, right: 20, top: 58, height: 30 }, { left: 64, right: 20, top: 142, bottom: 44 }],
    title: [{ text: `Whole step: ${withUnit(step, 's')}`, left: 60, top: 32, textStyle: { color: theme.muted, fontSize: 12, fontWeight: 500 } },
      { text: 'By layer', left: 60, top: 116, textStyle: { color: theme.muted, fontSize: 12, fontWeight: 500 } }],
    xAxis: [
      valueAxis(theme, '', '', { gridIndex: 0, max: step / whole.factor, axisLabel: { show: false }, splitLine: { show: false } }),
      categoryAxis(theme, 'layer', '', layers.map(({ label }) => label), { gridIndex: 1 }),
    ],
    yAxis: [
      { type: 'category', gridIndex: 0, data: ['step'], show: false },
      valueAxis(theme, 'time per step', scale.unit, { gridIndex: 1 }),
    ],
    tooltip: {
      ...base(theme).tooltip, trigger: 'axis', axisPointer: { type: 'shadow' },
      formatter: (items) => {
        const list = Array.isArray(items) ? items : [items];
        const row = list[0].axisIndex === 0 && list[0].name === 'step' ? -1 : layers[list[0].dataIndex].row;
        const values = phases.map((_, p) => (row < 0 ? totals[p] : cell(row, p)));
        const sum = values.reduce((a, b) => a + b, 0);
        return tip(row < 0 ? `Whole step: ${withUnit(sum, 's')}` : `Layer ${labels[row]}: ${withUnit(sum, 's')}`,
          values.map((v, p) => [names[p], `${withUnit(v, 's')}  ${number((100 * v) / sum, 2)} %`, color(p)]).filter((_, p) => values[p] > 0));
      },
    },
    series: [
      ...phases.map((_, p) => ({
        name: names[p], type: 'bar', stack: 'step', xAxisIndex: 0, yAxisIndex: 0, data: [totals[p] / whole.factor], barWidth: 24,
        itemStyle: { color: color(p), borderColor: theme.paper, borderWidth: 1 },
        label: { show: totals[p] > 0.06 * step, color: '#fff', fontSize: 11, formatter: `${number((100 * totals[p]) / step, 2)} %`, textBorderColor: '#0006', textBorderWidth: 2 },
      })),
      ...inLayers.map((p) => ({
        name: names[p], type: 'bar', stack: 'layer', xAxisIndex: 1, yAxisIndex: 1, barCategoryGap: layers.length > 40 ? '12%' : '25%',
        itemStyle: { color: color(p) }, data: layers.map(({ row }) => cell(row, p) / scale.factor),
      })),
    ],
  };
}

const kinds = {
  step: ['Where a step’s time goes', 'Mean over all steps. A layer waits for its slowest GPU: that wait is “straggler”.'],
  prefill: ['… in steps with prefill', 'Steps that hold at least one prefill chunk.'],
  decode: ['… in decode-only steps', 'Steps in which every sequence decodes one token.'],
};

export const phases = Object.entries(kinds).map(([kind, [title, caption]]) => ({
  name: `phases_${kind}`, section: 'time', title, caption, width: kind === 'step' ? 'full' : 'half',
  build: ({ series }) => {
    const grid = series[`phases_${kind}`];
    if (!grid) return null;
    return { table: () => gridTable(grid), height: 380, option: (ctx) => option(grid, ctx) };
  },
}));
