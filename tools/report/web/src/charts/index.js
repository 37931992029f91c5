// Every chart of the report, in the page's order; `moesim report --plot NAME` draws one of them.
//
// A chart is {name, section, title, caption, width, build(report, choice)}; build gives null where
// there is no data, else {option(ctx), table(), height, note, choices: [[value, label]], choice}.
// ctx is {theme, picture, choice}: `picture` is true for a file, which nobody can zoom.
import { blame } from './blame.js';
import { cdfs } from './latency.js';
import { machine } from './machine.js';
import { maps } from './maps.js';
import { network } from './network.js';
import { others, overTime } from './over_time.js';
import { phases } from './phases.js';
import { placement } from './placement.js';
import { tenants } from './tenants.js';

export const charts = [
  ...phases,
  ...blame,
  ...cdfs,
  maps.gpuTime,
  machine.gpus,
  ...maps.loads,
  placement.experts,
  network.busiest,
  network.traffic,
  maps.linkTime,
  overTime.queue,
  overTime.throughput,
  overTime.occupancy,
  others,
  ...tenants,
  overTime.balance,
  placement.map,
  machine.memory,
  machine.errors,
];
