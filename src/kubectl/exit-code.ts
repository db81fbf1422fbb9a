/** What a script may rely on; docs/kubectl.md has the same list. */
export const exitCode = {
  done: 0,
  /** What was asked for was tried, and failed or was cancelled; doctor found something that is wrong. */
  failed: 1,
  /** The command line is wrong: nothing was sent. */
  usage: 2,
  /** The API server says no: there is no such object, the object is not valid, the right is missing. */
  refused: 3,
  /** The API server, or the kubeconfig that leads to it, cannot be had. */
  unreachable: 4,
  /** A person was asked, and said no: nothing was done. */
  declined: 5,
  /** --timeout is over; what was begun goes on. */
  timedOut: 6,
  /** doctor found nothing wrong, and could not look at everything. */
  unknown: 8,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** An end that a person reads: what failed, why, and what to do now. */
export class Stop extends Error {
  readonly code: ExitCode;

  constructor(code: ExitCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Stop';
    this.code = code;
  }
}

export function usage(message: string): Stop {
  return new Stop(exitCode.usage, message);
}
