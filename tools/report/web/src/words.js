// The answer in words: what was promised, what happened, and why.
import { causesOf, setName, slowest } from './charts/blame.js';
import { hottest } from './charts/maps.js';
import { number, withUnit, wordsOf } from './units.js';

const METRIC = { ttft: 'time to first token', tpot: 'time per output token', e2el: 'end-to-end latency', itl: 'inter-token latency', queue_time: 'queue time' };

// Causes as a sentence has them.
const CAUSES = {
  queueing: 'waiting in a queue', attention: 'attention', attention_straggler: 'waiting for the slowest attention rank', dense: 'dense layers', dispatch: 'dispatch over the network',
  expert: 'expert compute', expert_straggler: 'waiting for the GPU with the hottest experts', combine: 'combine over the network', host: 'host overhead', kv_transfer: 'KV transfer',
  rebalancing: 'rebalancing', fault: 'faults', pipeline: 'the pipeline of stages', other: 'other things',
};

export function promise(slo) {
  const [metric, percentile] = slo.name.split('_');
  return `${percentile} of ${METRIC[metric] ?? metric}`;
}

function verdictWords(slo) {
  if (slo.length === 0) return 'The scenario promises nothing, so there is no verdict.';
  const missed = slo.filter((s) => !s.met);
  if (missed.length === 0) return slo.length === 1 ? 'It keeps its promise.' : `It keeps all ${slo.length} promises.`;
  const list = missed.map((s) => `${promise(s)} is ${withUnit(s.value_s, 's')} against ${withUnit(s.limit_s, 's')}`);
  return `It misses ${missed.length} of ${slo.length} promises: ${list.join('; ')}.`;
}

function blameWords(result) {
  const worst = slowest(result);
  if (!worst) return '';
  const causes = causesOf(worst).sort((a, b) => b[1] - a[1]);
  const sum = causes.reduce((s, [, v]) => s + v, 0);
  if (!(sum > 0)) return '';
  const top = causes.slice(0, 3).map(([cause, s]) => `${CAUSES[cause] ?? wordsOf(cause).toLowerCase()} (${number((100 * s) / sum, 2)} %)`);
  const gpu = worst.straggler_gpus?.[0];
  const expert = worst.straggler_experts?.[0];
  const who = gpu && expert ? ` They waited longest for ${gpu.gpu}; the costliest expert is ${expert.expert} of layer ${expert.layer}.` : '';
  return `The ${setName(worst)} of requests spent their time on ${top.slice(0, -1).join(', ')}${top.length > 1 ? ' and ' : ''}${top.at(-1)}.${who}`;
}

function loadWords({ result, series }) {
  const parts = [];
  const use = result.utilization?.gpu;
  if (typeof use === 'number') parts.push(`GPUs compute ${number(100 * use, 2)} % of the time`);
  const balance = result.balance?.balancedness;
  if (typeof balance === 'number' && balance > 0) parts.push(`the hottest GPU of a layer carries ${number(1 / balance, 3)} × the mean load`);
  const top = hottest(series.expert_layer);
  if (top) parts.push(`the hottest expert (${top.row} of layer ${top.column}) sees ${number(top.value, 3)} × its share`);
  if (parts.length === 0) return '';
  const text = parts.join(', ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

// The three longest parts of a training step.
function trainingWords({ training, gpu_count: gpus }) {
  const parts = Object.entries(training.phases_s).sort((a, b) => b[1] - a[1]).slice(0, 3);
  const shares = parts.map(([name, s]) => `${CAUSES[name] ?? wordsOf(name).toLowerCase()} (${number((100 * s) / training.step_time_s, 2)} %)`);
  const dropped = training.dropped_share > 0 ? ` ${number(100 * training.dropped_share, 2)} % of the assignments to experts are dropped.` : '';
  return `A training step of ${number(training.tokens_per_step)} tokens takes ${withUnit(training.step_time_s, 's')} on ${gpus} GPUs: ${number(training.tokens_per_s_per_gpu, 3)} tokens a second and GPU, ${number(100 * training.mfu, 3)} % of the peak in model flops. Most of it is ${shares.slice(0, -1).join(', ')} and ${shares.at(-1)}.${dropped}`;
}

export function answer(report) {
  const { result } = report;
  if (result.training) return [trainingWords(result), loadWords(report)].filter(Boolean).join(' ');
  const n = result.requests ?? {};
  const served = n.finished ?? result.metrics?.e2el?.count;
  const arrived = n.arrived;
  const gpus = result.gpu_count;
  const rate = result.throughput?.output_tokens_per_s;
  const what = served === undefined ? 'This run ended.' : `${number(served)}${arrived ? ` of ${number(arrived)}` : ''} requests were served${gpus ? ` on ${gpus} GPUs` : ''}${rate ? `, ${number(rate, 3)} output tokens a second` : ''}.`;
  return [what, verdictWords(result.slo ?? []), blameWords(result), loadWords(report)].filter(Boolean).join(' ');
}
