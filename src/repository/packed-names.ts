/** Names of one folder in few bytes each, and in their order: a timeline's folder may have a million. */
export class PackedNames {
  #bytes = Buffer.allocUnsafe(1024 * 1024);
  #used = 0;
  #ends = new Uint32Array(16 * 1024);
  #order: Uint32Array | undefined;
  count = 0;

  /** By the bytes of UTF-8, as S3 sorts keys. */
  add(name: Buffer): void {
    if (this.#used + name.length > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#used);
    if (this.count === this.#ends.length) {
      const ends = new Uint32Array(2 * this.count);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    this.#used += name.copy(this.#bytes, this.#used);
    this.#ends[this.count] = this.#used;
    this.count += 1;
    this.#order = undefined;
  }

  /** The one at this place of the order. */
  at(place: number): Buffer {
    const index = this.#sorted()[place] ?? 0;
    return this.#bytes.subarray(this.#beginOf(index), this.#ends[index]);
  }

  /** The first ones of the order. */
  least(count: number): PackedNames {
    const kept = new PackedNames();
    for (let place = 0; place < Math.min(count, this.count); place += 1) kept.add(this.at(place));
    return kept;
  }

  #sorted(): Uint32Array {
    if (this.#order !== undefined) return this.#order;
    const [bytes, ends] = [this.#bytes, this.#ends];
    const order = Uint32Array.from({ length: this.count }, (_, index) => index);
    this.#order = order.sort((one, other) =>
      bytes.compare(bytes, this.#beginOf(other), ends[other], this.#beginOf(one), ends[one]),
    );
    return this.#order;
  }

  #beginOf(index: number): number {
    return index === 0 ? 0 : (this.#ends[index - 1] ?? 0);
  }
}

function grown(bytes: Buffer<ArrayBuffer>, used: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(2 * bytes.length);
  bytes.copy(larger, 0, 0, used);
  return larger;
}
