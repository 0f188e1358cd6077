// A zip file without compression, which pictures do not need: APPNOTE 6.3.10, sections 4.3.7 to 4.3.16.

const CRC = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ CRC[(value ^ byte) & 255];
  return (value ^ 0xffffffff) >>> 0;
}

const UTF8_NAMES = 0x0800;
const VERSION = 20;

// Returns the bytes of little-endian numbers, each given as [value, size in bytes].
function packed(...numbers) {
  const bytes = new Uint8Array(numbers.reduce((sum, [, size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [value, size] of numbers) {
    if (size === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += size;
  }
  return bytes;
}

// Returns a Blob of files: [name, Blob] each. A repeated name gets a number.
export async function zip(files, now = new Date()) {
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [name, blob] of withoutRepeats(files)) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const encoded = new TextEncoder().encode(name);
    const common = packed(
      [VERSION, 2], [UTF8_NAMES, 2], [0, 2], [time, 2], [date, 2],
      [crc32(bytes), 4], [bytes.length, 4], [bytes.length, 4], [encoded.length, 2], [0, 2]);
    const head = [packed([0x04034b50, 4]), common, encoded];
    parts.push(...head, blob); // and not its bytes, all of which would then be in memory at once
    directory.push(packed([0x02014b50, 4], [VERSION, 2]), common, packed([0, 2], [0, 2], [0, 2], [0, 4], [at, 4]), encoded);
    at += head.reduce((sum, part) => sum + part.length, bytes.length);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = packed([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [size, 4], [at, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

// Windows and the Mac take names that differ by case, or by how an accent is written, for the same.
function withoutRepeats(files) {
  const seen = new Set();
  const common = (name) => name.normalize().toLowerCase();
  return files.map(([name, blob]) => {
    const [, stem, end] = /^(.*?)(\.[^.]*)?$/s.exec(name);
    let free = name;
    for (let number = 2; seen.has(common(free)); number += 1) free = `${stem}-${number}${end ?? ""}`;
    seen.add(common(free));
    return [free, blob];
  });
}
