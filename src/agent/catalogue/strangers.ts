const shown = 5;

/** What lies in a repository and is nothing of Tidemark's, or cannot be read: counted, with a few examples. */
export class Strangers {
  count = 0;
  readonly examples: string[] = [];

  add(what: string): void {
    this.count += 1;
    if (this.examples.length < shown) this.examples.push([...what].slice(0, 1000).join(''));
  }
}
