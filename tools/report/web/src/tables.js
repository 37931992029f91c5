// Tables: {columns: [{label, unit}], rows: [[cell]], note}. Cells are base units; the page scales
// them for display and keeps the exact value in data-value.
import { number, unitOf, withUnit, wordsOf } from './units.js';

// A list of flat objects, one column per key, in the first object's order.
export function objectsTable(list) {
  const keys = [];
  for (const item of list) for (const key of Object.keys(item)) if (!keys.includes(key)) keys.push(key);
  const flat = (v) => (v !== null && typeof v === 'object' ? JSON.stringify(v) : v ?? null);
  return {
    columns: keys.map((key) => ({ label: wordsOf(key), unit: unitOf(key), key })),
    rows: list.map((item) => keys.map((key) => flat(item[key]))),
  };
}

// One object: a row per leaf, nested names joined.
export function objectTable(object, heading = 'Quantity') {
  const rows = [];
  const visit = (value, path) => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key]);
    } else {
      rows.push([path.map(wordsOf).join(', '), Array.isArray(value) ? JSON.stringify(value) : value, unitOf(path.at(-1))]);
    }
  };
  visit(object ?? {}, []);
  return { columns: [{ label: heading }, { label: 'Value' }], rows: rows.map(([name, value, unit]) => [name, value, { unit }]) };
}

// What a cell shows. Ratios are percentages, except balance-like words that read as they are.
export function cellText(value, unit) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return unit ? withUnit(value, unit, 4) : number(value, 4);
}

export function csv(table) {
  const cell = (v) => {
    const text = v === null || v === undefined ? '' : String(v);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const head = table.columns.map((c) => cell(c.unit ? `${c.label} [${c.unit}]` : c.label));
  return `${[head, ...table.rows.map((row) => row.filter((v) => v === null || typeof v !== 'object').map(cell))].map((r) => r.join(',')).join('\n')}\n`;
}
