// Which expert lies in which slot of which GPU, layer by layer, and how much it is used.
import { base, categoryAxis, colorScale, mixed, number, tip } from '../options.js';

const PER_MAP = 12_000;  // cells drawn

// One entry per filled slot of a layer: [node, column, gpu, slot, expert, load].
function slotsOf(map, layerIndex) {
  const each = map.gpus * map.slots;
  const out = [];
  for (let i = 0; i < each; ++i) {
    const at = layerIndex * each + i;
    const gpu = Math.floor(i / map.slots);
    const slot = i % map.slots;
    const perNode = map.gpus_per_node;
    out.push({ node: Math.floor(gpu / perNode), column: (gpu % perNode) * map.slots + slot, gpu, slot, expert: map.expert[at], load: map.load[at] });
  }
  return out;
}

// The layer whose hottest slot is the hottest of all is shown first.
function firstLayer(map) {
  const each = map.gpus * map.slots;
  let best = 0;
  map.load.forEach((v, i) => { if (v > map.load[best]) best = i; });
  return Math.floor(best / each);
}

const chosen = (map, choice) => {
  const index = map.layers.findIndex((l) => String(l) === String(choice));
  return index < 0 ? firstLayer(map) : index;
};

const scaleOf = (theme) => ({ ...colorScale({ theme }, { min: -2, max: 2, colors: theme.diverging, format: (v) => `${number(2 ** v, 2)}× mean slot` }), dimension: 2 });

// Black or white, whichever reads better on "rgb(r,g,b)".
const inkOn = (rgb) => {
  const [r, g, b] = rgb.match(/\d+/g).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#1c2430' : '#ffffff';
};

const shade = (load) => Math.max(-2, Math.min(2, Math.log2(Math.max(load ?? 0, 1e-9))));

function replicasOf(slots) {
  const count = new Map();
  for (const s of slots) if (s.expert >= 0) count.set(s.expert, (count.get(s.expert) ?? 0) + 1);
  return count;
}

const about = (s, replicas) => tip(s.expert < 0 ? 'empty slot' : `Expert ${s.expert}`, [
  ['where', `node ${s.node}, GPU ${s.gpu}, slot ${s.slot}`], ['load', s.expert < 0 ? '–' : `${number(s.load, 3)} × mean slot`], ['replicas', number(replicas.get(s.expert) ?? 0)],
]);

const mapOption = (map, layer, ctx) => {
  const { theme } = ctx;
  const slots = slotsOf(map, layer);
  const replicas = replicasOf(slots);
  const filled = slots.filter((s) => s.expert >= 0);
  const columns = map.gpus_per_node * map.slots;
  const nodes = Math.ceil(map.gpus / map.gpus_per_node);
  return {
    ...base(theme),
    grid: { left: 64, right: 20, top: 12, bottom: 88 },
    xAxis: categoryAxis(theme, map.slots > 1 ? 'GPU in its node . slot' : 'GPU in its node', '', Array.from({ length: columns }, (_, c) => (map.slots > 1 ? `${Math.floor(c / map.slots)}.${c % map.slots}` : String(c))), { axisTick: { show: false } }),
    yAxis: categoryAxis(theme, 'node', '', Array.from({ length: nodes }, (_, n) => String(n)), { inverse: true, nameGap: 40, axisTick: { show: false } }),
    visualMap: scaleOf(theme),
    tooltip: { ...base(theme).tooltip, formatter: (p) => about(filled[p.dataIndex], replicas) },
    series: [{
      type: 'heatmap', progressive: 0, data: filled.map((s) => ({ value: [s.column, s.node, shade(s.load)], label: { color: inkOn(mixed(theme.diverging, (shade(s.load) + 2) / 4)) } })), itemStyle: { borderColor: theme.paper, borderWidth: 1 },
      label: { show: columns <= (ctx.narrow ? 16 : 48) && nodes <= 64, fontSize: 9, formatter: (p) => `${filled[p.dataIndex].expert}` },
    }],
  };
};

// Labels at round numbers, about eight of them.
const every = (n) => Math.max(1, 2 ** Math.round(Math.log2(n / 10))) - 1;

const gpuOption = (map, layer, ctx) => {
  const { theme } = ctx;
  const slots = slotsOf(map, layer).filter((s) => s.expert >= 0);
  const replicas = replicasOf(slots);
  return {
    ...base(theme),
    grid: { left: 64, right: 20, top: 12, bottom: 88 },
    xAxis: { ...categoryAxis(theme, 'GPU', '', Array.from({ length: map.gpus }, (_, g) => String(g)), { axisLabel: { color: theme.muted, fontSize: 11, interval: every(map.gpus) } }), splitLine: { show: false } },
    yAxis: categoryAxis(theme, 'expert', '', Array.from({ length: map.experts }, (_, e) => String(e)), { inverse: true, nameGap: 44, axisLabel: { color: theme.muted, fontSize: 11, interval: every(map.experts) }, splitLine: { show: true, lineStyle: { color: theme.split }, interval: every(map.experts) } }),
    visualMap: scaleOf(theme),
    tooltip: { ...base(theme).tooltip, formatter: (p) => about(slots[p.dataIndex], replicas) },
    series: [{ type: 'scatter', symbol: 'rect', symbolSize: Math.max(6, Math.min(12, 900 / map.gpus)), data: slots.map((s) => [s.gpu, s.expert, shade(s.load)]), itemStyle: { borderColor: theme.line, borderWidth: 0.5 } }],
  };
};

function table(map, layer) {
  const slots = slotsOf(map, layer);
  const replicas = replicasOf(slots);
  return {
    columns: ['Node', 'GPU', 'Slot', 'Expert', 'Load over the mean', 'Replicas'].map((label) => ({ label })),
    rows: slots.map((s) => [s.node, s.gpu, s.slot, s.expert < 0 ? null : s.expert, s.load, replicas.get(s.expert) ?? 0]),
  };
}

function chart(name, section, title, caption, option, height) {
  return {
    name, section, title, caption, width: 'full',
    build: ({ series: { placement } }, choice) => {
      if (!placement || placement.gpus * placement.slots > PER_MAP) return null;
      const layer = chosen(placement, choice);
      const slots = slotsOf(placement, layer);
      const redundant = [...replicasOf(slots).values()].filter((n) => n > 1).length;
      return {
        choices: placement.layers.map((l) => [String(l), `Layer ${l}`]), choice: String(placement.layers[layer]),
        note: `Layer ${placement.layers[layer]}: ${redundant} of ${placement.experts} experts have more than one replica.`,
        table: () => table(placement, layer), height: height(placement), option: (ctx) => option(placement, layer, ctx),
      };
    },
  };
}

export const placement = {
  experts: chart('expert_gpu', 'experts', 'Load of every expert on every GPU', 'One mark per replica, coloured by its tokens relative to the mean slot; opens on the layer with the hottest slot.', gpuOption, () => 480),
  map: chart('placement', 'placement', 'Placement', 'Numbers are experts; colour is a replica’s tokens relative to the mean slot.', mapOption, (p) => Math.min(700, 150 + Math.max(140, 18 * Math.ceil(p.gpus / p.gpus_per_node)))),
};
