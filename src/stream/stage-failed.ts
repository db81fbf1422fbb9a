/** A process of a pipeline that could not be started, exited with another code than 0, or was killed. */
export class StageFailed extends Error {
  readonly command: string;
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** The end of what it wrote to standard error. */
  readonly stderr: string;

  constructor(
    how: string,
    {
      command,
      exitCode,
      signal,
      stderr,
      cause,
    }: {
      readonly command: string;
      readonly exitCode?: number | undefined;
      readonly signal?: NodeJS.Signals | undefined;
      readonly stderr: string;
      readonly cause?: unknown;
    },
  ) {
    const said = stderr.trim();
    super(`${command} ${how}${said === '' ? '' : `: ${said}`}`, cause === undefined ? undefined : { cause });
    this.name = 'StageFailed';
    this.command = command;
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderr = stderr;
  }
}
