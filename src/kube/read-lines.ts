/** The lines of a byte stream, without their ends; empty ones are left out. Multi-byte characters may be cut anywhere. */
export async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  const last = rest + decoder.decode();
  if (last !== '') yield last;
}
