/** One line of the table that the benchmark prints. */
export interface Figure {
  readonly what: string;
  readonly value: string;
}
