import { type Client, Query } from 'pg';

/** What the `pg` package keeps to itself. */
interface Wire {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** Messages of this length: the server reads each whole into memory. */
const chunkLength = 64 * 1024;

/** Runs a command for which the server asks for data, and gives it that data. Rejects with the package's own error. */
export function copyIn(client: Client, text: string, content: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = new Query(text);
    // What the package does of itself is to refuse.
    Object.assign(query, {
      handleCopyInResponse(wire: Wire) {
        for (let at = 0; at < content.length; at += chunkLength) {
          wire.sendCopyFromChunk(content.subarray(at, at + chunkLength));
        }
        wire.endCopyFrom();
      },
    });
    query.once('end', () => resolve());
    query.once('error', reject);
    client.query(query);
  });
}
