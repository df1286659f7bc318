// ONNX Runtime beside Fovea on a fixed input.
//   node parity.mjs make MODEL DIR SIZE TOP DIR/in/NAME.npy, DIR/ref/NAME.npy; prints "NAME=DIR/in/NAME.npy" a line
//   node parity.mjs compare DIR OURS        largest max|a-b| / max|ref| over the outputs, and which one it is
// Open sizes of a model are SIZE, its batch 1, other open dimensions 1; values are 0 .. TOP.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [command, ...args] = process.argv.slice(2);
const fileName = name => name.replace(/[/:]/g, '_') + '.npy';

function writeNpy(file, data, dims) {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  const values = Float32Array.from(data, Number);
  fs.writeFileSync(file, Buffer.concat([start, Buffer.from(padded, 'latin1'), Buffer.from(values.buffer)]));
}

const readers = { '<f4': Float32Array, '<f8': Float64Array, '<i4': Int32Array, '<i8': BigInt64Array, '|u1': Uint8Array,
  '|b1': Uint8Array, '|i1': Int8Array };

function readNpy(file) {
  const b = fs.readFileSync(file), end = 10 + b.readUInt16LE(8);
  const type = /'descr': '([^']+)'/.exec(b.toString('latin1', 10, end))[1];
  return Float64Array.from(new readers[type](b.buffer.slice(b.byteOffset + end, b.byteOffset + b.length)), Number);
}

async function make(model, dir, size, top) {
  const ort = createRequire(process.env.ORT_FOLDER + '/')('onnxruntime-node');
  const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: 'all', logSeverityLevel: 3 });
  fs.mkdirSync(`${dir}/in`, { recursive: true });
  fs.mkdirSync(`${dir}/ref`, { recursive: true });
  const open = (i, rank) => (i === 0 || rank !== 4 ? 1 : i === 1 ? 3 : Number(size));
  const feeds = {};
  for (const input of session.inputMetadata) {
    const dims = input.shape.map((d, i) => (typeof d === 'number' && d > 0 ? d : open(i, input.shape.length)));
    const n = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: n }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 24) / 255 * Number(top));
    feeds[input.name] = new ort.Tensor('float32', data, dims);
    writeNpy(`${dir}/in/${fileName(input.name)}`, data, dims);
    console.log(`${input.name}=${dir}/in/${fileName(input.name)}`);
  }
  for (const [name, t] of Object.entries(await session.run(feeds)))
    writeNpy(`${dir}/ref/${fileName(name)}`, t.data, t.dims);
}

function difference(ref, ours) {
  if (ref.length !== ours.length)
    return Infinity;
  let largest = 0, off = 0;
  for (let i = 0; i < ref.length; i++) {
    largest = Math.max(largest, Math.abs(ref[i]));
    const d = Math.abs(ref[i] - ours[i]);
    off = d <= off ? off : Number.isNaN(d) ? Infinity : d;
  }
  return largest > 0 ? off / largest : off;
}

function compare(dir, ours) {
  let worst = -1, which = '';
  for (const file of fs.readdirSync(`${dir}/ref`)) {
    const other = path.join(ours, file);
    const d = fs.existsSync(other) ? difference(readNpy(`${dir}/ref/${file}`), readNpy(other)) : Infinity;
    if (d > worst)
      [worst, which] = [d, file];
  }
  console.log(worst.toExponential(2), which);
}

await { make, compare }[command](...args);
