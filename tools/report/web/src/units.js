// Numbers with units, as the page shows them. Everything arrives in base units.

const SI = [
  [1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, ''], [1e-3, 'm'], [1e-6, 'µ'], [1e-9, 'n'],
];
const TIME = [[86400, 'd'], [10800, 'h'], [600, 'min'], [1, 's'], [1e-3, 'ms'], [1e-6, 'µs'], [1e-9, 'ns']];
// Units that take k, M, G, and how they are written then.
const PREFIXED = { bytes: 'B', 'B/s': 'B/s', 'flops/s': 'FLOP/s', J: 'J', W: 'W' };
const TIME_FACTOR = { d: 86400, h: 3600, min: 60, s: 1, ms: 1e-3, 'µs': 1e-6, ns: 1e-9 };

// The unit that suits values up to `max`: shown = value / factor.
export function scaleFor(max, unit) {
  const size = Math.abs(max);
  if (unit === 'ratio') return { factor: 0.01, unit: '%' };
  if (unit === 's') {
    const name = (TIME.find(([least]) => size >= least) ?? TIME[3])[1];
    return { factor: TIME_FACTOR[name], unit: name };
  }
  if (unit in PREFIXED) {
    const [factor, prefix] = SI.find(([least]) => size >= least && least >= 1) ?? [1, ''];
    return { factor, unit: prefix + PREFIXED[unit] };
  }
  if (size >= 1e7) {
    const [factor, prefix] = SI.find(([least]) => size >= least && least >= 1);
    return { factor, unit: [{ k: 'thousand', M: 'million', G: 'billion', T: 'trillion' }[prefix] ?? prefix, unit].filter(Boolean).join(' ') };
  }
  return { factor: 1, unit: unit ?? '' };
}

// At most `digits` significant digits, no exponent for everyday sizes, thin separators.
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return grouped(String(value));
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(digits - 1);
  return grouped(String(Number(value.toPrecision(size >= 10 ** digits ? Math.ceil(Math.log10(size)) : digits))));
}

function grouped(text) {
  const [whole, part] = text.split('.');
  const spaced = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, '\u2009') : whole;
  return part === undefined ? spaced : `${spaced}.${part}`;
}

// "12.3 ms", "41 %", "1.2 GB/s".
export function withUnit(value, unit, digits = 3) {
  if (typeof value !== 'number' || Number.isNaN(value)) return number(value);
  const scale = scaleFor(value, unit);
  const shown = number(value / scale.factor, digits);
  return scale.unit ? `${shown} ${scale.unit}` : shown;
}

export function largest(values) {
  let most = 0;
  for (const v of values) if (v !== null && Math.abs(v) > most) most = Math.abs(v);
  return most;
}

const SUFFIXES = [
  ['_bytes_per_s', 'B/s'], ['_flops_per_s', 'flops/s'], ['_tokens_per_s', 'tokens/s'], ['_per_s', '/s'],
  ['_bytes', 'bytes'], ['_s', 's'], 
];
const RATIOS = new Set([
  'utilization', 'gpu', 'router_entropy', 'overflow_rate', 'dropped_token_rate', 'dead_experts', 'balancedness', 'worst_balancedness',
  'expert_compute', 'links', 'achieved_flops', 'dense_baseline', 'relative_error', 'slowest_share',
]);

const NAMED = { goodput: 'requests/s', requests_per_s: 'requests/s', per_gpu: 'tokens/s', gpu_hours: 'h' };

// What a key of result.json is measured in, by its name's ending.
export function unitOf(key) {
  if (key in NAMED) return NAMED[key];
  for (const [suffix, unit] of SUFFIXES) if (key.endsWith(suffix)) return unit;
  if (key.startsWith('usd')) return 'USD';
  if (key.startsWith('joules')) return 'J';
  return RATIOS.has(key) || key.endsWith('_ratio') || key.endsWith('_utilization') || key.endsWith('_share') ? 'ratio' : '';
}

// "peak_kv_bytes" -> "Peak kv".
export function wordsOf(key) {
  let name = key.replace(/^usd/, 'cost').replace(/^joules/, 'energy').replace(/^per_gpu$/, 'output_tokens_per_GPU').replace(/^warmup$/, 'warm-up, not counted');
  for (const [suffix] of SUFFIXES) if (name.endsWith(suffix) && name.length > suffix.length) { name = name.slice(0, -suffix.length); break; }
  const words = name.replaceAll('_', ' ').replace(/\b(kv|gpu|gpus|slo|ttft|tpot|itl|e2el|hbm|id|nic)\b/g, (w) => (w === 'gpus' ? 'GPUs' : w.toUpperCase()));
  return words.charAt(0).toUpperCase() + words.slice(1);
}
