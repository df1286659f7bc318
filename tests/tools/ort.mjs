// Times ONNX Runtime on the CPU: node ort.mjs MODEL RUNS THREADS SHAPE -> median ms, processor ms of a run.
// SHAPE, as 1x3x256x416, is what the first input takes where the file leaves it open.
// The processor time is taken with threads that sleep when they wait: as they come they spin.
import { createRequire } from 'node:module';

const require = createRequire(process.env.ORT_FOLDER + '/');
const ort = require('onnxruntime-node');

const [model, runs, threads, shape] = process.argv.slice(2);
const open = shape.split('x').map(Number);

function makeFeeds(session) {
  const feeds = {};
  for (const input of session.inputMetadata) {
    const dims = input.shape.map((d, i) => typeof d === 'number' && d > 0 ? d : open[i] ?? 1);
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).map((_, i) => (Math.imul(i, 2654435761) >>> 24) / 255);
    feeds[input.name] = new ort.Tensor('float32', data, dims);
  }
  return feeds;
}

async function measure(spinning) {
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threads), graphOptimizationLevel: 'all', logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: spinning ? '1' : '0' } } } });
  const feeds = makeFeeds(session), ms = [], cpu = [];
  for (let i = -3; i < Number(runs); i++) {
    const start = performance.now(), before = process.cpuUsage();
    await session.run(feeds);
    const used = process.cpuUsage(before);
    if (i < 0)
      continue;
    ms.push(performance.now() - start);
    cpu.push((used.user + used.system) / 1000);
  }
  ms.sort((a, b) => a - b);
  return { median: ms[ms.length >> 1], cpu: Math.min(...cpu) };
}

const spinning = await measure(true), sleeping = await measure(false);
console.log(spinning.median.toFixed(4), sleeping.cpu.toFixed(4));
