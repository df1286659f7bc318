// Fovea beside ONNX Runtime on a fixed input: node parity.mjs SIZE DEVICE PICTURE MODEL...
// A line a model: largest max|a-b| / max|ref| over the outputs and which one it is; exit 1 when one is above 1e-4.
// PICTURE: the first input's float32 values as .npy; empty: made up, 0 .. 1, or 0 .. 255 where told below, or integers.
// Open sizes of a model are SIZE, its batch 1, other open dimensions 1.
import { createRequire } from 'node:module';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ort = createRequire(process.env.ORT_FOLDER + '/')('onnxruntime-node');
const wide = ['yolox_nano', 'yunet_n_320_320'];
const arrays = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array, int32: Int32Array, float64: Float64Array,
  int64: BigInt64Array };
const readers = { '<f4': Float32Array, '<f8': Float64Array, '<i4': Int32Array, '<i8': BigInt64Array, '|u1': Uint8Array,
  '|b1': Uint8Array, '|i1': Int8Array };

const fileName = name => name.replace(/[/:]/g, '_') + '.npy';

function writeNpy(file, data, dims) {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  fs.writeFileSync(file, Buffer.concat([start, Buffer.from(padded, 'latin1'), Buffer.from(Float32Array.from(data, Number).buffer)]));
}

function readNpy(file) {
  const b = fs.readFileSync(file), end = 10 + b.readUInt16LE(8);
  const type = /'descr': '([^']+)'/.exec(b.toString('latin1', 10, end))[1];
  return Float64Array.from(new readers[type](b.buffer.slice(b.byteOffset + end, b.byteOffset + b.length)), Number);
}

function makeInput(input, size, top) {
  const open = (i, rank) => (i === 0 || rank !== 4 ? 1 : i === 1 ? 3 : Number(size));
  const dims = input.shape.map((d, i) => (typeof d === 'number' && d > 0 ? d : open(i, input.shape.length)));
  const n = dims.reduce((a, b) => a * b, 1), whole = input.type !== 'float32';
  const data = arrays[input.type].from({ length: n }, (_, i) => {
    const bits = Math.imul(Math.imul(i + 1, 2654435761) ^ (i >>> 7), 2246822519) >>> 8, byte = bits >>> 16;
    return input.type === 'int64' ? BigInt(byte) : whole ? byte : bits / 0xffffff * top;
  });
  return new ort.Tensor(input.type, data, dims);
}

function difference(ref, ours) {
  if (ref.length !== ours.length)
    return Infinity;
  let largest = 0, off = 0;
  for (let i = 0; i < ref.length; i++) {
    if (Number.isNaN(ref[i]) && Number.isNaN(ours[i]))
      continue;
    largest = Math.max(largest, Math.abs(ref[i]));
    const d = Math.abs(ref[i] - ours[i]);
    off = d <= off ? off : Number.isNaN(d) ? Infinity : d;
  }
  return largest > 0 ? off / largest : off;
}

async function runTheirs(model, name, dir, size, picture) {
  const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: 'all', logSeverityLevel: 4 });
  const feeds = {}, words = [];
  for (const input of session.inputMetadata) {
    const t = feeds[input.name] = makeInput(input, size, wide.includes(name) ? 255 : 1);
    if (picture && !words.length)
      t.data.set(readNpy(picture));
    const file = path.join(dir, fileName(input.name));
    writeNpy(file, t.data, t.dims);
    words.push('--in', `${input.name}=${file}`);
  }
  return [await session.run(feeds), words];
}

async function check(model, name, dir, size, device, picture) {
  const [ref, words] = await runTheirs(model, name, dir, size, picture), ours = path.join(dir, 'ours');
  const run = spawnSync('fovea', ['infer', model, ...words, '--out-dir', ours, ...(device ? ['--device', device] : [])],
    { encoding: 'utf8' });
  if (run.status !== 0)
    return [Infinity, (run.stderr || String(run.error ?? run.signal)).trim().split('\n').pop()];
  let worst = [-1, ''];
  for (const [output, t] of Object.entries(ref)) {
    const file = path.join(ours, fileName(output));
    const d = fs.existsSync(file) ? difference(Float64Array.from(t.data, Number), readNpy(file)) : Infinity;
    worst = d > worst[0] ? [d, fileName(output)] : worst;
  }
  return worst;
}

const [size, device, picture, ...models] = process.argv.slice(2);
for (const model of models) {
  const name = path.basename(model, '.onnx'), dir = fs.mkdtempSync(path.join(os.tmpdir(), 'parity-'));
  const [off, text] = await check(model, name, dir, size, device, picture).catch(e => [Infinity, `ONNX Runtime: ${e.message}`]);
  fs.rmSync(dir, { recursive: true });
  console.log(name.padEnd(24), off.toExponential(2), text);
  if (!(off <= 1e-4))
    process.exitCode = 1;
}
