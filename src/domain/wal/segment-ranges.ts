/** Numbers of segments. A Set of them is one; a million in a row is a range here. */
export interface SegmentNumbers extends Iterable<bigint> {
  readonly size: number;
  has(number: bigint): boolean;
}

interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

/** Numbers that mostly follow one another, in memory that grows with the number of holes. */
export class SegmentRanges implements SegmentNumbers {
  /** In order, neither overlapping nor adjacent. */
  readonly #ranges: Range[];

  constructor(numbers: Iterable<bigint> = []) {
    this.#ranges = numbers instanceof SegmentRanges ? [...numbers.#ranges] : [];
    if (!(numbers instanceof SegmentRanges)) for (const number of numbers) this.add(number);
  }

  get size(): number {
    return this.#ranges.reduce((sum, { from, to }) => sum + Number(to - from) + 1, 0);
  }

  has(number: bigint): boolean {
    const found = this.#ranges[this.#placeOf(number)];
    return found !== undefined && found.from <= number;
  }

  add(number: bigint): void {
    const place = this.#placeOf(number);
    const after = this.#ranges[place];
    if (after !== undefined && after.from <= number) return;
    const before = this.#ranges[place - 1];
    const joinsBefore = before !== undefined && before.to + 1n === number;
    const joinsAfter = after !== undefined && number + 1n === after.from;
    const joined = { from: joinsBefore ? before.from : number, to: joinsAfter ? after.to : number };
    const removed = Number(joinsBefore) + Number(joinsAfter);
    this.#ranges.splice(joinsBefore ? place - 1 : place, removed, joined);
  }

  *[Symbol.iterator](): Generator<bigint, void, void> {
    for (const { from, to } of this.#ranges) for (let number = from; number <= to; number += 1n) yield number;
  }

  /** Of the first range that does not end before the number. */
  #placeOf(number: bigint): number {
    let low = 0;
    for (let high = this.#ranges.length; low < high; ) {
      const middle = (low + high) >> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && range.to < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
