// Times ONNX Runtime on the CPU: node ort.mjs MODEL RUNS THREADS -> median and lowest ms.
import { createRequire } from 'node:module';

const require = createRequire(process.env.ORT_FOLDER + '/');
const ort = require('onnxruntime-node');

const [model, runs, threads] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model, {
  intraOpNumThreads: Number(threads), graphOptimizationLevel: 'all', logSeverityLevel: 3 });

const spatial = 640; // what fv_graph_load takes for a size that the file leaves open
const feeds = {};
for (const input of session.inputMetadata) {
  const shape = input.shape.map((d, i) => typeof d === 'number' && d > 0 ? d : i === 0 ? 1 : i === 1 ? 3 : spatial);
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).map((_, i) => ((Math.imul(i, 2654435761) >>> 24)) / 255);
  feeds[input.name] = new ort.Tensor('float32', data, shape);
}

const ms = [];
for (let i = -3; i < Number(runs); i++) {
  const start = performance.now();
  await session.run(feeds);
  if (i >= 0)
    ms.push(performance.now() - start);
}
ms.sort((a, b) => a - b);
console.log(ms[ms.length >> 1].toFixed(4), ms[0].toFixed(4));
