/** The last bytes of a stream of any length, in bounded memory. */
export class Tail {
  readonly #limit: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(bytes: Uint8Array): void {
    // Copied, so that a small end does not hold a large buffer.
    const all = Buffer.concat([this.#bytes, bytes.subarray(Math.max(0, bytes.length - this.#limit))]);
    this.#bytes = all.length > this.#limit ? Buffer.from(all.subarray(all.length - this.#limit)) : all;
  }

  text(): string {
    return this.#bytes.toString('utf8');
  }
}
