// What stands in the page: the overview as JSON, and blocks that are unpacked when they are wanted.

/** What the page shows at once. */
export function overview() {
  return JSON.parse(document.getElementById('overview').textContent);
}

const unpacked = new Map();

/** The block's value, as a promise; unpacked once. */
export function block(name) {
  if (!unpacked.has(name)) unpacked.set(name, unpack(document.getElementById(`block-${name}`).textContent));
  return unpacked.get(name);
}

async function unpack(base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}
